import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmodSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BalancerPlan } from "../../src/cloud/loadbalancer/engine.ts";
import { haproxyConfig, sockets } from "../../src/cloud/loadbalancer/haproxy/config.ts";
import { persistenceOf } from "../../src/cloud/loadbalancer/pools.ts";
import type { BalancerRecord } from "../../src/cloud/loadbalancer/records.ts";
import { bodies } from "../../src/cloud/loadbalancer/schemas.ts";
import { run } from "../../src/common/process.ts";
import { waitFor } from "../../src/common/wait.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

// What users write reaches HAProxy as it is, and nothing of it is read as its configuration's own language. HAProxy itself is the judge.

const hasHaproxy =
  process.getuid?.() === 0 &&
  (await run("haproxy", ["-v"]).then(
    () => true,
    () => false,
  ));

const monitorTakes = (fields: object) => bodies.healthMonitor.update.safeParse({ healthmonitor: fields }).success;
function cookieTakes(cookie_name: string): boolean {
  const asked = { pool: { session_persistence: { type: "APP_COOKIE", cookie_name } } };
  const { success, data } = bodies.pool.update.safeParse(asked);
  if (!success) return false;
  try {
    return persistenceOf(data.pool.session_persistence)?.cookie_name === cookie_name;
  } catch {
    return false;
  }
}

/** Characters that some layer on the way gives a meaning, and others. */
const hostile = fc.constantFrom(
  ...`'"\\$#%{}()[]<>,;:?&*+!|~^\`=@ -_.aZ0é😀`.split(/(?:)/u),
  `$${"{HOME}"}`,
  '"$HOME"',
  "%[env(HOME)]",
  "\n",
  "\r",
  "\t",
  "\0",
  "\x7f",
  "\u2028",
  "\ud800",
);
const hostileText = fc.array(hostile, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(""));

const urlPath = hostileText.map((text) => `/${text}`).filter((url_path) => monitorTakes({ url_path }));
/** HAProxy passes over cookies with a dollar sign first (RFC 2109's attributes). */
const cookieName = hostileText.filter((name) => cookieTakes(name) && !name.startsWith("$"));
const domainName = fc.constantFrom("example.com", "_x.a-b.example.com.", "a", "10.0.0.1");

interface Hostile {
  url: string;
  cookie: string;
  domain: string;
}
const anyHostile: fc.Arbitrary<Hostile> = fc.record({ url: urlPath, cookie: cookieName, domain: domainName });

const newRecord = (): BalancerRecord => ({
  ...{ id: randomUUID(), project_id: "p", name: "'\"\n#", admin_state_up: true, tags: ["\n"] },
  ...{ provisioning_status: "ACTIVE", operating_status: "ONLINE", created_at: "", updated_at: null },
});

/** A balancer with a listener, a pool, a monitored member and the persistence by a cookie for each. */
function planOf(texts: Hostile[], vip: string, memberPort: number): BalancerPlan {
  const traffic = { bytes_in: 0, bytes_out: 0, active_connections: 0, total_connections: 0, request_errors: 0 };
  const pools = texts.map(({ url, cookie, domain }): BalancerPlan["pools"][number] => {
    const pool = newRecord();
    return {
      ...pool,
      ...{
        description: "\n",
        loadbalancer_id: "lb",
        protocol: "HTTP",
        lb_algorithm: "ROUND_ROBIN",
        tls_enabled: false,
      },
      session_persistence: {
        ...{ type: "APP_COOKIE", cookie_name: cookie, persistence_timeout: null, persistence_granularity: null },
      },
      members: [
        {
          ...newRecord(),
          ...{ pool_id: pool.id, address: "127.0.0.1", protocol_port: memberPort, weight: 1, backup: false },
          ...{ subnet_id: null, monitor_address: null, monitor_port: null },
        },
      ],
      monitor: {
        ...newRecord(),
        ...{ pool_id: pool.id, type: "HTTP", delay: 1, timeout: 1, max_retries: 1, max_retries_down: 3 },
        ...{ http_method: "GET", url_path: url, expected_codes: "200-204", http_version: 1.1, domain_name: domain },
      },
    };
  });
  const listeners = pools.map((pool, index): BalancerPlan["listeners"][number] => ({
    ...newRecord(),
    ...{
      description: "",
      loadbalancer_id: "lb",
      protocol: "HTTP",
      protocol_port: 20_000 + index,
      connection_limit: -1,
    },
    ...{
      default_pool_id: pool.id,
      insert_headers: { "X-Forwarded-For": "true" },
      allowed_cidrs: null,
      counted: traffic,
    },
    ...{ timeout_client_data: 5000, timeout_member_connect: 5000, timeout_member_data: 5000, timeout_tcp_inspect: 0 },
  }));
  return { id: "lb", vip, prefixLength: 32, gatewayIp: null, listeners, pools };
}

