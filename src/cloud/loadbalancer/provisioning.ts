import { messageOf } from "../../common/errors.ts";
import { Turns } from "../../common/turns.ts";
import { gatewayInside } from "../network/ip.ts";
import { prefixLength } from "../network/linux/addresses.ts";
import type { NetworkTables } from "../network/records.ts";
import type { Collection, Store } from "../store/store.ts";
import type { BalancerEngine, BalancerHealth, BalancerPlan } from "./engine.ts";
import { operatingStatuses } from "./operating-status.ts";
import {
  type BalancerRecord,
  type BalancerTables,
  type Family,
  familyOf,
  type Listener,
  type LoadBalancer,
  now,
  type Traffic,
} from "./records.ts";
import { removeVip } from "./vip.ts";

export interface ProvisioningParts {
  store: Store;
  balancers: BalancerTables;
  tables: NetworkTables;
  /** Absent with pretended guests: then balancers are records. */
  engine: BalancerEngine | undefined;
  reconcile: () => Promise<void>;
  log: (line: string) => void;
}

/** How often balancers are looked at. */
const lookIntervalMs = 3000;

const quiet: Traffic = { bytes_in: 0, bytes_out: 0, active_connections: 0, total_connections: 0, request_errors: 0 };

/** Brings load balancers behind the answers to what was promised; what was promised before a restart is taken up after it. */
export class Provisioning {
  readonly #parts: ProvisioningParts;
  readonly #turns = new Turns();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ProvisioningParts) {
    this.#parts = parts;
  }

  /** Does what the balancer's records promise: whatever is pending of it is made, changed or removed. */
  begin(id: string): void {
    void this.#turns.run(id, () => this.#settle(id)).catch((error: unknown) => this.#parts.log(messageOf(error)));
  }

  /** Takes up what was left, and has every balancer run that should. */
  recover(): void {
    const { balancers, engine, log } = this.#parts;
    const ids = balancers.loadBalancers.list().map(({ id }) => id);
    for (const id of ids) this.begin(id);
    if (engine === undefined) return;
    engine.keepOnly(ids).catch((error: unknown) => log(messageOf(error)));
    this.#timer = setInterval(() => this.#look(), lookIntervalMs);
    this.#timer.unref();
  }

  idle(): Promise<void> {
    return this.#turns.idle();
  }

  close(): Promise<void> {
    clearInterval(this.#timer);
    return this.idle();
  }

  /** What a listener has counted in all. */
  async trafficOf(listeners: readonly Listener[]): Promise<Traffic> {
    const owners = [...new Set(listeners.map(({ loadbalancer_id }) => loadbalancer_id))];
    const healths = await Promise.all(owners.map((id) => this.#parts.engine?.health(id)));
    const running = Object.assign({}, ...healths.map((health) => health?.traffic ?? {})) as Record<string, Traffic>;
    return listeners.map(({ id, counted }) => sum(counted, running[id] ?? quiet)).reduce(sum, quiet);
  }

  async #settle(id: string): Promise<void> {
    const { balancers, tables, engine, reconcile, log } = this.#parts;
    const balancer = balancers.loadBalancers.get(id);
    if (balancer === undefined) return;
    // what is promised from here on is the next turn's
    const family = familyOf(balancers, id);
    try {
      if (balancer.provisioning_status === "PENDING_DELETE") return await this.#remove(balancer);
      await reconcile();
      await engine?.apply(balancerPlan(tables, balancer, family), (health) => this.#keepCounts(id, health));
      this.#finish(balancer, family, "ACTIVE");
    } catch (error) {
      log(`load balancer ${id} failed: ${messageOf(error)}`);
      this.#finish(balancer, family, "ERROR");
    }
    await this.#observe(id, await engine?.health(id));
  }

  async #remove(balancer: LoadBalancer): Promise<void> {
    const { store, balancers, tables, engine, reconcile } = this.#parts;
    await engine?.remove(balancer.id);
    store.transaction(() => {
      const { members, healthMonitors, listeners, pools } = familyOf(balancers, balancer.id);
      for (const { id } of members) balancers.members.delete(id);
      for (const { id } of healthMonitors) balancers.healthMonitors.delete(id);
      for (const { id } of listeners) balancers.listeners.delete(id);
      for (const { id } of pools) balancers.pools.delete(id);
      balancers.loadBalancers.delete(balancer.id);
      removeVip(tables, balancer);
    });
    await reconcile();
  }

  /** Whatever of it was pending is done; what became pending meanwhile is not. */
  #finish(balancer: LoadBalancer, family: Family, outcome: "ACTIVE" | "ERROR"): void {
    const { store, balancers } = this.#parts;
    const settle = <T extends BalancerRecord>(table: Collection<T>, records: readonly T[]) => {
      for (const { id, provisioning_status: status } of records) {
        const record = table.get(id);
        if (record?.provisioning_status !== status) continue;
        if (status === "PENDING_DELETE" && outcome === "ACTIVE") table.delete(id);
        else if (status !== "ACTIVE") table.put({ ...record, provisioning_status: outcome, updated_at: now() });
      }
    };
    store.transaction(() => {
      settle(balancers.members, family.members);
      settle(balancers.healthMonitors, family.healthMonitors);
      settle(balancers.listeners, family.listeners);
      settle(balancers.pools, family.pools);
      settle(balancers.loadBalancers, [balancer]);
    });
  }

  /** What was counted until the engine begins anew. */
  #keepCounts(id: string, { traffic }: BalancerHealth): void {
    const { store, balancers } = this.#parts;
    store.transaction(() => {
      for (const listener of balancers.listeners.list(({ loadbalancer_id }) => loadbalancer_id === id)) {
        const counted = sum(listener.counted, traffic[listener.id] ?? quiet);
        balancers.listeners.put({ ...listener, counted: { ...counted, active_connections: 0 } });
      }
    });
  }

  #look(): void {
    const { balancers, engine, log } = this.#parts;
    const look = async ({ id }: LoadBalancer) => {
      const health = await engine?.health(id);
      // one that ended by itself is started again
      return health === undefined ? this.#settle(id) : this.#observe(id, health);
    };
    for (const balancer of balancers.loadBalancers.list((one) => one.provisioning_status === "ACTIVE")) {
      void this.#turns.run(balancer.id, () => look(balancer)).catch((error: unknown) => log(messageOf(error)));
    }
  }

  async #observe(id: string, health: BalancerHealth | undefined): Promise<void> {
    const { store, balancers } = this.#parts;
    store.transaction(() => {
      const balancer = balancers.loadBalancers.get(id);
      if (balancer === undefined) return;
      const family = familyOf(balancers, id);
      const statuses = operatingStatuses(balancer, family, health);
      const note = <T extends BalancerRecord>(table: Collection<T>, records: readonly T[]) => {
        for (const record of records) {
          const operating_status = statuses[record.id] ?? record.operating_status;
          if (operating_status !== record.operating_status) table.put({ ...record, operating_status });
        }
      };
      note(balancers.loadBalancers, [balancer]);
      note(balancers.listeners, family.listeners);
      note(balancers.pools, family.pools);
      note(balancers.members, family.members);
      note(balancers.healthMonitors, family.healthMonitors);
    });
  }
}

