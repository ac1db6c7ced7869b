import type { PropertyMap } from "../../engine/resource-provider.ts";
import type { Context, ResourceKind } from "../kind.ts";
import type { ApiObject } from "../schema/api-form.ts";
import { anObject, aString, flag, list, object, text } from "../schema/property.ts";
import { isMap, mapsOf, textOf, textsOf } from "../schema/values.ts";
import { serially } from "../serial.ts";
import { byName, commonProperties, neutronKind, tagProperties, valueSpecs } from "./neutron.ts";
import { withSubnetsInTurn } from "./subnets-in-turn.ts";

const fixedIp = anObject({ ipAddress: text({ computed: true }), subnetId: text() });

const gatewayProperties = [
  "externalNetworkId",
  "externalGateway",
  "enableSnat",
  "externalFixedIps",
  "externalSubnetIds",
];

const table = neutronKind({
  type: "openstack:networking/router:Router",
  path: "routers",
  collection: "routers",
  member: "router",
  autoName: true,
  timeouts: { create: 600, delete: 600 },
  usable: ["ACTIVE"],
  properties: {
    ...commonProperties,
    ...tagProperties,
    ...valueSpecs,
    name: text({ field: "name" }),
    description: text({ field: "description" }),
    adminStateUp: flag({ field: "admin_state_up", computed: true }),
    distributed: flag({ field: "distributed", computed: true, replaces: true }),
    availabilityZoneHints: list(aString, { field: "availability_zone_hints", computed: true, replaces: true }),
    externalNetworkId: text({ computed: true, conflictsWith: ["externalGateway"] }),
    externalGateway: text({ computed: true, deprecated: true, conflictsWith: ["externalNetworkId"] }),
    enableSnat: flag({ computed: true }),
    externalFixedIps: list(fixedIp, { computed: true }),
    externalSubnetIds: list(aString, { kept: true, conflictsWith: ["externalFixedIps"] }),
    vendorOptions: object({ setRouterGatewayAfterCreate: flag({ default: false }) }, { kept: true }),
  },
  identity: byName,
  createBody: (_, inputs) => (gatewayAfterwards(inputs) ? {} : gatewayField(inputs)),
  updateBody: ({ inputs, changed }) =>
    gatewayProperties.some((name) => changed.has(name)) ? gatewayField(inputs) : {},
  readMore: (api) => gatewayState(api),
});

/** `openstack_networking_router_v2`; changes of one router follow one another. */
export const router: ResourceKind = {
  ...table,
  create: (context, inputs) =>
    withSubnetsInTurn(inputs, "externalSubnetIds", (chosen) => table.create(context, chosen)),
  async settle(context, id, inputs, olds) {
    // once: asked again, a gateway would move to a subnet that has room by now
    const isMissing = textOf(olds, "externalNetworkId") === undefined;
    if (gatewayAfterwards(inputs) && isMissing) await setGateway(context, id, inputs);
    await table.settle?.(context, id, inputs, olds);
  },
  update: (context, id, change) =>
    serially(`router ${id}`, () =>
      withSubnetsInTurn(change.inputs, "externalSubnetIds", async (inputs) =>
        table.update?.(context, id, { ...change, inputs }),
      ),
    ),
};

function gatewayAfterwards(inputs: PropertyMap): boolean {
  return isMap(inputs.vendorOptions) && inputs.vendorOptions.setRouterGatewayAfterCreate === true;
}

function setGateway({ session }: Context, id: string, inputs: PropertyMap): Promise<unknown> {
  return serially(`router ${id}`, () =>
    withSubnetsInTurn(inputs, "externalSubnetIds", (chosen) =>
      session.request("network", "PUT", `/routers/${id}`, { body: { router: gatewayField(chosen) } }),
    ),
  );
}

function gatewayField(inputs: PropertyMap): ApiObject {
  const networkId = textOf(inputs, "externalNetworkId") ?? textOf(inputs, "externalGateway");
  if (networkId === undefined) return {};
  const subnets = textsOf(inputs, "externalSubnetIds").map((id) => ({ subnet_id: id }));
  const addresses = mapsOf(inputs, "externalFixedIps").map((one) => ({
    ...(textOf(one, "subnetId") === undefined ? {} : { subnet_id: textOf(one, "subnetId") }),
    ...(textOf(one, "ipAddress") === undefined ? {} : { ip_address: textOf(one, "ipAddress") }),
  }));
  const fixed = addresses.length > 0 ? addresses : subnets;
  return {
    external_gateway_info: {
      network_id: networkId,
      ...(typeof inputs.enableSnat === "boolean" ? { enable_snat: inputs.enableSnat } : {}),
      ...(fixed.length > 0 ? { external_fixed_ips: fixed } : {}),
    },
  };
}

interface GatewayInfo {
  network_id?: string;
  enable_snat?: boolean;
  external_fixed_ips?: { ip_address: string; subnet_id: string }[];
}

/** The gateway in the form of the state. */
export function gatewayState(api: ApiObject) {
  const gateway = (api.external_gateway_info ?? {}) as GatewayInfo;
  const addresses = gateway.external_fixed_ips ?? [];
  return {
    externalNetworkId: gateway.network_id ?? "",
    externalGateway: gateway.network_id ?? "",
    enableSnat: gateway.enable_snat ?? false,
    externalFixedIps: addresses.map((one) => ({ ipAddress: one.ip_address, subnetId: one.subnet_id })),
  };
}
