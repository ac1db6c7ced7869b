import type { FastifyInstance } from "fastify";
import { isAdmin } from "../identity/scope.ts";
import { attribute } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { pickFields, type Query, selectPage, type View } from "./filters.ts";
import { ipv4ToNumber } from "./ipv4.ts";
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
  const viewOf = (network: Network, counts: Map<string, number>): View => {
    const subnets = tables.subnets
      .list(({ networkId }) => networkId === network.id)
      .map((subnet) => subnetView(subnet, counts.get(subnet.id) ?? 0));
    return {
      network_id: network.id,
      network_name: network.name,
      tenant_id: network.projectId,
      project_id: network.projectId,
      subnet_ip_availability: subnets,
      used_ips: sum(subnets.map(({ used_ips }) => used_ips)),
      total_ips: sum(subnets.map(({ total_ips }) => total_ips)),
    };
  };

  app.get<{ Querystring: Query }>("/network-ip-availabilities", ({ scope, query }) => {
    const counts = used();
    const shown = isAdmin(scope) ? tables.networks.list() : [];
    const { views } = selectPage({
      views: shown.map((network) => viewOf(network, counts)),
      attributes,
      query,
      url: "",
      notFound: neutron.networkNotFound,
      hidden: () => ({ ip_version: 4 }),
    });
    return { network_ip_availabilities: views };
  });
  app.get<{ Params: { id: string }; Querystring: Query }>(
    "/network-ip-availabilities/:id",
    ({ scope, params, query }) => {
      const network = visibleRecord(networks, tables, scope, params.id);
      if (!isAdmin(scope)) throw neutron.notSupported();
      return { network_ip_availability: pickFields(viewOf(network, used()), query) };
    },
  );
}

const sum = (numbers: number[]) => numbers.reduce((all, one) => all + one, 0);

/** What a subnet can give is what its pools hold; what it has given may lie outside of them. */
function subnetView({ id, name, cidr, allocationPools }: Subnet, used: number) {
  const sizes = allocationPools.map(({ start, end }) => (ipv4ToNumber(end) ?? 0) - (ipv4ToNumber(start) ?? 0) + 1);
  return { subnet_id: id, ip_version: 4, cidr, subnet_name: name, used_ips: used, total_ips: sum(sizes) };
}