/** What the engine shall make of the records: all but what is on its way out. */
function balancerPlan({ subnets }: NetworkTables, balancer: LoadBalancer, family: Family): BalancerPlan {
  const lasts = (record: BalancerRecord) => record.provisioning_status !== "PENDING_DELETE";
  const isOn = (record: BalancerRecord) => lasts(record) && record.admin_state_up;
  const subnet = subnets.get(balancer.vip_subnet_id);
  return {
    id: balancer.id,
    vip: balancer.vip_address,
    prefixLength: subnet === undefined ? 32 : prefixLength(subnet.cidr),
    gatewayIp: subnet === undefined ? null : gatewayInside(subnet),
    listeners: balancer.admin_state_up ? family.listeners.filter(isOn) : [],
    pools: family.pools.filter(isOn).map((pool) => ({
      ...pool,
      members: family.members.filter((member) => member.pool_id === pool.id && lasts(member)),
      monitor: family.healthMonitors.find((one) => one.pool_id === pool.id && isOn(one)) ?? null,
    })),
  };
}

function sum(one: Traffic, other: Traffic): Traffic {
  const keys = Object.keys(quiet) as (keyof Traffic)[];
  return Object.fromEntries(keys.map((key) => [key, one[key] + other[key]])) as unknown as Traffic;
}
