import { ApiError } from "../http/api-error.ts";
import { rbacInUse } from "./rbac-usage.ts";
import { deviceOwner, type Network, type NetworkTables, type RbacPolicy } from "./records.ts";
import { revised } from "./resource.ts";

const policiesOf = (tables: NetworkTables, networkId: string) =>
  tables.rbacPolicies.list(({ objectId, action }) => objectId === networkId && action === "access_as_external");

const hasGateways = (tables: NetworkTables, networkId: string) =>
  tables.ports.find((port) => port.networkId === networkId && port.deviceOwner === deviceOwner.routerGateway) !==
  undefined;

/** A network stays external while routers have their gateways in it. @throws ApiError 409 */
export function demandNoGateways(tables: NetworkTables, { id }: Network): void {
  if (!hasGateways(tables, id)) return;
  const words = `External network ${id} cannot be updated to be made non-external, since it has existing gateway ports.`;
  throw new ApiError(409, words, "ExternalNetworkInUse");
}

/** A network that a policy makes external for somebody is external from then on. */
export function ensureExternal(tables: NetworkTables, networkId: string): void {
  const network = tables.networks.get(networkId);
  if (network !== undefined && !network.external) tables.networks.put(revised(network, { external: true }));
}

/** A network that no policy makes external any more is so no more, unless a gateway is left in it. */
export function followPolicies(tables: NetworkTables, networkId: string): void {
  const network = tables.networks.get(networkId);
  if (network === undefined || policiesOf(tables, networkId).length > 0 || hasGateways(tables, networkId)) return;
  tables.networks.put(revised(network, { external: false, isDefault: false }));
}

/**
 * A policy that lets projects' routers out stays while they are there, unless another lets them out, too; of the default network the one
 * for all stays. Whoever asks: Neutron looks for no routers that a member does not see, and cuts them off.
 * @param next whom it shall be for then; undefined where it goes
 * @throws ApiError 409
 */
export function demandUnneededOutside(tables: NetworkTables, { objectId, target }: RbacPolicy, next?: string): void {
  const named = policiesOf(tables, objectId).map((policy) => policy.target);
  const projects = tables.routers
    .list(({ gateway }) => gateway?.networkId === objectId)
    .map(({ projectId }) => projectId);
  let isNeeded: boolean;
  if (target === "*") {
    if (tables.networks.get(objectId)?.isDefault === true) {
      throw rbacInUse(objectId, "Default external networks must be shared to everyone.");
    }
    isNeeded = projects.some((project) => !named.includes(project) && project !== next);
  } else {
    isNeeded = !named.includes("*") && projects.includes(target);
  }
  if (isNeeded) {
    throw rbacInUse(objectId, "There are routers attached to this network that depend on this policy for access.");
  }
}
