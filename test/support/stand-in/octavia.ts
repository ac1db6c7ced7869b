import { randomUUID } from "node:crypto";
import { Refusal, type Reply, type Request, type Service } from "./server.ts";

/*
 * Octavia's API as far as the provider's load balancing kinds use it. It keeps state, does one thing of a load balancer at a time, and
 * is as strict as the real one. Every status, message and field here was answered by Octavia 19.0.0 itself (octavia-api with its noop
 * provider, its statuses moved on by hand): 201/200/202/204, the 400s, both forms of the 409 for a busy load balancer and the 409s that
 * do not pass, 404, defaults, and null as reset, which tags pass over. Not from there: how long something stays PENDING, and ERROR.
 * The lives in test/provider/service-lives.test.ts pass with the real service in its place.
 */

type Json = Record<string, unknown>;

/** One object: what is shown, and whose it is. */
interface Item {
  kind: string;
  lb: string;
  pool?: string;
  view: Json;
}

/** Fields that a create takes with their defaults; null is none. `!` must be given; in `fixed` are those that no update takes. */
interface Kind {
  member: string;
  label: string;
  fields: Json;
  required: string[];
  fixed: string[];
  ids: string[];
}

const kinds: Record<string, Kind> = {
  loadbalancers: {
    member: "loadbalancer",
    label: "Load Balancer",
    fields: {
      name: "",
      description: "",
      admin_state_up: true,
      vip_subnet_id: null,
      vip_network_id: null,
      vip_port_id: null,
      vip_address: null,
      flavor_id: null,
      provider: "amphora",
      availability_zone: null,
      tags: [],
    },
    required: [],
    fixed: [
      "vip_subnet_id",
      "vip_network_id",
      "vip_port_id",
      "vip_address",
      "flavor_id",
      "provider",
      "availability_zone",
    ],
    ids: ["vip_subnet_id", "vip_network_id", "vip_port_id", "flavor_id"],
  },
  listeners: {
    member: "listener",
    label: "Listener",
    fields: {
      name: "",
      description: "",
      admin_state_up: true,
      protocol: null,
      protocol_port: null,
      connection_limit: -1,
      default_tls_container_ref: null,
      sni_container_refs: [],
      default_pool_id: null,
      insert_headers: {},
      timeout_client_data: 50_000,
      timeout_member_connect: 5_000,
      timeout_member_data: 50_000,
      timeout_tcp_inspect: 0,
      allowed_cidrs: null,
      tags: [],
      loadbalancer_id: null,
    },
    required: ["protocol", "protocol_port", "loadbalancer_id"],
    fixed: ["protocol", "protocol_port", "loadbalancer_id"],
    ids: ["default_pool_id", "loadbalancer_id"],
  },
  pools: {
    member: "pool",
    label: "Pool",
    fields: {
      name: "",
      description: "",
      admin_state_up: true,
      protocol: null,
      lb_algorithm: null,
      session_persistence: null,
      loadbalancer_id: null,
      listener_id: null,
      tags: [],
    },
    required: ["protocol", "lb_algorithm"],
    fixed: ["protocol", "loadbalancer_id", "listener_id"],
    ids: ["loadbalancer_id", "listener_id"],
  },
  members: {
    member: "member",
    label: "Member",
    fields: {
      name: "",
      admin_state_up: true,
      address: null,
      protocol_port: null,
      weight: 1,
      backup: false,
      subnet_id: null,
      monitor_address: null,
      monitor_port: null,
      tags: [],
    },
    required: ["address", "protocol_port"],
    fixed: ["address", "protocol_port", "subnet_id"],
    ids: ["subnet_id"],
  },
  healthmonitors: {
    member: "healthmonitor",
    label: "Health Monitor",
    fields: {
      name: "",
      admin_state_up: true,
      type: null,
      delay: null,
      timeout: null,
      max_retries: null,
      max_retries_down: 3,
      http_method: null,
      url_path: null,
      expected_codes: null,
      pool_id: null,
      tags: [],
    },
    required: ["pool_id", "type", "delay", "timeout", "max_retries"],
    fixed: ["pool_id", "type"],
    ids: ["pool_id"],
  },
};

/** Defaults of monitors that speak HTTP. */
const httpDefaults = { http_method: "GET", url_path: "/", expected_codes: "200" };

export interface OctaviaOptions {
  projectId: string;
  /** Makes the port that has a load balancer's address. */
  makePort(subnetId: string): Promise<{ id: string; address: string }>;
  /** How long a change takes, milliseconds. */
  pendingMs?: number;
}

export class Octavia implements Service {
  readonly prefix = "/octavia/v2.0/lbaas";
  /** Set: the next object that is made ends in ERROR, and its load balancer with it. */
  breakNext = false;
  readonly #items = new Map<string, Item>();
  /** When the change of a load balancer is done; by its id. */
  readonly #busy = new Map<string, number>();
  readonly #options: OctaviaOptions;

