import { stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await TestCloud.start();
});
afterAll(() => cloud.remove());

describe("login", () => {
  it("refuses a wrong password, a wrong user and a foreign project with the same 401", async () => {
    const { demo } = cloud.cloud.credentials;
    const body = {
      error: { code: 401, message: "The request you have made requires authentication.", title: "Unauthorized" },
    };
    const wrong = [
      await cloud.authenticate({ ...demo, password: "wrong" }),
      await cloud.authenticate({ ...demo, username: "nobody" }),
      await cloud.authenticate({ ...demo, projectName: "admin" }),
    ];
    for (const answer of wrong) {
      expect(answer.status).toBe(401);
      expect(answer.body).toEqual(body);
      expect(answer.headers.get("x-openstack-request-id")).toMatch(/^req-/);
    }
  });

  it("makes random passwords that only the owner can read", async () => {
    const { admin, demo } = cloud.cloud.credentials;
    expect(admin.password).not.toBe(demo.password);
    expect(demo.password.length).toBeGreaterThanOrEqual(32);
    expect((await stat(join(cloud.stateDir, "credentials.json"))).mode & 0o777).toBe(0o600);
  });

  it("answers a catalogue with distinct names and one entry per service", async () => {
    const { body } = await cloud.authenticate(cloud.cloud.credentials.demo);
    const { catalog, project, roles } = body.token;
    expect(project).toMatchObject({ name: "demo", domain: { id: "default", name: "Default" } });
    expect(roles.map((role: { name: string }) => role.name)).toEqual(["member", "reader"]);
    expect(
      Object.fromEntries(catalog.map((entry: { name: string; type: string }) => [entry.name, entry.type])),
    ).toEqual({
      keystone: "identity",
      nova: "compute",
      neutron: "network",
      glance: "image",
      cinder: "volumev3",
      swift: "object-store",
      octavia: "load-balancer",
      placement: "placement",
    });
    const publicUrl = (type: string) =>
      catalog
        .find((entry: { type: string }) => entry.type === type)
        .endpoints.find((endpoint: { interface: string }) => endpoint.interface === "public").url;
    expect(publicUrl("network")).toBe(`${cloud.base}/network`);
    expect(publicUrl("object-store")).toBe(`${cloud.base}/object-store/v1/AUTH_${project.id}`);
  });

  it("gives an unscoped token that lists projects but reaches no service", async () => {
    const answer = await cloud.authenticate(cloud.cloud.credentials.demo, "unscoped");
    expect(answer.body.token).not.toHaveProperty("catalog");
    const token = answer.headers.get("x-subject-token") ?? "";
    const { body } = await cloud.get("/identity/v3/auth/projects", { token });
    expect(body.projects.map((project: { name: string }) => project.name)).toEqual(["demo"]);
    expect((await cloud.get("/compute/v2.1/servers", { token })).status).toBe(403);
  });

  it("rescopes a token, which then lives no longer than the first", async () => {
    const first = await cloud.authenticate(cloud.cloud.credentials.demo, "unscoped");
    const id = first.headers.get("x-subject-token");
    const scope = { project: { id: cloud.projectId } };
    const identity = { methods: ["token"], token: { id } };
    const second = await cloud.post("/identity/v3/auth/tokens", { auth: { identity, scope } });
    expect(second.status).toBe(201);
    expect(second.body.token.expires_at).toBe(first.body.token.expires_at);
    expect(second.body.token.methods).toEqual(["password", "token"]);
  });
});

describe("tokens", () => {
  const services = [
    "/compute/v2.1/servers",
    "/network/v2.0/networks",
    "/image/v2/images",
    "/identity/v3/auth/projects",
  ];

  it.each(services)("%s refuses no token and an unknown one", async (path) => {
    for (const token of ["", "gAAAAAunknown"]) {
      const answer = await cloud.get(path, { token });
      expect(answer.status).toBe(401);
      expect(answer.body.error).toMatchObject({ code: 401, title: "Unauthorized" });
    }
  });

  it("show, check and revoke", async () => {
    const token = (await cloud.authenticate(cloud.cloud.credentials.demo)).headers.get("x-subject-token") ?? "";
    const headers = { "x-subject-token": token };
    const shown = await cloud.get("/identity/v3/auth/tokens", { headers });
    expect(shown.status).toBe(200);
    expect(shown.body.token.user.name).toBe("demo");
    expect((await cloud.request("HEAD", "/identity/v3/auth/tokens", { headers })).status).toBe(200);
    expect((await cloud.delete("/identity/v3/auth/tokens", { headers })).status).toBe(204);
    expect((await cloud.get("/compute/v2.1/flavors", { token })).status).toBe(401);
    expect((await cloud.get("/identity/v3/auth/tokens", { headers })).status).toBe(404);
  });

  it("expire", async () => {
    const short = await TestCloud.start({ tokenLifetimeMs: 150 });
    try {
      expect((await short.get("/compute/v2.1/flavors")).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect((await short.get("/compute/v2.1/flavors")).status).toBe(401);
    } finally {
      await short.remove();
    }
  });
});

describe("what only admins see", () => {
  it.each(["projects", "users", "services", "endpoints", "domains"])("%s", async (kind) => {
    expect((await cloud.get(`/identity/v3/${kind}`)).status).toBe(403);
    const answer = await cloud.get(`/identity/v3/${kind}`, { token: await cloud.adminToken() });
    expect(answer.status).toBe(200);
    expect(answer.body[kind].length).toBeGreaterThan(0);
  });
});

describe("version documents", () => {
  it.each([
    ["/identity", 300],
    ["/identity/v3/", 200],
    ["/compute/", 200],
    ["/compute/v2.1", 200],
    ["/network", 200],
    ["/image", 300],
  ])("%s", async (path, status) => {
    const answer = await cloud.get(path, { token: "" });
    expect(answer.status).toBe(status);
    expect(answer.text).toContain(`${cloud.base}/${path.split("/")[1]}/v`);
  });
});
