import type {
  BalancerRecord,
  BalancerTables,
  Family,
  HealthMonitor,
  Listener,
  LoadBalancer,
  Member,
  Pool,
} from "./records.ts";
import { familyOf } from "./records.ts";

const ids = (records: readonly { id: string }[]) => records.map(({ id }) => ({ id }));

export function loadBalancerView(tables: BalancerTables, balancer: LoadBalancer) {
  const { listeners, pools } = familyOf(tables, balancer.id);
  return { ...bareLoadBalancer(balancer), listeners: ids(listeners), pools: ids(pools) };
}

/** With everything below it told whole, as the answer to its making has it. */
export function fullLoadBalancerView(tables: BalancerTables, balancer: LoadBalancer) {
  const family = familyOf(tables, balancer.id);
  return {
    ...bareLoadBalancer(balancer),
    listeners: family.listeners.map(bareListener),
    pools: family.pools.map((pool) => {
      const { healthmonitor_id: _id, loadbalancers: _owner, ...view } = poolView(tables, pool);
      const monitor = family.healthMonitors.find(({ pool_id }) => pool_id === pool.id);
      return {
        ...view,
        members: family.members.filter(({ pool_id }) => pool_id === pool.id).map(memberView),
        healthmonitor: monitor === undefined ? null : bareMonitor(monitor),
      };
    }),
  };
}

function bareLoadBalancer({ ownsPort: _port, securityGroupId: _group, ...shown }: LoadBalancer) {
  return {
    ...shown,
    tenant_id: shown.project_id,
    vip_qos_policy_id: null,
    additional_vips: [],
    provider: "amphora",
    flavor_id: null,
    availability_zone: null,
  };
}

export function listenerView(listener: Listener) {
  return { ...bareListener(listener), loadbalancers: [{ id: listener.loadbalancer_id }] };
}

function bareListener({ loadbalancer_id: _owner, counted: _traffic, ...shown }: Listener) {
  return {
    ...shown,
    tenant_id: shown.project_id,
    default_tls_container_ref: null,
    sni_container_refs: [],
    l7policies: [],
    client_ca_tls_container_ref: null,
    client_authentication: "NONE",
    client_crl_container_ref: null,
    tls_ciphers: null,
    tls_versions: null,
    alpn_protocols: null,
  };
}

export function poolView(tables: BalancerTables, pool: Pool) {
  const { loadbalancer_id, ...shown } = pool;
  const monitor = tables.healthMonitors.find(({ pool_id }) => pool_id === pool.id);
  return {
    ...shown,
    tenant_id: pool.project_id,
    loadbalancers: [{ id: loadbalancer_id }],
    listeners: ids(tables.listeners.list(({ default_pool_id }) => default_pool_id === pool.id)),
    members: ids(tables.members.list(({ pool_id }) => pool_id === pool.id)),
    ...(monitor === undefined ? {} : { healthmonitor_id: monitor.id }),
    tls_container_ref: null,
    ca_tls_container_ref: null,
    crl_container_ref: null,
    tls_ciphers: null,
    tls_versions: null,
    alpn_protocols: null,
  };
}

export function memberView({ pool_id: _pool, ...shown }: Member) {
  return { ...shown, tenant_id: shown.project_id };
}

export function monitorView(monitor: HealthMonitor) {
  return { ...bareMonitor(monitor), pools: [{ id: monitor.pool_id }] };
}

function bareMonitor({ pool_id: _pool, ...shown }: HealthMonitor) {
  return { ...shown, tenant_id: shown.project_id };
}

/** The tree of `/status`. */
export function statusTree(tables: BalancerTables, balancer: LoadBalancer) {
  const family = familyOf(tables, balancer.id);
  const listeners = family.listeners.map((listener) => ({
    ...briefly(listener),
    pools: family.pools.filter(({ id }) => id === listener.default_pool_id).map((pool) => poolStatus(family, pool)),
  }));
  return { loadbalancer: { ...briefly(balancer), listeners } };
}

function poolStatus(family: Family, pool: Pool) {
  const monitor = family.healthMonitors.find(({ pool_id }) => pool_id === pool.id);
  return {
    ...briefly(pool),
    ...(monitor === undefined ? {} : { health_monitor: { ...briefly(monitor), type: monitor.type } }),
    members: family.members
      .filter(({ pool_id }) => pool_id === pool.id)
      .map((member) => ({ ...briefly(member), address: member.address, protocol_port: member.protocol_port })),
  };
}

function briefly({ id, name, operating_status, provisioning_status }: BalancerRecord) {
  return { id, name, operating_status, provisioning_status };
}