  constructor(options: OctaviaOptions) {
    this.#options = options;
  }

  async answer({ method, path, query, json = {} }: Request): Promise<Reply> {
    this.#moveOn();
    const inPool = path[0] === "pools" && path[2] === "members";
    const [collection = "", id] = inPool ? ["members", path[3]] : path;
    const pool = inPool ? this.#find("pools", path[1] ?? "") : undefined;
    const kind = kinds[collection];
    if (kind === undefined) return { status: 404, body: "" };
    if (method === "GET" && id === undefined) return this.#list(collection, query, path[1]);
    if (method === "GET") return this.#one(200, this.#find(collection, id ?? ""));
    if (method === "POST") return this.#create(collection, (json[kind.member] ?? {}) as Json, pool);
    if (method === "PUT" && id === undefined && pool) return this.#replaceMembers(pool, json.members as Json[]);
    const item = this.#find(collection, id ?? "");
    if (method === "PUT") return this.#update(item, (json[kind.member] ?? {}) as Json);
    return method === "DELETE" ? this.#delete(item) : { status: 405 };
  }

  /** As if something had happened to a load balancer by itself. */
  setStatus(id: string, status: "ACTIVE" | "ERROR"): void {
    this.#find("loadbalancers", id).view.provisioning_status = status;
  }

