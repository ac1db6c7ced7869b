import type { PropertyValue } from "../../engine/resource-provider.ts";
import { flag, integer, text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";
import { commonProperties, octaviaKind, tenMinutes } from "./octavia.ts";

/** A check for ports. */
export function refuseUnlessPort(value: PropertyValue): string | undefined {
  return Number(value) >= 1 && Number(value) <= 65_535 ? undefined : "must be a port from 1 to 65535";
}

/** A check for weights. */
export function refuseUnlessWeight(value: PropertyValue): string | undefined {
  return Number(value) >= 0 && Number(value) <= 256 ? undefined : "must be from 0 to 256";
}

/** `openstack_lb_member_v2`. */
export const member = octaviaKind({
  type: "openstack:loadbalancer/member:Member",
  path: (values) => `/pools/${textOf(values, "poolId")}/members`,
  member: "member",
  collection: "members",
  timeouts: tenMinutes,
  properties: {
    ...commonProperties,
    poolId: text({ kept: true, required: true, replaces: true }),
    address: text({ field: "address", required: true, replaces: true }),
    protocolPort: integer({ field: "protocol_port", required: true, replaces: true, refuse: refuseUnlessPort }),
    subnetId: text({ field: "subnet_id", replaces: true }),
    weight: integer({ field: "weight", computed: true, refuse: refuseUnlessWeight }),
    backup: flag({ field: "backup" }),
    monitorAddress: text({ field: "monitor_address" }),
    monitorPort: integer({ field: "monitor_port", refuse: refuseUnlessPort }),
  },
  way: (values) => ({ pools: textOf(values, "poolId") }),
  isMine: (api, inputs) => api.address === inputs.address && api.protocol_port === inputs.protocolPort,
  readMore: (_, __, { poolId = "" }) => ({ poolId }),
  /** `POOL/MEMBER` */
  importing(id) {
    const [poolId = "", memberId = ""] = id.split("/", 2);
    return { id: memberId, outputs: { poolId } };
  },
});
