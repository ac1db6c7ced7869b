import type { FastifyInstance } from "fastify";
import { isAdmin } from "../identity/scope.ts";
import { attribute } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { pickFields, type Query, selectPage, type View } from "./filters.ts";
import { parseIp, versionOf } from "./ip.ts";
import { networks } from "./networks.ts";
import type { Network, NetworkTables, Subnet } from "./records.ts";
import { visibleRecord } from "./resource.ts";

const attributes = {
  network_id: attribute<string>("fs"),
  network_name: attribute<string>("f"),
  tenant_id: attribute<string>("f"),
  project_id: attribute<string>("f"),
  ip_version: attribute<number>("f"),
};

/** `/v2.0/network-ip-availabilities`: how many addresses networks have and have given, for administrators. */
export function ipAvailabilityRoutes(app: FastifyInstance, tables: NetworkTables): void {
  const used = () => {
    const counts = new Map<string, number>();
    for (const { subnetId } of tables.ports.list().flatMap(({ fixedIps }) => fixedIps)) {
      counts.set(subnetId, (counts.get(subnetId) ?? 0) + 1);
    }
    return counts;
  };
  app.get<{ Querystring: Query }>("/network-ip-availabilities", ({ scope, query }) => {
    const counts = used();
    const shown = isAdmin(scope) ? tables.networks.list() : [];
    const isAsked = versionFilter(query);
    const { views } = selectPage({
      views: shown.map((network) => networkView(network, subnetsOf(tables, network).filter(isAsked), counts)),
      attributes,
      query,
      url: "",
      notFound: neutron.networkNotFound,
      hidden: (view) => ({
        ip_version: (view.subnet_ip_availability as View[]).map(({ ip_version: version }) => String(version)),
      }),
    });
    return { network_ip_availabilities: views };
  });
  app.get<{ Params: { id: string }; Querystring: Query }>(
    "/network-ip-availabilities/:id",
    ({ scope, params, query }) => {
      const network = visibleRecord(networks, tables, scope, params.id);
      if (!isAdmin(scope)) throw neutron.notSupported();
      return { network_ip_availability: pickFields(networkView(network, subnetsOf(tables, network), used()), query) };
    },
  );
}

const subnetsOf = (tables: NetworkTables, { id }: Network) => tables.subnets.list(({ networkId }) => networkId === id);

/** Who asks for one family is told of its subnets alone. */
function versionFilter({ ip_version: asked }: Query): (subnet: Subnet) => boolean {
  const wanted = [asked ?? []].flat();
  return ({ cidr }) => wanted.length === 0 || wanted.includes(String(versionOf(cidr)));
}

function networkView({ id, name, projectId }: Network, subnets: Subnet[], counts: Map<string, number>): View {
  const views = subnets.map((subnet) => subnetView(subnet, counts.get(subnet.id) ?? 0));
  return {
    network_id: id,
    network_name: name,
    tenant_id: projectId,
    project_id: projectId,
    subnet_ip_availability: views,
    used_ips: views.reduce((sum, { used_ips }) => sum + used_ips, 0),
    total_ips: exact(subnets.reduce((sum, subnet) => sum + sizeOfPools(subnet), 0n)),
  };
}

/** What a subnet can give is what its pools hold; what it has given may lie outside of them. */
function subnetView(subnet: Subnet, used: number) {
  const { id, name, cidr } = subnet;
  const view = { subnet_id: id, ip_version: versionOf(cidr), cidr, subnet_name: name, used_ips: used };
  return { ...view, total_ips: exact(sizeOfPools(subnet)) };
}

function sizeOfPools({ allocationPools }: Subnet): bigint {
  const numberOf = (address: string) => parseIp(address)?.value ?? 0n;
  return allocationPools.reduce((sum, { start, end }) => sum + numberOf(end) - numberOf(start) + 1n, 0n);
}

const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown };

/** A number of JSON to its last digit, which one of JavaScript's may lose. */
const exact = (value: bigint): unknown =>
  value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : rawJSON(String(value));