  /** Finishes what has taken its time. */
  #moveOn(): void {
    for (const [lb, until] of this.#busy) {
      if (until > performance.now()) continue;
      this.#busy.delete(lb);
      for (const [id, item] of this.#items) {
        if (item.lb !== lb) continue;
        const status = item.view.provisioning_status;
        if (status === "PENDING_DELETE") this.#items.delete(id);
        else if (item.view.broken === true) item.view.provisioning_status = "ERROR";
        else if (status !== "ERROR") item.view.provisioning_status = "ACTIVE";
      }
    }
  }

  #find(collection: string, id: string): Item {
    const item = this.#items.get(id);
    if (item?.kind === collection) return item;
    throw refusal(404, `${kinds[collection]?.label} ${id} not found.`);
  }

  #of(collection: string, lb: string): Item[] {
    return [...this.#items.values()].filter((item) => item.kind === collection && item.lb === lb);
  }

  /** Takes the load balancer for one change. */
  #begin(lbId: string, item: Item | undefined, status: string, around: (Item | undefined)[] = []): void {
    const lb = this.#find("loadbalancers", lbId);
    for (const one of [lb, ...around]) if (one !== undefined) one.view.provisioning_status = "PENDING_UPDATE";
    if (item !== undefined) item.view.provisioning_status = status;
    if (this.breakNext && status === "PENDING_CREATE") {
      this.breakNext = false;
      for (const one of [lb, item]) if (one !== undefined) one.view.broken = true;
    }
    this.#busy.set(lbId, performance.now() + (this.#options.pendingMs ?? 60));
  }

  #demandMutable(lbId: string, label: string, id: string): void {
    const lb = this.#find("loadbalancers", lbId);
    if (lb.view.provisioning_status !== "ACTIVE")
      throw refusal(409, `${label} ${id} is immutable and cannot be updated.`);
  }

  #one(status: number, item: Item): Reply {
    return { status, body: { [kinds[item.kind]?.member ?? ""]: this.#view(item) } };
  }

  #view({ kind, view }: Item): Json {
    const { broken: _, ...shown } = view;
    const ids = (collection: string, fits: (item: Item) => boolean) =>
      [...this.#items.values()]
        .filter((one) => one.kind === collection && fits(one))
        .map((one) => ({ id: one.view.id }));
    const id = view.id as string;
    if (kind === "loadbalancers") {
      return {
        ...shown,
        listeners: ids("listeners", (one) => one.lb === id),
        pools: ids("pools", (one) => one.lb === id),
      };
    }
    if (kind === "pools") return { ...shown, members: ids("members", (one) => one.pool === id) };
    return shown;
  }

  #list(collection: string, query: URLSearchParams, poolId: string | undefined): Reply {
    const views = [...this.#items.values()]
      .filter((item) => item.kind === collection && (collection !== "members" || item.pool === poolId))
      .map((item) => this.#view(item))
      .filter((view) => [...query].every(([name, value]) => String(view[name]) === value));
    return { status: 200, body: { [collection]: views, [`${collection}_links`]: [] } };
  }

  async #create(collection: string, given: Json, pool: Item | undefined): Promise<Reply> {
    const kind = kinds[collection] as Kind;
    const taken = checked(kind, given);
    for (const name of kind.required) {
      if (taken[name] === null) {
        throw refusal(400, `Invalid input for field/attribute ${name}. Value: 'None'. Mandatory field missing.`);
      }
    }
    const listener = typeof taken.listener_id === "string" ? this.#find("listeners", taken.listener_id) : undefined;
    const parent = pool ?? (typeof taken.pool_id === "string" ? this.#find("pools", taken.pool_id) : undefined);
    const lbId = (taken.loadbalancer_id as string | null) ?? listener?.lb ?? parent?.lb;
    const view: Json = {
      id: randomUUID(),
      ...taken,
      provisioning_status: "PENDING_CREATE",
      operating_status: "OFFLINE",
      project_id: this.#options.projectId,
      tenant_id: this.#options.projectId,
      created_at: new Date().toISOString().slice(0, -1),
      updated_at: null,
    };
    for (const name of ["loadbalancer_id", "listener_id", "pool_id"]) delete view[name];
    if (collection === "loadbalancers") return this.#createLoadBalancer(view);
    if (lbId === undefined) {
      throw refusal(400, "Validation failure: Must provide at least one of: loadbalancer_id, listener_id");
    }
    this.#find("loadbalancers", lbId);
    this.#refuseSecond(collection, taken, lbId, listener, parent);
    const label = parent === undefined ? "Load Balancer" : "Pool";
    this.#demandMutable(lbId, label, (parent?.view.id as string | undefined) ?? lbId);
    if (collection === "healthmonitors") completeMonitor(view);
    if (collection !== "members" && collection !== "healthmonitors") view.loadbalancers = [{ id: lbId }];
    if (collection === "pools") view.listeners = listener === undefined ? [] : [{ id: listener.view.id }];
    if (collection === "healthmonitors") view.pools = [{ id: parent?.view.id }];
    const item: Item = { kind: collection, lb: lbId, view, ...(parent && { pool: parent.view.id as string }) };
    this.#items.set(view.id as string, item);
    if (listener !== undefined) listener.view.default_pool_id = view.id;
    this.#begin(lbId, item, "PENDING_CREATE", [listener, parent]);
    return this.#one(201, item);
  }

  async #createLoadBalancer(view: Json): Promise<Reply> {
    if (view.vip_subnet_id === null && view.vip_network_id === null && view.vip_port_id === null) {
      throw refusal(400, "Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.");
    }
    if (view.availability_zone !== null) throw refusal(400, "Validation failure: Invalid availability zone.");
    const port = await this.#options.makePort(String(view.vip_subnet_id));
    const id = view.id as string;
    const item: Item = {
      kind: "loadbalancers",
      lb: id,
      view: { ...view, vip_port_id: port.id, vip_address: port.address, tags: [...(view.tags as string[])].sort() },
    };
    this.#items.set(id, item);
    this.#begin(id, item, "PENDING_CREATE");
    return this.#one(201, item);
  }

  /** The conflicts that do not pass by themselves. */
  #refuseSecond(collection: string, taken: Json, lbId: string, listener?: Item, pool?: Item): void {
    const { protocol, protocol_port: port, address } = taken;
    if (collection === "listeners") {
      const same = this.#of("listeners", lbId).some(
        ({ view }) => view.protocol === protocol && view.protocol_port === port,
      );
      if (!same) return;
      throw refusal(
        409,
        `Another Listener on this Load Balancer is already using protocol ${protocol} and protocol_port ${port}`,
      );
    }
    if (collection === "pools" && typeof listener?.view.default_pool_id === "string") {
      throw refusal(409, "This listener already has a default pool");
    }
    const siblings = this.#of(collection, lbId).filter((item) => item.pool === pool?.view.id);
    if (collection === "healthmonitors" && siblings.length > 0) {
      throw refusal(409, "This pool already has a health monitor");
    }
    if (
      collection === "members" &&
      siblings.some(({ view }) => view.address === address && view.protocol_port === port)
    ) {
      throw refusal(409, `Another member on this pool is already using ip ${address} on protocol_port ${port}`);
    }
  }

  #update(item: Item, given: Json): Reply {
    const kind = kinds[item.kind] as Kind;
    const taken = checked(kind, given, true);
    if (typeof taken.default_pool_id === "string") this.#find("pools", taken.default_pool_id);
    this.#demandOwnMutable(item);
    Object.assign(item.view, taken, { updated_at: new Date().toISOString().slice(0, -1) });
    if (item.kind === "healthmonitors") completeMonitor(item.view);
    this.#begin(item.lb, item, "PENDING_UPDATE", [this.#items.get(item.pool ?? "")]);
    return this.#one(200, item);
  }

  #demandOwnMutable(item: Item): void {
    const { id, provisioning_status: status } = item.view;
    if (item.kind !== "loadbalancers") {
      this.#demandMutable(item.lb, item.pool === undefined ? "Load Balancer" : "Pool", item.pool ?? item.lb);
    } else if (String(status).startsWith("PENDING_")) {
      throw refusal(409, `Invalid state ${status} of loadbalancer resource ${id}`);
    }
  }

  #delete(item: Item): Reply {
    const id = item.view.id as string;
    const children = ["listeners", "pools"].flatMap((collection) => this.#of(collection, id));
    if (item.kind === "loadbalancers" && children.length > 0) {
      throw refusal(400, `Validation failure: Cannot delete Load Balancer ${id} - it has children`);
    }
    this.#demandOwnMutable(item);
    for (const one of this.#items.values()) {
      if (one.view.default_pool_id === id) one.view.default_pool_id = null;
      if (one.pool === id) one.view.provisioning_status = "PENDING_DELETE";
      const listeners = one.view.listeners as { id: string }[] | undefined;
      if (one.kind === "pools" && item.kind === "listeners") one.view.listeners = listeners?.filter((l) => l.id !== id);
    }
    this.#begin(item.lb, undefined, "", [this.#items.get(item.pool ?? "")]);
    item.view.provisioning_status = "PENDING_DELETE";
    return { status: 204 };
  }

  #replaceMembers(pool: Item, wanted: Json[]): Reply {
    const taken = wanted.map((one) => checked(kinds.members as Kind, one));
    const poolId = pool.view.id as string;
    this.#demandMutable(pool.lb, "Pool", poolId);
    const present = this.#of("members", pool.lb).filter((one) => one.pool === poolId);
    const same = (view: Json, one: Json) => view.address === one.address && view.protocol_port === one.protocol_port;
    for (const one of taken) {
      const old = present.find(({ view }) => same(view, one));
      const view = { operating_status: "NO_MONITOR", project_id: this.#options.projectId, ...old?.view, ...one };
      const id = (old?.view.id as string | undefined) ?? randomUUID();
      const status = old === undefined ? "PENDING_CREATE" : "PENDING_UPDATE";
      this.#items.set(id, {
        kind: "members",
        lb: pool.lb,
        pool: poolId,
        view: { id, ...view, provisioning_status: status },
      });
    }
    for (const { view } of present.filter((old) => !taken.some((one) => same(old.view, one)))) {
      view.provisioning_status = "PENDING_DELETE";
    }
    this.#begin(pool.lb, undefined, "", [pool]);
    return { status: 202 };
  }
}

