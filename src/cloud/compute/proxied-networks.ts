import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { externalNetworkName } from "../network/external.ts";
import { floatingIps } from "../network/floatingips.ts";
import { networks } from "../network/networks.ts";
import type { FloatingIp, Network, NetworkTables } from "../network/records.ts";
import { isVisible } from "../network/resource.ts";
import { createRecord } from "../network/routes.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { untilMicroversion } from "./microversion.ts";
import { isUuid } from "./schema-types.ts";

interface One {
  Params: { id: string };
}

/** What Nova's own networks had besides an id and a name, and shows as nothing of Neutron's. */
const lost = [...["cidr", "netmask", "gateway", "broadcast", "dns1", "dns2", "cidr_v6", "gateway_v6"]];
const lostForAdmins = [
  ...["created_at", "updated_at", "deleted_at", "deleted", "injected", "bridge", "vlan", "vpn_public_address"],
  ...["vpn_public_port", "vpn_private_address", "dhcp_start", "project_id", "host", "bridge_interface", "multi_host"],
  ...["priority", "rxtx_base", "mtu", "dhcp_server", "enable_dhcp", "share_address"],
];
const nothing = (names: string[]) => Object.fromEntries(names.map((name) => [name, null]));

/** What Neutron shows the scope, by id. */
const networksSeenBy = (tables: NetworkTables, scope: Scope): Network[] =>
  tables.networks
    .list((network) => isVisible(networks, tables, scope, network))
    .toSorted((one, other) => (one.id < other.id ? -1 : 1));

const poolsSeenBy = (tables: NetworkTables, scope: Scope): Network[] =>
  networksSeenBy(tables, scope).filter(({ external }) => external);

const nameOf = ({ id, name }: Network): string => name || id;

/** The one external network that the scope sees by this id or name. @throws ApiError 404 for none, 500 for several of one name, as Nova */
function poolOf(tables: NetworkTables, scope: Scope, wanted: string): Network {
  const key = isUuid(wanted) ? "id" : "name";
  const [pool, ...others] = poolsSeenBy(tables, scope).filter((network) => network[key] === wanted);
  if (pool === undefined) throw nova.missing("Floating IP pool not found.");
  if (others.length > 0) throw nova.unexpected("nova.exception.NovaException");
  return pool;
}

/** Nova's own ways to Neutron, gone since 2.36: networks, floating IPs and their pools. */
export function proxiedNetworkRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { tables } = context;
  const seen = (scope: Scope) => networksSeenBy(tables, scope);
  const one = (scope: Scope, id: string): Network => {
    const network = seen(scope).find((each) => each.id === id);
    if (network === undefined) throw nova.missing("Network not found");
    return network;
  };
  const views = {
    "/os-networks": ({ id, name }: Network, scope: Scope) => ({
      ...{ id, ...nothing(lost), label: name, netmask_v6: null },
      ...(isAdmin(scope) ? nothing(lostForAdmins) : {}),
    }),
    // in Nova's own words
    "/os-tenant-networks": ({ id, name }: Network) => ({ id, cidr: "None", label: name }),
  };
  for (const [path, view] of Object.entries(views)) {
    app.get(path, (request) => {
      untilMicroversion(request, 35);
      return { networks: seen(request.scope).map((network) => view(network, request.scope)) };
    });
    app.get<One>(`${path}/:id`, (request) => {
      untilMicroversion(request, 35);
      return { network: view(one(request.scope, request.params.id), request.scope) };
    });
    app.post(path, gone);
    app.delete(`${path}/:id`, gone);
  }
  app.post("/os-networks/add", gone);
  app.post("/os-networks/:id/action", gone);

  app.get("/os-floating-ip-pools", (request) => {
    untilMicroversion(request, 35);
    return { floating_ip_pools: poolsSeenBy(tables, request.scope).map((pool) => ({ name: nameOf(pool) })) };
  });
  floatingIpRoutes(app, context);
}

function floatingIpRoutes(app: FastifyInstance, { store, tables, servers, reconcile }: ComputeContext): void {
  const path = "/os-floating-ips";
  const view = ({ id, address: ip, networkId, fixedIp: fixed_ip, portId }: FloatingIp) => {
    const network = tables.networks.get(networkId);
    return {
      ...{ id, ip, fixed_ip },
      instance_id: servers.find(({ nics }) => nics.some((nic) => nic.portId === portId))?.id ?? null,
      pool: network === undefined ? "" : nameOf(network),
    };
  };
  const own = (scope: Scope, id: string): FloatingIp => {
    const floating = tables.floatingIps.get(id);
    if (floating === undefined || !owns(scope, floating.projectId)) {
      throw nova.missing(`Floating IP not found for ID ${id}`);
    }
    return floating;
  };

  app.get(path, (request) => {
    untilMicroversion(request, 35);
    return { floating_ips: tables.floatingIps.list((item) => item.projectId === request.scope.project?.id).map(view) };
  });
  app.get<One>(`${path}/:id`, (request) => {
    untilMicroversion(request, 35);
    return { floating_ip: view(own(request.scope, request.params.id)) };
  });
  app.post(path, async (request) => {
    untilMicroversion(request, 35);
    const { pool } = (request.body ?? {}) as { pool?: string | null };
    const { id: networkId } = poolOf(tables, request.scope, pool || externalNetworkName);
    const made = store.transaction(() => allocate(request.scope, networkId, pool));
    await reconcile();
    return { floating_ip: view(made) };
  });
  app.delete<One>(`${path}/:id`, async (request, reply) => {
    untilMicroversion(request, 35);
    store.transaction(() => floatingIps.remove(tables, own(request.scope, request.params.id)));
    await reconcile();
    return reply.code(202).send();
  });

  function allocate(scope: Scope, networkId: string, pool: string | null | undefined): FloatingIp {
    try {
      return createRecord(floatingIps, tables, scope, { floating_network_id: networkId });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 409) throw error;
      const where = pool ? ` in pool ${pool}` : "";
      throw error.type === "OverQuota"
        ? new ApiError(403, `IP allocation over quota${where}.`)
        : nova.missing(`No more floating IPs${where === "" ? " available" : where}.`);
    }
  }
}

function gone(): never {
  throw new ApiError(410, "This resource is no longer available. No forwarding address is given.");
}

/** What Nova had once and took away, at every microversion. */
const takenAway = [
  ...[
    "os-fping",
    "os-cloudpipe",
    "os-agents",
    "os-cells",
    "os-fixed-ips",
    "os-floating-ip-dns",
    "os-floating-ips-bulk",
  ],
  "os-security-group-default-rules",
];

export function takenAwayRoutes(app: FastifyInstance): void {
  for (const name of takenAway) {
    for (const path of [`/${name}`, `/${name}/*`]) app.all(path, gone);
  }
}
