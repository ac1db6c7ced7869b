import type { Server } from "../compute/records.ts";
import { statusOf } from "../compute/server-status.ts";
import { keyOf } from "../faults/fault.ts";
import type { FaultControl } from "../faults/fault-control.ts";
import { ledger } from "../faults/ledger.ts";
import type { Accounts } from "../identity/accounts.ts";
import type { NetworkTables } from "../network/records.ts";
import type { Collection } from "../store/store.ts";

export interface OverviewParts {
  accounts: Accounts;
  servers: Collection<Server>;
  tables: NetworkTables;
  faults: FaultControl;
}

/** What the page shows, but for the requests: of all projects. */
export function overview({ accounts, servers, tables, faults }: OverviewParts) {
  const projects = new Map(accounts.projects.list().map(({ id, name }) => [id, name]));
  const project = (id: string) => projects.get(id) ?? id;
  const ports = new Map(tables.ports.list().map((port) => [port.id, port]));
  const networks = new Map(tables.networks.list().map((network) => [network.id, network]));
  const floating = tables.floatingIps.list();
  const subnets = tables.subnets.list();
  const all = servers.list();
  const nameOfServer = new Map(all.map(({ id, name }) => [id, name]));
  const addressesOf = (server: Server) =>
    server.nics.flatMap(({ portId }) => {
      const fixed = ports.get(portId)?.fixedIps.map(({ ipAddress }) => ipAddress) ?? [];
      return [...fixed, ...floating.filter((one) => one.portId === portId).map(({ address }) => address)];
    });
  const armed = new Map(faults.list().map((one) => [one.id, one]));
  return {
    servers: all.toReversed().map((server) => ({
      ...{ id: server.id, name: server.name, status: statusOf(server), project: project(server.projectId) },
      ...{ flavor: server.flavor.name, addresses: addressesOf(server), fault: server.fault?.message ?? null },
    })),
    networks: [...networks.values()].map(({ id, name, external, projectId }) => ({
      ...{ id, name, external, project: project(projectId) },
      cidrs: subnets.filter(({ networkId }) => networkId === id).map(({ cidr }) => cidr),
      ports: [...ports.values()].filter(({ networkId }) => networkId === id).length,
    })),
    floatingIps: floating.map(({ id, address, fixedIp, portId, projectId }) => ({
      ...{ id, address, fixedIp, project: project(projectId) },
      server: nameOfServer.get(ports.get(portId ?? "")?.device?.id ?? "") ?? null,
    })),
    faults: ledger.map((fault) => ({ id: keyOf(fault), does: fault.does, armed: armed.get(keyOf(fault)) ?? null })),
  };
}
