import { now as clockNow } from "../clock/clock.ts";
import type { Collection, Store } from "../store/store.ts";

/** Octavia's moments have no zone. */
export function now(): string {
  return new Date(clockNow()).toISOString().slice(0, 19);
}

type ProvisioningStatus = "ACTIVE" | "ERROR" | "PENDING_CREATE" | "PENDING_UPDATE" | "PENDING_DELETE";

/** `NO_MONITOR` and `DRAINING` are members' alone. */
export type OperatingStatus = "ONLINE" | "OFFLINE" | "DEGRADED" | "ERROR" | "NO_MONITOR" | "DRAINING";

/** What every Octavia resource has. All records are in the API's own form. */
export interface BalancerRecord {
  id: string;
  project_id: string;
  name: string;
  admin_state_up: boolean;
  provisioning_status: ProvisioningStatus;
  operating_status: OperatingStatus;
  created_at: string;
  updated_at: string | null;
  tags: string[];
}

export interface LoadBalancer extends BalancerRecord {
  description: string;
  vip_address: string;
  vip_port_id: string;
  vip_subnet_id: string;
  vip_network_id: string;
  /** Whether the port was made for it and goes with it; not shown. */
  ownsPort: boolean;
  /** The security group that lets its clients in; not shown. */
  securityGroupId: string;
}

/** Counters of a listener, as HAProxy keeps them. */
export interface Traffic {
  bytes_in: number;
  bytes_out: number;
  active_connections: number;
  total_connections: number;
  request_errors: number;
}

export interface Listener extends BalancerRecord {
  description: string;
  loadbalancer_id: string;
  protocol: "HTTP" | "HTTPS" | "TCP";
  protocol_port: number;
  connection_limit: number;
  default_pool_id: string | null;
  insert_headers: Record<string, string>;
  /** Milliseconds, as all of its timeouts. */
  timeout_client_data: number;
  timeout_member_connect: number;
  timeout_member_data: number;
  timeout_tcp_inspect: number;
  allowed_cidrs: string[] | null;
  /** What it counted before the balancer was last reloaded, since that begins anew; not shown. */
  counted: Traffic;
}

export interface SessionPersistence {
  type: "SOURCE_IP" | "HTTP_COOKIE" | "APP_COOKIE";
  cookie_name: string | null;
  persistence_timeout: null;
  persistence_granularity: null;
}

export interface Pool extends BalancerRecord {
  description: string;
  loadbalancer_id: string;
  protocol: "HTTP" | "HTTPS" | "PROXY" | "PROXYV2" | "TCP";
  lb_algorithm: "ROUND_ROBIN" | "LEAST_CONNECTIONS" | "SOURCE_IP";
  session_persistence: SessionPersistence | null;
  /** Whether members are spoken to by TLS; their certificates are not looked at. */
  tls_enabled: boolean;
}

export interface Member extends BalancerRecord {
  pool_id: string;
  address: string;
  protocol_port: number;
  weight: number;
  backup: boolean;
  subnet_id: string | null;
  monitor_address: string | null;
  monitor_port: number | null;
}

export interface HealthMonitor extends BalancerRecord {
  pool_id: string;
  type: "HTTP" | "HTTPS" | "TCP" | "TLS-HELLO";
  /** Seconds, as the timeout. */
  delay: number;
  timeout: number;
  max_retries: number;
  max_retries_down: number;
  /** Null where the type has none; the same with the next. */
  http_method: string | null;
  url_path: string | null;
  expected_codes: string | null;
  http_version: number | null;
  domain_name: string | null;
}

/** What a project may have, where an administrator said so; its id is the project's. */
interface BalancerQuota {
  id: string;
  limits: Record<string, number>;
}

/** Octavia's tables. */
export interface BalancerTables {
  loadBalancers: Collection<LoadBalancer>;
  listeners: Collection<Listener>;
  pools: Collection<Pool>;
  members: Collection<Member>;
  healthMonitors: Collection<HealthMonitor>;
  quotas: Collection<BalancerQuota>;
}

export function balancerTables(store: Store): BalancerTables {
  return {
    loadBalancers: store.collection("load-balancer"),
    listeners: store.collection("load-balancer-listener"),
    pools: store.collection("load-balancer-pool"),
    members: store.collection("load-balancer-member"),
    healthMonitors: store.collection("load-balancer-monitor"),
    quotas: store.collection("load-balancer-quota"),
  };
}

/** Everything that belongs to a load balancer, itself last. */
export interface Family {
  members: Member[];
  healthMonitors: HealthMonitor[];
  listeners: Listener[];
  pools: Pool[];
}

export function familyOf(tables: BalancerTables, loadBalancerId: string): Family {
  const pools = tables.pools.list((pool) => pool.loadbalancer_id === loadBalancerId);
  const ids = new Set(pools.map(({ id }) => id));
  return {
    pools,
    listeners: tables.listeners.list((listener) => listener.loadbalancer_id === loadBalancerId),
    members: tables.members.list((member) => ids.has(member.pool_id)),
    healthMonitors: tables.healthMonitors.list((monitor) => ids.has(monitor.pool_id)),
  };
}
