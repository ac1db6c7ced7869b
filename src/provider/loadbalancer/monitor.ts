import { integer, text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";
import { firstId } from "./mutable.ts";
import { commonProperties, octaviaKind, tenMinutes } from "./octavia.ts";

const types = ["TCP", "UDP-CONNECT", "HTTP", "HTTPS", "TLS-HELLO", "PING"];

/** `openstack_lb_monitor_v2`: what checks the members of a pool. */
export const monitor = octaviaKind({
  type: "openstack:loadbalancer/monitor:Monitor",
  path: () => "/healthmonitors",
  member: "healthmonitor",
  collection: "healthmonitors",
  timeouts: tenMinutes,
  properties: {
    ...commonProperties,
    poolId: text({ required: true, replaces: true }),
    type: text({ field: "type", required: true, replaces: true, allowed: types }),
    delay: integer({ field: "delay", required: true }),
    timeout: integer({ field: "timeout", required: true }),
    maxRetries: integer({ field: "max_retries", required: true }),
    maxRetriesDown: integer({ field: "max_retries_down", computed: true }),
    urlPath: text({ field: "url_path", computed: true }),
    httpMethod: text({ field: "http_method", computed: true }),
    expectedCodes: text({ field: "expected_codes", computed: true }),
  },
  way: (values) => ({ pools: textOf(values, "poolId") }),
  isMine: (api, inputs) => firstId(api.pools) === inputs.poolId,
  createBody: ({ poolId }) => ({ pool_id: poolId }),
  readMore: (api, _, { poolId = "" }) => ({ poolId: firstId(api.pools) ?? poolId }),
  /** `MONITOR` or `MONITOR/POOL` */
  importing(id) {
    const [monitorId = "", poolId = ""] = id.split("/", 2);
    return { id: monitorId, outputs: { poolId } };
  },
});
