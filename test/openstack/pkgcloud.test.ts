import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { consoleOutput, ensureServerRuns, findServer, listServers } from "../../src/openstack/compute/servers.ts";
import { createFloatingIp, findFloatingIp, listFloatingIps } from "../../src/openstack/network/floating-ips.ts";
import { findPort, listPorts, updatePort } from "../../src/openstack/network/ports.ts";
import { createSecurityGroup } from "../../src/openstack/network/security-groups.ts";
import type { Session } from "../../src/openstack/session.ts";
import { ScriptedCloud } from "./scripted-cloud.ts";

let cloud: ScriptedCloud;
let session: Session;

beforeEach(async () => {
  cloud = await ScriptedCloud.start();
  session = cloud.open();
});
afterEach(async () => {
  session.close();
  await cloud.stop();
});

const server = { id: "s1", status: "SHUTOFF", name: "web" };
const port = { id: "p1", status: "ACTIVE", security_groups: ["g1"] };
const get = () => findServer(session, "s1");
const ok = { body: { server } };

describe("the session's login", () => {
  test("is the only one, also with an application credential", async () => {
    session = cloud.open({}, { identity: { method: "application_credential", id: "ac", secret: "s" } });
    cloud.replies = [{ body: { server, port, floatingips: [] } }];
    await Promise.all([get(), findPort(session, "p1"), listFloatingIps(session)]);
    expect(cloud.asked.filter(({ path }) => path.includes("auth"))).toHaveLength(1);
    expect(cloud.calls.map(({ headers }) => headers["x-auth-token"])).toEqual(["token-1", "token-1", "token-1"]);
  });

  test("an expired token is renewed once, and used by the calls that follow", async () => {
    cloud.replies = [{ status: 401 }, ok];
    expect(await get()).toEqual(server);
    await get();
    expect(cloud.calls.map(({ headers }) => headers["x-auth-token"])).toEqual(["token-1", "token-3", "token-3"]);
  });

  test("a token that is refused twice is the cloud's 401", async () => {
    cloud.replies = [{ status: 401, body: { error: { message: "no" } } }];
    await expect(get()).rejects.toMatchObject({ name: "OpenStackError", status: 401 });
    expect(cloud.calls).toHaveLength(2);
  });

  test("region and interface choose the endpoint; Neutron's version is in the path once", async () => {
    cloud.replies = [{ body: { server, port } }];
    await get();
    await findPort(session, "p1");
    await findPort(cloud.open({}, { region: "Two" }), "p1");
    await findServer(cloud.open({}, { interface: "internal" }), "s1");
    expect(cloud.calls.map(({ path }) => path)).toEqual([
      "/compute/servers/s1",
      "/network/v2.0/ports/p1",
      "/two/v2.0/ports/p1",
      "/internal/servers/s1",
    ]);
  });
});

