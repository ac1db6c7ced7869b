import type { PropertyMap } from "../../engine/resource-provider.ts";
import { listAll } from "../../openstack/pages.ts";
import type { Query } from "../../openstack/session.ts";
import type { ProviderFunction } from "../function.ts";
import type { Context } from "../kind.ts";
import { aString, flag, integer, set, text } from "../schema/property.ts";
import { sameNetwork } from "../schema/suppress.ts";
import { isZero, textOf, textsOf } from "../schema/values.ts";
import { listNetworks, type NetworkRecord, onlyNetwork } from "./lookup.ts";

/** `openstack_networking_network_v2` as a data source. */
export const getNetwork: ProviderFunction = {
  token: "openstack:networking/getNetwork:getNetwork",
  args: {
    networkId: text(),
    name: text(),
    description: text(),
    external: flag(),
    matchingSubnetCidr: text(),
    mtu: integer(),
    region: text(),
    status: text(),
    tags: set(aString),
    tenantId: text(),
    transparentVlan: flag(),
  },
  async call(context, args) {
    const found = await withSubnet(context, args, await listNetworks(context.session, queryOf(args)));
    const scope: Query = args.external === true ? { "router:external": true } : {};
    const asked = textOf(args, "name") ?? textOf(args, "networkId") ?? JSON.stringify(args);
    return stateOf(await onlyNetwork(context.session, asked, found, scope), context, args);
  },
};

function queryOf(args: PropertyMap): Query {
  const tags = textsOf(args, "tags");
  return {
    id: textOf(args, "networkId"),
    name: textOf(args, "name"),
    description: textOf(args, "description"),
    tenant_id: textOf(args, "tenantId"),
    status: textOf(args, "status"),
    tags: tags.length > 0 ? tags.join(",") : undefined,
    "router:external": typeof args.external === "boolean" ? args.external : undefined,
    mtu: isZero(args.mtu) ? undefined : Number(args.mtu),
  };
}

async function withSubnet(context: Context, args: PropertyMap, found: NetworkRecord[]): Promise<NetworkRecord[]> {
  const cidr = textOf(args, "matchingSubnetCidr");
  if (cidr === undefined) return found;
  const subnets = await listAll<{ network_id: string; cidr: string }>(
    context.session,
    "network",
    "/subnets",
    "subnets",
  );
  const matching = new Set(subnets.filter((one) => sameNetwork(one.cidr, cidr)).map((one) => one.network_id));
  return found.filter((network) => matching.has(network.id));
}

function stateOf(network: NetworkRecord, { region }: Context, args: PropertyMap): PropertyMap {
  return {
    ...args,
    id: network.id,
    name: network.name,
    description: String(network.description ?? ""),
    adminStateUp: String(network.admin_state_up ?? false),
    shared: String(network.shared ?? false),
    external: network["router:external"] === true,
    mtu: Number(network.mtu ?? 0),
    dnsDomain: String(network.dns_domain ?? ""),
    transparentVlan: network.vlan_transparent === true,
    tenantId: String(network.tenant_id ?? ""),
    subnets: (network.subnets ?? []) as string[],
    allTags: (network.tags ?? []) as string[],
    availabilityZoneHints: (network.availability_zone_hints ?? []) as string[],
    segments: [],
    region,
  };
}