/** The fields that are given, checked; a create has all of them, and null stands for a field's default. */
function checked(kind: Kind, given: Json, update = false): Json {
  for (const [name, value] of Object.entries(given)) {
    if (!(name in kind.fields) || (update && kind.fixed.includes(name))) {
      throw refusal(400, `Unknown attribute for argument ${kind.member}_.${kind.member}: ${name}`);
    }
    if (kind.ids.includes(name) && value !== null && !/^[0-9a-f-]{36}$/.test(String(value))) {
      throw refusal(400, `Invalid input for field/attribute ${name}. Value: '${value}'. Value should be UUID format`);
    }
    if (/address$/.test(name) && value === "") {
      throw refusal(400, `Invalid input for field/attribute ${name}. Value: ''. Value should be IPv4 or IPv6 format`);
    }
    if (/_port$/.test(name) && value !== null && Number(value) < 1) {
      throw refusal(
        400,
        `Invalid input for field/attribute ${name}. Value: '${value}'. Value should be greater or equal to 1`,
      );
    }
  }
  const names = update
    ? Object.keys(given).filter((name) => name !== "tags" || given.tags !== null)
    : Object.keys(kind.fields);
  const taken = Object.fromEntries(names.map((name) => [name, given[name] ?? kind.fields[name]]));
  if (Array.isArray(taken.allowed_cidrs) && taken.allowed_cidrs.length === 0) taken.allowed_cidrs = null;
  const persistence = taken.session_persistence as { type?: string; cookie_name?: string } | null | undefined;
  if (persistence?.type === "APP_COOKIE" && !persistence.cookie_name) {
    throw refusal(
      400,
      'Validation failure: Field "cookie_name" must be specified when using the "APP_COOKIE" session persistence type.',
    );
  }
  if (persistence) {
    const none = { cookie_name: null, persistence_timeout: null, persistence_granularity: null };
    taken.session_persistence = { ...none, ...persistence };
  }
  return taken;
}

function completeMonitor(view: Json): void {
  const isHttp = view.type === "HTTP" || view.type === "HTTPS";
  for (const [name, value] of Object.entries(httpDefaults)) {
    if (isHttp) view[name] ??= value;
    else if (view[name] !== null) {
      throw refusal(400, `${name} is not a valid option for health monitors of type ${view.type}`);
    }
  }
}

function refusal(status: number, words: string): Refusal {
  return new Refusal(status, { faultcode: "Client", faultstring: words, debuginfo: null });
}