describe("requests", () => {
  test("have the methods, paths and bodies of the API", async () => {
    const security_group = { id: "g1" };
    const floatingip = { id: "f1" };
    cloud.replies = [{ body: { server, port, security_group, floatingip, output: "log" } }];
    expect(await consoleOutput(session, "s1", 5)).toBe("log");
    await updatePort(session, "p1", { security_groups: [] });
    await createSecurityGroup(session, { name: "n", description: "d", tags: ["t"] });
    await createFloatingIp(session, { networkId: "n1", description: "d", tags: ["t"] });
    const asked = cloud.calls.map(({ method, path, body }) => [method, path, JSON.parse(body)]);
    expect(asked).toEqual([
      ["POST", "/compute/servers/s1/action", { "os-getConsoleOutput": { length: 5 } }],
      ["PUT", "/network/v2.0/ports/p1", { port: { security_groups: [] } }],
      ["POST", "/network/v2.0/security-groups", { security_group: { name: "n", description: "d" } }],
      ["PUT", "/network/v2.0/security-groups/g1/tags", { tags: ["t"] }],
      ["POST", "/network/v2.0/floatingips", { floatingip: { floating_network_id: "n1", description: "d" } }],
      ["PUT", "/network/v2.0/floatingips/f1/tags", { tags: ["t"] }],
    ]);
  });

  test("filters are repeated, and left out where they are undefined", async () => {
    cloud.replies = [{ body: { ports: [] } }];
    await listPorts(session, { tags: ["a", "b c"], device_id: undefined, admin_state_up: true });
    expect(cloud.calls[0]?.path).toBe("/network/v2.0/ports?tags=a&tags=b+c&admin_state_up=true");
  });

  test("listings follow their pages", async () => {
    const next = (marker: string) => [{ rel: "next", href: `http://elsewhere/?limit=1&marker=${marker}` }];
    cloud.replies = [
      { body: { servers: [{ id: "1" }], servers_links: next("1") } },
      { body: { servers: [{ id: "2" }] } },
      { body: { ports: [{ id: "1" }], ports_links: next("1") } },
      { body: { ports: [{ id: "2" }] } },
    ];
    expect(await listServers(session)).toEqual([{ id: "1" }, { id: "2" }]);
    expect(await listPorts(session)).toEqual([{ id: "1" }, { id: "2" }]);
    expect(cloud.calls.map(({ path }) => path)).toEqual([
      "/compute/servers/detail",
      "/compute/servers/detail?marker=1&limit=1",
      "/network/v2.0/ports",
      "/network/v2.0/ports?limit=1&marker=1",
    ]);
  });

  test("what cannot be tagged is given back, and the reason told", async () => {
    cloud.replies = [
      { body: { floatingip: { id: "f1" } } },
      { status: 400, body: { message: "bad tag" } },
      { status: 204 },
    ];
    const made = createFloatingIp(session, { networkId: "n1", description: "", tags: ["a,b"] });
    await expect(made).rejects.toThrow(/bad tag/);
    expect(cloud.calls.at(-1)).toMatchObject({ method: "DELETE", path: "/network/v2.0/floatingips/f1" });
  });

  test("a redirect is not followed: its target never sees the token", async () => {
    const other = await ScriptedCloud.start();
    cloud.replies = [{ status: 302, headers: { location: `${other.url}/servers/s1` } }];
    await expect(get()).rejects.toMatchObject({ status: 302 });
    expect(other.asked).toEqual([]);
    await other.stop();
  });
});

describe("answers", () => {
  test.each([400, 403, 409, 412, 413, 429, 500, 502, 503, 504])(
    "%i is an error with the cloud's words and request id, not pkgcloud's",
    async (status) => {
      const headers = { "x-openstack-request-id": "req-9" };
      cloud.replies = [{ status, headers, body: { anyFault: { code: status, message: "what Nova says" } } }];
      session = cloud.open({ retries: { attempts: 1 } });
      const error = await get().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: "OpenStackError", status, requestId: "req-9" });
      expect(String(error)).toMatch(/GET http:.*\/compute\/servers\/s1 answered \d+: what Nova says \(req-9\)$/);
      expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/token-|secret/);
    },
  );

  test("404 is nothing found", async () => {
    cloud.replies = [{ status: 404, body: { NeutronError: { message: "no such thing" } } }];
    expect(await get()).toBeUndefined();
    expect(await findPort(session, "p1")).toBeUndefined();
    expect(await findFloatingIp(session, "f1")).toBeUndefined();
  });

  test.each([
    ["a proxy's page", { headers: { "content-type": "text/html" }, body: "<html>" }, /has no "(server|ports)"/],
    ["an empty answer", { body: "" }, /has no "(server|ports)"/],
    ["null", { body: "null" }, /has no "(server|ports)"/],
    ["another object", { body: { other: 1 } }, /has no "(server|ports)"/],
    ["JSON that is none", { body: "<html>" }, /says that it is JSON and is not/],
  ])("%s in place of JSON is an error, neither a crash nor a wait", async (_, reply, message) => {
    cloud.replies = [reply];
    await expect(get()).rejects.toThrow(message);
    await expect(listPorts(session)).rejects.toThrow(message);
  });

  test("a listing that is no list is an error", async () => {
    cloud.replies = [{ body: { servers: {} } }];
    await expect(listServers(session)).rejects.toThrow(/"servers" is no list/);
  });

  test("one that does not end is cut off", async () => {
    cloud.replies = [{ body: "x".repeat(65 * 2 ** 20) }];
    await expect(get()).rejects.toMatchObject({ code: "E_CLOUD_API", message: expect.stringContaining("64 MiB") });
    expect(cloud.calls).toHaveLength(1);
  });
});

test("a server that does not start in time is E_TIMEOUT", async () => {
  cloud.replies = [{ body: { server } }, { status: 202, body: "" }, { body: { server } }];
  await expect(ensureServerRuns(session, "s1", { timeoutMs: 50 })).rejects.toMatchObject({ code: "E_TIMEOUT" });
  expect(JSON.parse(cloud.calls[1]?.body ?? "")).toEqual({ "os-start": null });
});
