import { ApiError } from "../http/api-error.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import { autoAllocatedNetwork } from "../network/auto-allocation.ts";
import { bindPort, ports, serverDevice, userOf } from "../network/ports.ts";
import { deviceOwner, type Network, type NetworkTables, type Port } from "../network/records.ts";
import { defaultGroup } from "../network/security-groups.ts";
import { isSharedNetwork } from "../network/sharing.ts";
import { nova } from "./errors.ts";
import type { Server } from "./records.ts";
import { portsOf } from "./server-ports.ts";

/** One entry of a server's `networks`. */
export interface NicRequest {
  uuid?: string | undefined;
  port?: string | null | undefined;
  fixed_ip?: string | undefined;
  tag?: string | undefined;
}

/** @throws ApiError 400 for ports and addresses where several servers are asked for */
export function demandSingleAddresses(wanted: NicRequest[]): void {
  const why = (reason: string) => nova.badRequest(`Failed to launch instances: ${reason}`);
  if (wanted.some(({ port }) => port)) {
    throw why(
      "Unable to launch multiple instances with a single configured port ID. Please launch your instance one by one with different ports.",
    );
  }
  if (wanted.some(({ fixed_ip: address }) => address !== undefined)) {
    throw why("max_count cannot be greater than 1 if an fixed_ip is specified.");
  }
}

/**
 * Plugs a new server into its networks: given ports are bound, for given networks a port is made. Nova's own words for what cannot be.
 * @param groups names or ids, for the ports that are made; a given port keeps its own groups
 */
export function plugNics(
  tables: NetworkTables,
  scope: Scope,
  serverId: string,
  wanted: NicRequest[] | "auto" | "none" | undefined,
  groups: string[] | undefined,
): Server["nics"] {
  if (wanted === "none") return [];
  if (Array.isArray(wanted) && wanted.length > 0) {
    return wanted.map((request) => {
      const tag = request.tag === undefined ? {} : { tag: request.tag };
      if (request.port !== undefined && request.port !== null) {
        return { ...bind(tables, scope, serverId, request.port), ...tag };
      }
      if (request.uuid === undefined) throw nova.badRequest("Bad network format: missing 'uuid'");
      const made = make(tables, scope, serverId, visibleNetwork(tables, scope, request.uuid), request.fixed_ip, groups);
      return { ...made, ...tag };
    });
  }
  const available = tables.networks.list(
    (network) =>
      !network.external && (network.projectId === projectOf(scope).id || isSharedNetwork(tables, network, scope)),
  );
  if (available.length > 1) {
    throw new ApiError(409, "Multiple possible networks found, use a Network ID to be more specific.");
  }
  const networks = available.length === 0 && wanted === "auto" ? [allocatedNetwork(tables, scope)] : available;
  return networks.map((network) => make(tables, scope, serverId, network, undefined, groups));
}

/** @throws ApiError 400 where the cloud makes no network for who has none */
function allocatedNetwork(tables: NetworkTables, scope: Scope): Network {
  const project = projectOf(scope).id;
  try {
    return visibleNetwork(tables, scope, autoAllocatedNetwork(tables, scope, project));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw nova.badRequest(`Unable to automatically allocate a network for project ${project}`);
  }
}

function bind(tables: NetworkTables, scope: Scope, serverId: string, portId: string): Server["nics"][number] {
  const port = tables.ports.get(portId);
  if (port === undefined || !owns(scope, port.projectId))
    throw nova.badRequest(`Port id ${portId} could not be found.`);
  if (userOf(port) !== undefined) throw new ApiError(409, `Port ${portId} is still in use.`);
  if (port.fixedIps.length === 0) throw nova.badRequest(`Port ${portId} requires a FixedIP in order to be used.`);
  bindPort(tables, portId, serverId);
  return { portId, made: false };
}

function make(
  tables: NetworkTables,
  scope: Scope,
  serverId: string,
  network: Network,
  fixedIp: string | undefined,
  groups: string[] | undefined,
): Server["nics"][number] {
  if (tables.subnets.find((subnet) => subnet.networkId === network.id) === undefined) {
    throw nova.badRequest(`Network ${network.id} requires a subnet in order to boot instances on.`);
  }
  const port = tables.ports.put({
    ...ports.create(tables, scope, {
      network_id: network.id,
      device_id: serverId,
      device_owner: deviceOwner.compute,
      ...(fixedIp === undefined ? {} : { fixed_ips: [{ ip_address: fixedIp }] }),
      ...(groups === undefined || groups.length === 0 || !network.portSecurityEnabled
        ? {}
        : { security_groups: groups.map((name) => groupId(tables, scope, name)) }),
    }),
    device: serverDevice(tables, serverId),
  });
  return { portId: port.id, made: true };
}

function visibleNetwork(tables: NetworkTables, scope: Scope, id: string): Network {
  const network = tables.networks.get(id);
  if (network === undefined || !(owns(scope, network.projectId) || isSharedNetwork(tables, network, scope))) {
    throw nova.badRequest(`Network ${id} could not be found.`);
  }
  return network;
}

/** The id of a security group that is named by its name or id. */
function groupId(tables: NetworkTables, scope: Scope, name: string): string {
  const project = projectOf(scope).id;
  defaultGroup(tables, project);
  const found = tables.securityGroups.list(
    (group) =>
      owns(scope, group.projectId) && (group.id === name || (group.name === name && group.projectId === project)),
  );
  const [group] = found;
  if (group === undefined) throw nova.badRequest(`Security group ${name} not found for project ${project}.`);
  if (found.length > 1) {
    throw new ApiError(409, `Multiple security groups found matching '${name}'. Use an ID to be more specific.`);
  }
  return group.id;
}

/** Adds a group to, or takes it off, all ports of a server. */
export function changeGroups(
  tables: NetworkTables,
  scope: Scope,
  server: Server,
  name: string,
  change: (ids: string[], id: string) => string[],
): void {
  const id = groupOrNotFound(tables, scope, name);
  for (const port of portsOf(tables, server)) {
    const securityGroupIds: Port["securityGroupIds"] = change(port.securityGroupIds, id);
    tables.ports.put({ ...port, securityGroupIds, revision: port.revision + 1 });
  }
}

function groupOrNotFound(tables: NetworkTables, scope: Scope, name: string): string {
  try {
    return groupId(tables, scope, name);
  } catch (error) {
    // the same look-up is a bad request at create and a missing item in an action
    throw error instanceof ApiError && error.status === 400 ? new ApiError(404, error.message) : error;
  }
}
