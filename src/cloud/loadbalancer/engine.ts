import type { HealthMonitor, Listener, Member, OperatingStatus, Pool, Traffic } from "./records.ts";

/** A load balancer as the engine must make it. */
export interface BalancerPlan {
  id: string;
  /** IPv4. */
  vip: string;
  /** The subnet's prefix length and gateway; null without one. */
  prefixLength: number;
  gatewayIp: string | null;
  /** Only what is up and lasts: a balancer that is switched off has no listeners. */
  listeners: Listener[];
  pools: (Pool & { members: Member[]; monitor: HealthMonitor | null })[];
}

/** How a balancer does. */
export interface BalancerHealth {
  /** By the member's id. */
  members: Record<string, OperatingStatus>;
  /** By the listener's id, since the balancer was last made or changed. */
  traffic: Record<string, Traffic>;
}

/** The seam below Octavia: what takes connections and spreads them. */
export interface BalancerEngine {
  /**
   * Makes the balancer be as planned; when this resolves it takes connections. Open ones go on. One that is so already is left alone.
   * @param replaced is told how the one did that ran before, where another has taken its place, which counts from 0
   */
  apply(plan: BalancerPlan, replaced: (before: BalancerHealth) => void): Promise<void>;
  /** Ends it with its connections. */
  remove(id: string): Promise<void>;
  /** Removes what is kept of balancers that are no more: the cloud's state may have been replaced. */
  keepOnly(ids: readonly string[]): Promise<void>;
  /** Undefined where it does not run. */
  health(id: string): Promise<BalancerHealth | undefined>;
}
