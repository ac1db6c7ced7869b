import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { neutron } from "./errors.ts";
import { networks } from "./networks.ts";
import type { AutoAllocatedTopology, Network, NetworkTables, Subnet, SubnetPool } from "./records.ts";
import { addRouterInterface, removeRouterInterface } from "./router-interfaces.ts";
import { routers } from "./routers.ts";
import type { NetworkContext } from "./routes.ts";
import { findDefaultPool } from "./subnet-allocation.ts";
import { poolVersion } from "./subnet-pools.ts";
import { subnets } from "./subnets.ts";

const failure = (reason: string) => new ApiError(409, `Deployment error: ${reason}.`, "AutoAllocationFailure");

/** The network that a project has because it asked for any: made with its subnet and router at the first time. @throws ApiError 409 */
export function autoAllocatedNetwork(tables: NetworkTables, scope: Scope, projectId: string): string {
  return topologyOf(tables, projectId)?.networkId ?? makeTopology(tables, scope, projectId).networkId;
}

/** `/v2.0/auto-allocated-topology/{project}` */
export function autoAllocationRoutes(app: FastifyInstance, { store, tables, reconcile }: NetworkContext): void {
  type OfProject = { Params: { project: string }; Querystring: { fields?: string | string[] } };
  const path = "/auto-allocated-topology/:project";
  const projectIn = (scope: Scope, named: string): string => {
    const own = scope.project?.id ?? "";
    if (named === "None") return own; // what clients send that name no project
    if (named !== own && !isAdmin(scope)) throw new ApiError(403, "Not authorized.", "NotAuthorized");
    return named;
  };

  app.get<OfProject>(path, async ({ scope, params, query }) => {
    const id = projectIn(scope, params.project);
    const fields = [query.fields ?? []].flat();
    if (fields.includes("dry-run")) {
      demandRequirements(tables, scope);
      return { auto_allocated_topology: { id: "dry-run=pass", tenant_id: id } };
    }
    if (fields.length > 0) throw neutron.bad("auto_allocate", "Unrecognized field");
    const networkId = store.transaction(() => autoAllocatedNetwork(tables, scope, id));
    await reconcile();
    return { auto_allocated_topology: { id: networkId, tenant_id: id, project_id: id } };
  });
  app.delete<OfProject>(path, async ({ scope, params }, reply) => {
    const id = projectIn(scope, params.project);
    store.transaction(() => {
      // as Neutron does, which looks at one before it deletes it
      removeTopology(tables, scope, topologyOf(tables, id) ?? makeTopology(tables, scope, id));
    });
    await reconcile();
    return reply.code(204).send();
  });
}

/** Undefined once somebody has deleted the network. */
function topologyOf(tables: NetworkTables, projectId: string): AutoAllocatedTopology | undefined {
  const found = tables.topologies.get(projectId);
  return found !== undefined && tables.networks.get(found.networkId) !== undefined ? found : undefined;
}

function defaultExternal(tables: NetworkTables): Network {
  const network = tables.networks.find(({ external, isDefault }) => external && isDefault === true);
  if (network === undefined) throw failure("No default router:external network");
  return network;
}

/** @throws ApiError 409 */
function demandRequirements(tables: NetworkTables, scope: Scope): void {
  defaultExternal(tables);
  if (defaultPools(tables, scope).length === 0) {
    throw failure("No default subnetpools defined");
  }
}

function makeTopology(tables: NetworkTables, scope: Scope, projectId: string): AutoAllocatedTopology {
  const external = defaultExternal(tables);
  const owner = { project_id: projectId };
  const network = tables.networks.put(networks.create(tables, scope, { ...owner, name: "auto_allocated_network" }));
  const made = defaultPools(tables, scope).map((pool) =>
    makeSubnet(tables, scope, { ...owner, network_id: network.id }, pool),
  );
  if (made.length === 0) throw failure("Unable to provide tenant private network");
  const wanted = { ...owner, name: "auto_allocated_router", external_gateway_info: { network_id: external.id } };
  const router = tables.routers.put(routers.create(tables, scope, wanted));
  for (const { id } of made) addRouterInterface(tables, scope, router, { subnet_id: id });
  return tables.topologies.put({ id: projectId, networkId: network.id, routerId: router.id });
}

/** Of each family the default pool, where there is one that the scope sees. */
const defaultPools = (tables: NetworkTables, scope: Scope): SubnetPool[] =>
  ([4, 6] as const).flatMap((version) => findDefaultPool(tables, scope, version) ?? []);

function makeSubnet(
  tables: NetworkTables,
  scope: Scope,
  where: { project_id: string; network_id: string },
  pool: SubnetPool,
): Subnet {
  const version = poolVersion(pool);
  const name = `auto_allocated_subnet_v${version}`;
  const wanted = { ...where, name, ip_version: version, use_default_subnetpool: true };
  try {
    return tables.subnets.put(subnets.create(tables, scope, wanted));
  } catch (error) {
    throw error instanceof ApiError ? failure("Unable to provide tenant private network") : error;
  }
}

/** What somebody has taken out of a topology already is none of it any more. */
function unlessGone(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
  }
}

function removeTopology(tables: NetworkTables, scope: Scope, { id, networkId, routerId }: AutoAllocatedTopology): void {
  const router = tables.routers.get(routerId);
  const own = tables.subnets.list((subnet) => subnet.networkId === networkId);
  if (router !== undefined) {
    for (const subnet of own) {
      unlessGone(() => removeRouterInterface(tables, scope, router, { subnet_id: subnet.id }));
    }
    routers.remove(tables, router);
  }
  const network = tables.networks.get(networkId);
  if (network !== undefined) networks.remove(tables, network);
  tables.topologies.delete(id);
}
