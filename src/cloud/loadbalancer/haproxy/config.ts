import type { BalancerPlan } from "../engine.ts";
import type { HealthMonitor, Listener, Member, Pool } from "../records.ts";

type PlannedPool = BalancerPlan["pools"][number];

/** A text of a user as one word of a line (HAProxy's manual, 2.2, "Quoting and escaping"). It holds no line's end. */
function word(text: string): string {
  return /^[A-Za-z0-9_./:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The same as the argument of a sample's fetch, whose quotes are read after those of the line's word. */
const fetchOf = (name: string, argument: string) => word(`${name}(${word(argument)})`);

/** Sockets in the balancer's folder. */
export const sockets = { stats: "stats.sock", alive: "alive.sock" } as const;

/** A pool in a listener: what statistics call it. */
const backendName = (pool: Pick<Pool, "id">, listener: Pick<Listener, "id">) => `${pool.id}:${listener.id}`;

/**
 * HAProxy's configuration of one balancer, after the one that Octavia's amphora driver writes. The frontend `alive` is there so that a
 * balancer without listeners runs as well.
 */
export function haproxyConfig(plan: BalancerPlan): string {
  const parts = [
    [
      "global",
      `stats socket unix@${sockets.stats} mode 600 level admin`,
      "maxconn 4000",
      "nbthread 1",
      "hard-stop-after 60s",
      "user nobody",
      "group nogroup",
    ],
    ["defaults", "no log", "retries 3", "option redispatch"],
    ["frontend alive", `bind unix@${sockets.alive} mode 600`, "mode http", "timeout client 1s"],
    ...plan.listeners.flatMap((listener) => {
      const pool = plan.pools.find(({ id }) => id === listener.default_pool_id);
      return [frontend(listener, plan.vip, pool), ...(pool === undefined ? [] : [backend(pool, listener)])];
    }),
  ];
  return parts.map(([head, ...lines]) => `${head}\n${lines.map((line) => `    ${line}\n`).join("")}`).join("\n");
}

function frontend(listener: Listener, vip: string, pool: PlannedPool | undefined): string[] {
  const { connection_limit: limit, timeout_tcp_inspect: inspect } = listener;
  return [
    `frontend ${listener.id}`,
    ...(limit < 0 ? [] : [`maxconn ${limit}`]),
    `bind ${vip}:${listener.protocol_port}`,
    `mode ${modeOf(listener)}`,
    ...(pool === undefined ? [] : [`default_backend ${backendName(pool, listener)}`]),
    `timeout client ${listener.timeout_client_data}`,
    ...(inspect > 0 ? [`tcp-request inspect-delay ${inspect}`] : []),
  ];
}

function backend(pool: PlannedPool, listener: Listener): string[] {
  const headers = new Map(Object.entries(listener.insert_headers));
  const inserts = (name: string) => modeOf(listener) === "http" && headers.get(name)?.toLowerCase() === "true";
  return [
    `backend ${backendName(pool, listener)}`,
    `mode ${modeOf(listener)}`,
    `balance ${algorithms[pool.lb_algorithm]}`,
    ...persistence(pool, modeOf(listener)),
    ...(pool.monitor === null ? [] : checks(pool.monitor)),
    ...(inserts("X-Forwarded-For") ? ["option forwardfor"] : []),
    ...(inserts("X-Forwarded-Port") ? ["http-request set-header X-Forwarded-Port %[dst_port]"] : []),
    ...(inserts("X-Forwarded-Proto") ? ["http-request set-header X-Forwarded-Proto http"] : []),
    `timeout connect ${listener.timeout_member_connect}`,
    `timeout server ${listener.timeout_member_data}`,
    ...pool.members.map((member) => server(member, pool)),
  ];
}

const modeOf = ({ protocol }: Listener) => (protocol === "HTTP" ? "http" : "tcp");

const algorithms: Record<Pool["lb_algorithm"], string> = {
  ROUND_ROBIN: "roundrobin",
  LEAST_CONNECTIONS: "leastconn",
  SOURCE_IP: "source",
};

function persistence({ session_persistence: wanted }: Pool, mode: "http" | "tcp"): string[] {
  if (wanted === null) return [];
  if (wanted.type === "SOURCE_IP") return ["stick-table type ipv6 size 10k", "stick on src"];
  if (mode !== "http") return []; // cookies are HTTP's
  if (wanted.type === "HTTP_COOKIE") return ["cookie SRV insert indirect nocache"];
  const cookie = wanted.cookie_name ?? "";
  return [
    "stick-table type string len 64 size 10k",
    `stick store-response ${fetchOf("res.cook", cookie)}`,
    `stick match ${fetchOf("req.cook", cookie)}`,
  ];
}

function checks(monitor: HealthMonitor): string[] {
  const lines = [`timeout check ${monitor.timeout}s`];
  if (monitor.type === "TLS-HELLO") return [...lines, "option ssl-hello-chk"];
  if (monitor.type === "TCP") return lines;
  const {
    http_method: method,
    url_path: path,
    http_version: version,
    domain_name: host,
    expected_codes: codes,
  } = monitor;
  const line = [method, word(path ?? "/"), ...(version === null ? [] : [`HTTP/${version.toFixed(1)}`])].join(" ");
  return [
    ...lines,
    `option httpchk ${line}`,
    ...(version === 1.1 && host !== null ? [`http-check send hdr Host ${word(host)}`] : []),
    `http-check expect status ${statusList(codes ?? "200")}`,
  ];
}

/** `200`, `200, 202`, `200-204` as HAProxy writes them. */
const statusList = (codes: string) => codes.replaceAll(/\s/g, "");

function server(member: Member, { monitor, session_persistence, protocol, tls_enabled }: PlannedPool): string {
  const check = () => {
    const { delay, max_retries: rise, max_retries_down: fall, type } = monitor as HealthMonitor;
    const { monitor_address: address, monitor_port: port } = member;
    return [
      `check inter ${delay}s fall ${fall} rise ${rise}`,
      ...(type === "HTTPS" ? ["check-ssl verify none"] : []),
      ...(address === null ? [] : [`addr ${address}`]),
      ...(port === null ? [] : [`port ${port}`]),
    ];
  };
  return [
    `server ${member.id} ${member.address}:${member.protocol_port} weight ${member.weight}`,
    ...(monitor === null ? [] : check()),
    ...(session_persistence?.type === "HTTP_COOKIE" ? [`cookie ${member.id}`] : []),
    ...(protocol === "PROXY" ? ["send-proxy"] : []),
    ...(protocol === "PROXYV2" ? ["send-proxy-v2"] : []),
    ...(member.backup ? ["backup"] : []),
    ...(member.admin_state_up ? [] : ["disabled"]),
    ...(tls_enabled ? ["ssl verify none"] : []),
  ].join(" ");
}