/** All that comes over a connection until it is closed. */
function exchange(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    socket.on("error", reject);
    socket.on("end", () => resolve(Buffer.concat(parts).toString("utf8")));
    socket.end(text);
  });
}

describe("users' texts that Octavia takes", () => {
  it.each([
    ["/", true],
    ["/a?b=c#d", true],
    ["///a", true],
    [`/"$HOME"'\\`, true],
    ["/é", true],
    ["a", false],
    ["//host/a", false],
    ["/a b", false],
    ["/a\nserver x 127.0.0.1:22", false],
    ["/\0", false],
    ["/[", false],
    ["/\ud800", false],
    [`/${"a".repeat(255)}`, false],
  ])("as a path: %j %j", (url_path, taken) => expect(monitorTakes({ url_path })).toBe(taken));

  it.each([
    ["_tcp.example.com.", true],
    ["a_b.com", false],
    ["-a.com", false],
    ["a..b", false],
    [`${"a".repeat(64)}.com`, false],
    ["a.com\n", false],
  ])("as a domain: %j %j", (domain_name, taken) => expect(monitorTakes({ domain_name })).toBe(taken));

  it.each([
    ["JSESSIONID", true],
    ["!#$%&'*+-.^_`|~0aZ", true],
    ["a b", false],
    ['"a"', false],
    ["a)", false],
    ["a\n", false],
    ["a\\", false],
  ])("as a cookie's name: %j %j", (name, taken) => expect(cookieTakes(name)).toBe(taken));
});

describe.skipIf(!hasHaproxy)("HAProxy", () => {
  /** What members were asked for by monitors: lines of requests, with their hosts. */
  let checks: Set<string>;
  let cookies: string[];
  let member: Server;

  beforeAll(async () => {
    member = createServer((socket) => {
      socket.on("error", () => undefined); // a check ends without a goodbye
      socket.once("data", (data: Buffer) => {
        const [line = "", ...headers] = data.toString("utf8").split("\r\n");
        const asked = /^GET \/cookie\/(\d+) /.exec(line)?.[1];
        if (asked === undefined) checks.add(`${line} ${headers.find((header) => /^host:/i.test(header))}`);
        const cookie = asked === undefined ? "" : `Set-Cookie: ${cookies[Number(asked)]}=value-${asked}\r\n`;
        socket.end(`HTTP/1.1 200 OK\r\n${cookie}Content-Length: 0\r\nConnection: close\r\n\r\n`);
      });
    });
    await new Promise<void>((resolve) => member.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => member.close());

  it("asks for the very paths, looks for the very cookies, and has the very sections that the records say", async () => {
    const property = fc.asyncProperty(fc.array(anyHostile, { minLength: 30, maxLength: 30 }), async (texts) => {
      checks = new Set();
      cookies = texts.map(({ cookie }) => cookie);
      const vip = `127.${[1, 2, 3].map(() => 1 + Math.floor(Math.random() * 250)).join(".")}`;
      const plan = planOf(texts, vip, (member.address() as { port: number }).port);
      const folder = temporaryFolder();
      chmodSync(folder, 0o755);
      writeFileSync(join(folder, "config"), haproxyConfig(plan));
      await run("haproxy", ["-c", "-C", folder, "-f", "config"]);
      const haproxy: ChildProcess = spawn("haproxy", ["-db", "-C", folder, "-f", "config"], { stdio: "ignore" });
      const ended = new Promise((resolve) => haproxy.once("exit", resolve));
      const ask = (command: string) => exchange(connect(join(folder, sockets.stats)), `${command}\n`);
      try {
        const asSaid = texts.map(({ url, domain }) => `GET ${url} HTTP/1.1 host: ${domain}`);
        const all = async () => (checks.size >= new Set(asSaid).size ? true : undefined);
        await waitFor("every monitor to ask", all, { timeoutMs: 20_000, intervalMs: 20 });
        expect(checks).toEqual(new Set(asSaid));

        const rows = (await ask("show stat")).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
        const sections = plan.listeners.flatMap(({ id }, index) => {
          const pool = plan.pools[index];
          const backend = `${pool?.id}:${id}`;
          return [`${id},FRONTEND`, `${backend},${pool?.members[0]?.id}`, `${backend},BACKEND`];
        });
        expect(rows.map((row) => row.split(",").slice(0, 2).join()).sort()).toEqual(
          ["alive,FRONTEND", ...sections].sort(),
        );

        for (const [index, { id, protocol_port: port }] of plan.listeners.entries()) {
          const answer = await exchange(connect(port, vip), `GET /cookie/${index} HTTP/1.1\r\nHost: a\r\n\r\n`);
          expect(answer).toContain("200 OK");
          const kept = await ask(`show table ${plan.pools[index]?.id}:${id}`);
          expect(kept, texts[index]?.cookie).toContain(`key=value-${index} `);
        }
      } finally {
        haproxy.kill("SIGKILL");
        await ended;
      }
    });
    await fc.assert(property, { numRuns: 2, endOnFailure: true });
  });
});
