import { isIPv4 } from "node:net";
import { z } from "zod";
import { parseCidr } from "../network/ip.ts";

/** A whole number, which Octavia takes as text too: its own client sends some so. */
const whole = (least = Number.MIN_SAFE_INTEGER, most = Number.MAX_SAFE_INTEGER) =>
  z.preprocess(
    (value) => (typeof value === "string" && /^\s*[+-]?\d{1,15}\s*$/.test(value) ? Number(value) : value),
    z.int().min(least).max(most),
  );
const name = z.string().max(255).nullish();
const flag = z.boolean().optional();
const tags = z.array(z.string().max(255)).nullish();
const uuid = z.guid("Value should be UUID format");
const address = z.string().refine((text) => isIPv4(text), "Value should be IPv4 or IPv6 format");
const port = whole(1, 65_535);
const timeout = whole(0, 24 * 24 * 3_600_000).nullish();
/** A path with or without a query, and no host. Octavia lets control characters through, which HAProxy's lines cannot hold. */
const urlPath = z
  .string()
  .max(255)
  .refine(
    (text) => /^(?!\/\/(?!\/))\/[^\s\p{Cc}[\]?#]*(?:[?#][^\s\p{Cc}]*)?$/u.test(text) && text.isWellFormed(),
    "Value must be a valid URL Path string",
  );
const project = z.string().max(36).optional();
const method = z.enum(["GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "PATCH", "CONNECT"]);
/** Certificates are kept by Barbican, which is not there: what names one is refused, `null` is not. */
const noContainer = z.string().max(255).nullish();

const monitorChange = {
  name,
  delay: whole(0).optional(),
  timeout: whole(0).optional(),
  max_retries: whole(1, 10).optional(),
  max_retries_down: whole(1, 10).nullish(),
  http_method: method.nullish(),
  url_path: urlPath.nullish(),
  expected_codes: z
    .string()
    .regex(/^(\d{3}(\s*,\s*\d{3})*)$|^(\d{3}-\d{3})$/)
    .nullish(),
  admin_state_up: flag,
  tags,
  http_version: z.union([z.literal(1), z.literal(1.1)]).nullish(),
  domain_name: z
    .string()
    .min(1)
    .max(255)
    .regex(/^(?=.{1,253}\.?$)(?:(?!-|[^.]+_)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.|$))+$/)
    .nullish(),
};
const monitorParts = {
  ...monitorChange,
  type: z.enum(["HTTP", "HTTPS", "PING", "TCP", "TLS-HELLO", "UDP-CONNECT", "SCTP"]),
  delay: whole(0),
  timeout: whole(0),
  max_retries: whole(1, 10),
};

const memberChange = {
  name,
  admin_state_up: flag,
  weight: whole(0, 256).nullish(),
  backup: z.boolean().nullish(),
  monitor_address: address.nullish(),
  monitor_port: port.nullish(),
  tags,
};
const memberParts = { ...memberChange, address, protocol_port: port, subnet_id: uuid.nullish(), project_id: project };

const persistence = z.strictObject({
  type: z.enum(["SOURCE_IP", "HTTP_COOKIE", "APP_COOKIE"]),
  cookie_name: z
    .string()
    .max(255)
    .regex(/^[^\s,;\\]+$/)
    .nullish(),
  persistence_timeout: whole().nullish(),
  persistence_granularity: address.nullish(),
});
const poolChange = {
  name,
  description: name,
  admin_state_up: flag,
  lb_algorithm: z.enum(["ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP", "SOURCE_IP_PORT"]).optional(),
  session_persistence: persistence.nullish(),
  tags,
  tls_enabled: flag,
  tls_container_ref: noContainer,
  ca_tls_container_ref: noContainer,
  crl_container_ref: noContainer,
  tls_ciphers: z.string().nullish(),
  tls_versions: z.array(z.string()).nullish(),
  alpn_protocols: z.array(z.string()).nullish(),
};
const poolProtocol = z.enum(["HTTP", "HTTPS", "PROXY", "PROXYV2", "TCP", "UDP", "SCTP"]);
const poolParts = {
  ...poolChange,
  protocol: poolProtocol,
  lb_algorithm: poolChange.lb_algorithm.unwrap(),
  healthmonitor: z.strictObject(monitorParts).nullish(),
  members: z.array(z.strictObject(memberParts)).nullish(),
};

const listenerChange = {
  name,
  description: name,
  admin_state_up: flag,
  connection_limit: whole(-1).nullish(),
  default_pool_id: uuid.nullish(),
  insert_headers: z.record(z.string(), z.string().max(255)).nullish(),
  timeout_client_data: timeout,
  timeout_member_connect: timeout,
  timeout_member_data: timeout,
  timeout_tcp_inspect: timeout,
  tags,
  allowed_cidrs: z.array(z.string().refine((text) => parseCidr(text) !== undefined, "is not a CIDR")).nullish(),
  default_tls_container_ref: noContainer,
  sni_container_refs: z.array(z.string()).nullish(),
  client_ca_tls_container_ref: noContainer,
  client_authentication: z.string().nullish(),
  client_crl_container_ref: noContainer,
  tls_ciphers: z.string().nullish(),
  tls_versions: z.array(z.string()).nullish(),
  alpn_protocols: z.array(z.string()).nullish(),
  hsts_max_age: whole(0).nullish(),
  hsts_include_subdomains: flag,
  hsts_preload: flag,
};
const listenerParts = {
  ...listenerChange,
  protocol: z.enum(["HTTP", "HTTPS", "TCP", "TERMINATED_HTTPS", "UDP", "SCTP", "PROMETHEUS"]),
  protocol_port: port,
  l7policies: z.array(z.unknown()).nullish(),
};

const loadBalancerChange = {
  name,
  description: name,
  admin_state_up: flag,
  vip_qos_policy_id: uuid.nullish(),
  vip_sg_ids: z.array(uuid).nullish(),
  tags,
};

/** Within a load balancer that is made at once a pool may be named only. */
const namedPool = z.strictObject({
  ...poolParts,
  protocol: poolProtocol.optional(),
  lb_algorithm: poolChange.lb_algorithm,
});

export const bodies = {
  loadBalancer: {
    create: z.object({
      loadbalancer: z.strictObject({
        ...loadBalancerChange,
        vip_address: address.nullish(),
        vip_port_id: uuid.nullish(),
        vip_subnet_id: uuid.nullish(),
        vip_network_id: uuid.nullish(),
        additional_vips: z.array(z.unknown()).nullish(),
        project_id: project,
        tenant_id: project,
        provider: z.string().max(64).nullish(),
        flavor_id: uuid.nullish(),
        availability_zone: z.string().max(255).nullish(),
        listeners: z.array(z.strictObject({ ...listenerParts, default_pool: namedPool.nullish() })).nullish(),
        pools: z.array(namedPool).nullish(),
      }),
    }),
    update: z.object({ loadbalancer: z.strictObject(loadBalancerChange) }),
  },
  listener: {
    create: z.object({
      listener: z.strictObject({
        ...listenerParts,
        loadbalancer_id: uuid,
        project_id: project,
        default_pool: z.strictObject(poolParts).nullish(),
      }),
    }),
    update: z.object({ listener: z.strictObject(listenerChange) }),
  },
  pool: {
    create: z.object({
      pool: z.strictObject({
        ...poolParts,
        loadbalancer_id: uuid.nullish(),
        listener_id: uuid.nullish(),
        project_id: project,
      }),
    }),
    update: z.object({ pool: z.strictObject(poolChange) }),
  },
  member: {
    create: z.object({ member: z.strictObject(memberParts) }),
    update: z.object({ member: z.strictObject(memberChange) }),
    batch: z.object({ members: z.array(z.strictObject(memberParts)) }),
  },
  healthMonitor: {
    create: z.object({ healthmonitor: z.strictObject({ ...monitorParts, pool_id: uuid, project_id: project }) }),
    update: z.object({ healthmonitor: z.strictObject(monitorChange) }),
  },
  quota: z.object({ quota: z.record(z.string(), whole(-1, 2_000_000_000).nullable()) }),
};

export type AskedListener = z.infer<(typeof bodies)["listener"]["create"]>["listener"];
export type AskedListenerChange = z.infer<(typeof bodies)["listener"]["update"]>["listener"];
export type AskedPool = z.infer<(typeof bodies)["pool"]["create"]>["pool"];
export type AskedPoolChange = z.infer<(typeof bodies)["pool"]["update"]>["pool"];
export type AskedMember = z.infer<(typeof bodies)["member"]["create"]>["member"];
export type AskedMonitor = Omit<z.infer<(typeof bodies)["healthMonitor"]["create"]>["healthmonitor"], "pool_id">;
export type AskedLoadBalancer = z.infer<(typeof bodies)["loadBalancer"]["create"]>["loadbalancer"];
