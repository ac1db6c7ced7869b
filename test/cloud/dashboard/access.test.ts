import { readFile, stat } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dashboardAddress } from "../../../src/cloud/dashboard/key.ts";
import { TestCloud } from "../support.ts";

let cloud: TestCloud;
let key: string;
beforeAll(async () => {
  cloud = await TestCloud.start();
  key = await readFile(join(cloud.stateDir, "dashboard.key"), "utf8");
});
afterAll(() => cloud.remove());

const withKey = (method: string, path: string, body?: unknown) =>
  cloud.request(method, path, { token: "", headers: { authorization: `Bearer ${key}` }, ...(body ? { body } : {}) });

/** The status for a request whose `Host` is another name of this machine. */
function statusUnder(host: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { host, authorization: `Bearer ${key}` };
    const call = request({ host: "127.0.0.1", port: cloud.cloud.port, path, headers, agent: false });
    call.on("error", reject).on("response", (answer) => resolve(answer.resume().statusCode));
    call.end();
  });
}

describe("the page's key", () => {
  it("lies in the state folder for its owner alone, and in the address behind the #", async () => {
    expect((await stat(join(cloud.stateDir, "dashboard.key"))).mode & 0o077).toBe(0);
    expect((await stat(cloud.stateDir)).mode & 0o077).toBe(0);
    expect(key).toMatch(/^[\w-]{32}$/);
    const address = `http://127.0.0.1:${cloud.cloud.port}/dashboard#${key}`;
    expect(await dashboardAddress(cloud.stateDir, cloud.cloud.port)).toBe(address);
  });

  it("is asked for by everything but the page itself, which tells nothing", async () => {
    const page = await cloud.get("/dashboard", { token: "" });
    expect([page.status, page.headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(page.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(page.text).not.toContain(key);
    expect((await cloud.get("/dashboard/dashboard.js", { token: "" })).text).not.toContain(key);
    const paths = cloud.cloud.routes.filter(({ path }) => path.startsWith("/dashboard/api"));
    expect(paths.length).toBeGreaterThanOrEqual(5);
    for (const { method, path } of paths) {
      for (const authorization of ["", `Bearer ${key}x`, `Bearer ${cloud.token}`, key]) {
        const { status } = await cloud.request(method, path, { headers: { authorization } });
        expect([method, path, authorization, status]).toEqual([method, path, authorization, 401]);
      }
    }
  });

  it("is worth nothing under another name of this machine: a page of elsewhere could have one made for it", async () => {
    const own = `127.0.0.1:${cloud.cloud.port}`;
    expect(await statusUnder(own, "/dashboard/api/overview")).toBe(200);
    expect(await statusUnder(`localhost:${cloud.cloud.port}`, "/dashboard")).toBe(200);
    for (const host of ["attacker.example", `attacker.example:${cloud.cloud.port}`, "127.0.0.1"]) {
      expect([host, await statusUnder(host, "/dashboard/api/overview")]).toEqual([host, 403]);
    }
    const answer = await withKey("GET", "/dashboard/api/overview");
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    expect((await cloud.request("OPTIONS", "/dashboard/api/overview")).status).toBe(404);
  });

  it("shows everything there is, arms faults and refuses what is none", async () => {
    const { network } = await cloud.routedNetwork();
    const server = await cloud.bootServer({ name: "seen", networks: [{ uuid: network.id }] });
    const { body } = await withKey("GET", "/dashboard/api/overview");
    expect(body.servers).toMatchObject([{ name: "seen", status: "ACTIVE", project: "demo", addresses: ["10.1.0.2"] }]);
    expect(body.networks).toContainEqual(expect.objectContaining({ name: "net", cidrs: ["10.1.0.0/24"], ports: 2 }));
    const console = await withKey("GET", `/dashboard/api/servers/${server.id}/console`);
    expect(console.body).toEqual({ console: expect.stringContaining("login:") });
    expect((await withKey("GET", "/dashboard/api/servers/none/console")).status).toBe(404);
    const armed = await withKey("PUT", "/dashboard/api/faults/P03", { times: 2, target: "x" });
    expect([armed.status, armed.body.times]).toEqual([200, 2]);
    expect(cloud.cloud.faults.list()).toMatchObject([{ id: "P03:fip-timeout-but-applied", target: "x" }]);
    expect((await withKey("PUT", "/dashboard/api/faults/P98", {})).status).toBe(400);
    expect((await withKey("PUT", "/dashboard/api/faults/P03", { times: "x" })).status).toBe(400);
    expect((await withKey("DELETE", "/dashboard/api/faults/P03")).body.disarmed).toHaveLength(1);
  });
});
