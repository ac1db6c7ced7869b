import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { listAll } from "../../src/openstack/pages.ts";
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

const get = () => session.request("compute", "GET", "/servers");
const post = () => session.request("compute", "POST", "/servers", { body: { server: {} } });

describe("login", () => {
  test("happens with the first call, once for calls at the same time", async () => {
    expect(cloud.asked).toEqual([]);
    await Promise.all([get(), get(), session.projectId()]);
    expect(cloud.asked.filter(({ path }) => path === "/v3/auth/tokens")).toHaveLength(1);
    expect(JSON.parse(cloud.asked[0]?.body ?? "")).toEqual({
      auth: {
        identity: {
          methods: ["password"],
          password: { user: { name: "demo", domain: { id: "default" }, password: "secret" } },
        },
        scope: { project: { name: "demo", domain: { id: "default" } } },
      },
    });
  });

  test("an application credential is not scoped", async () => {
    session = cloud.open({}, { identity: { method: "application_credential", id: "ac", secret: "s" } });
    await get();
    expect(JSON.parse(cloud.asked[0]?.body ?? "")).toEqual({
      auth: { identity: { methods: ["application_credential"], application_credential: { id: "ac", secret: "s" } } },
    });
  });

  test("a wrong password is E_AUTH_FAILED with the cloud's words and request id, without the password", async () => {
    const body = { error: { code: 401, message: "The request you have made requires authentication." } };
    cloud.logins = [{ status: 401, headers: { "x-openstack-request-id": "req-7" }, body }];
    const error = await get().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "E_AUTH_FAILED", exitCode: 3, requestId: "req-7" });
    expect(String(error)).toContain("The request you have made requires authentication. (req-7)");
    expect(JSON.stringify(error) + String(error)).not.toContain("secret");
  });

  test("an expired token is renewed once", async () => {
    cloud.replies = [{ status: 401 }, { status: 200, body: { ok: true } }];
    expect((await get()).body).toEqual({ ok: true });
    expect(cloud.calls.map(({ headers }) => headers["x-auth-token"])).toEqual(["token-1", "token-3"]);
  });

  test("a token that is refused twice is the cloud's 401", async () => {
    cloud.replies = [{ status: 401, body: { error: { message: "no" } } }];
    await expect(get()).rejects.toMatchObject({ name: "OpenStackError", status: 401 });
    expect(cloud.calls).toHaveLength(2);
  });

  test("is made again while Keystone's own proxy has no answer, and not without end", async () => {
    cloud.logins = [{ status: 503 }, { status: 502 }, { status: 504 }];
    cloud.replies = [{ body: { ok: true } }];
    expect((await post()).body).toEqual({ ok: true });
    expect(cloud.asked.map(({ path }) => path).filter((path) => path === "/v3/auth/tokens")).toHaveLength(4);
    cloud.logins = Array(10).fill({ status: 503 });
    await expect(cloud.open().projectId()).rejects.toMatchObject({ status: 503 });
    await expect(cloud.open().request("compute", "GET", "/servers")).rejects.toMatchObject({ status: 503 });
    expect(cloud.logins).toEqual([]);
  });

  test("is made again after a connection that broke, and not without end", async () => {
    cloud.logins = [{ reset: true }, { status: 201, cut: true }];
    expect(await session.projectId()).toBe("p1");
    expect(cloud.asked).toHaveLength(3);
    cloud.logins = Array(5).fill({ reset: true });
    await expect(cloud.open().projectId()).rejects.toMatchObject({ code: "E_CLOUD_UNREACHABLE", exitCode: 3 });
    expect(cloud.logins).toEqual([]);
  });

  test("a cloud that is not there is E_CLOUD_UNREACHABLE, at once", async () => {
    await cloud.stop();
    await expect(get()).rejects.toMatchObject({ code: "E_CLOUD_UNREACHABLE", exitCode: 3 });
    cloud = await ScriptedCloud.start();
  });
});

describe("catalogue", () => {
  test("takes interface and region, and adds the version that a service leaves out", async () => {
    expect(await session.endpoint("compute")).toBe(`${cloud.url}/compute`);
    expect(await session.endpoint("network")).toBe(`${cloud.url}/network/v2.0`);
    expect(await cloud.open({}, { region: "Two" }).endpoint("image")).toBe(`${cloud.url}/two/v2`);
    expect(await cloud.open({}, { interface: "internal" }).endpoint("compute")).toBe(`${cloud.url}/internal`);
  });

  test("names what it has where an endpoint is missing", async () => {
    const error = await cloud
      .open({}, { region: "Three" })
      .endpoint("compute")
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "E_CLOUD_API", details: expect.arrayContaining(["compute public One"]) });
  });
});

describe("answers", () => {
  test("an unexpected status is an OpenStackError with the cloud's words and request id", async () => {
    const body = { conflictingRequest: { code: 409, message: "Port is in use" } };
    cloud.replies = [{ status: 409, headers: { "x-openstack-request-id": "req-9" }, body }];
    await expect(post()).rejects.toThrow(/POST .*\/servers answered 409: Port is in use \(req-9\)/);
    expect(cloud.calls).toHaveLength(1);
  });

  test("JSON that is none is an error, not a crash", async () => {
    cloud.replies = [{ status: 200, body: "<html>" }];
    await expect(get()).rejects.toThrow(/says that it is JSON and is not/);
  });

  test("a microversion goes into both headers", async () => {
    await session.request("compute", "GET", "/servers/1/tags", { microversion: "2.26" });
    expect(cloud.calls[0]?.headers).toMatchObject({
      "x-openstack-nova-api-version": "2.26",
      "openstack-api-version": "compute 2.26",
    });
  });

  test("a listing follows its pages", async () => {
    cloud.replies = [
      {
        body: {
          servers: [{ id: 1 }],
          servers_links: [{ rel: "next", href: "http://elsewhere/v2.1/servers?marker=1&limit=1" }],
        },
      },
      { body: { servers: [{ id: 2 }] } },
    ];
    expect(await listAll(session, "compute", "/servers", "servers", { limit: 1 })).toEqual([{ id: 1 }, { id: 2 }]);
    expect(cloud.calls.map(({ path }) => path)).toEqual([
      "/compute/servers?limit=1",
      "/compute/servers?marker=1&limit=1",
    ]);
  });
});
