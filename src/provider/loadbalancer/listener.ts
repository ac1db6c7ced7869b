import { aString, integer, list, map, set, text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";
import { firstId } from "./mutable.ts";
import { commonProperties, octaviaKind, tenMinutes } from "./octavia.ts";

const protocols = ["TCP", "UDP", "SCTP", "HTTP", "HTTPS", "TERMINATED_HTTPS", "PROMETHEUS"];

/** `openstack_lb_listener_v2`. */
export const listener = octaviaKind({
  type: "openstack:loadbalancer/listener:Listener",
  path: () => "/listeners",
  member: "listener",
  collection: "listeners",
  timeouts: tenMinutes,
  properties: {
    ...commonProperties,
    name: text({ field: "name", computed: true }),
    loadbalancerId: text({ required: true, replaces: true }),
    protocol: text({ field: "protocol", required: true, replaces: true, allowed: protocols }),
    protocolPort: integer({ field: "protocol_port", required: true, replaces: true }),
    description: text({ field: "description" }),
    defaultPoolId: text({ field: "default_pool_id", computed: true }),
    connectionLimit: integer({ field: "connection_limit", computed: true }),
    defaultTlsContainerRef: text({ field: "default_tls_container_ref" }),
    sniContainerRefs: list(aString, { field: "sni_container_refs" }),
    insertHeaders: map({ field: "insert_headers" }),
    allowedCidrs: list(aString, { field: "allowed_cidrs" }),
    timeoutClientData: integer({ field: "timeout_client_data", computed: true }),
    timeoutMemberConnect: integer({ field: "timeout_member_connect", computed: true }),
    timeoutMemberData: integer({ field: "timeout_member_data", computed: true }),
    timeoutTcpInspect: integer({ field: "timeout_tcp_inspect", computed: true }),
    tags: set(aString, { field: "tags" }),
  },
  way: (values) => ({ loadbalancers: textOf(values, "loadbalancerId") }),
  isMine: (api, inputs) =>
    firstId(api.loadbalancers) === inputs.loadbalancerId && api.protocol_port === inputs.protocolPort,
  createBody: (inputs) => ({ loadbalancer_id: inputs.loadbalancerId }),
  readMore: (api, _, { loadbalancerId }) => ({ loadbalancerId: firstId(api.loadbalancers) ?? loadbalancerId ?? "" }),
});
