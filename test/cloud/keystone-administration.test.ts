import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, TestCloud } from "./support.ts";

// Statuses and words are those of a Keystone of the release 2022.2, asked the same questions.

let cloud: TestCloud;
let admin: { token: string };
let demoId: string;
beforeAll(async () => {
  cloud = await TestCloud.start();
  admin = { token: await cloud.adminToken() };
  demoId = (await cloud.authenticate(cloud.cloud.credentials.demo)).body.token.user.id;
});
afterAll(() => cloud.remove());

const v3 = "/identity/v3";
const get = (path: string) => cloud.get(v3 + path, admin);
const put = (path: string, body?: unknown) => cloud.put(v3 + path, body, admin);
const remove = (path: string) => cloud.delete(v3 + path, admin);
const patch = (path: string, body: unknown) => cloud.request("PATCH", v3 + path, { ...admin, body });

/** Makes a resource that must be made. */
async function make(kind: string, fields: Record<string, unknown>) {
  const answer = await cloud.post(`${v3}/${kind}s`, { [kind]: fields }, admin);
  expect(answer.status, answer.text).toBe(201);
  return answer.body[kind];
}

const namesOf = (items: { name: string }[]) => items.map(({ name }) => name);

function expectRefused(answer: Answer, status: number, message: string): void {
  expect([answer.status, answer.body?.error?.message]).toEqual([status, message]);
}

/** A login of a user of the test, whose password is `secret`. */
function logIn(userId: string, scope?: unknown, password = "secret") {
  const identity = { methods: ["password"], password: { user: { id: userId, password } } };
  return cloud.post(`${v3}/auth/tokens`, { auth: { identity, scope } }, { token: "" });
}

const rolesIn = ({ body }: Answer): string[] => namesOf(body.token.roles).toSorted();

describe("domains", () => {
  it("hold projects, users and groups of their own, and go with them", async () => {
    const domain = await make("domain", { name: "other", description: "apart" });
    const project = await make("project", { name: "demo", domain_id: domain.id });
    expect(project).toMatchObject({ domain_id: domain.id, parent_id: domain.id, is_domain: false });
    const user = await make("user", { name: "demo", domain_id: domain.id, password: "secret" });
    await make("group", { name: "team", domain_id: domain.id });
    const [prior, own] = [
      await make("role", { name: "prior", domain_id: domain.id }),
      await make("role", { name: "own", domain_id: domain.id }),
    ];
    expect((await put(`/roles/${prior.id}/implies/${own.id}`)).status).toBe(201);
    const { roles } = (await get("/roles?name=reader")).body;
    await put(`/domains/${domain.id}/users/${user.id}/roles/${roles[0].id}`);
    const inDomain = await logIn(user.id, { domain: { id: domain.id } });
    expect(inDomain.body.token).toMatchObject({
      domain: { id: domain.id, name: "other" },
      user: { domain: { id: domain.id, name: "other" } },
    });
    const token = inDomain.headers.get("x-subject-token") ?? "";
    const seen = await cloud.get(`${v3}/projects`, { token });
    expect(seen.body.projects.map(({ id }: { id: string }) => id)).toEqual([project.id]);
    expect((await cloud.get(`${v3}/roles`, { token })).status).toBe(403);
    expect((await cloud.get(`${v3}/auth/domains`, { token })).body.domains).toMatchObject([{ id: domain.id }]);
    const byName = { name: "demo", domain: { name: "other" } };
    const unknown = await cloud.post(`${v3}/auth/tokens`, {
      auth: { identity: { methods: ["password"], password: { user: { ...byName, password: "wrong" } } } },
    });
    expect(unknown.status).toBe(401);
    const words = "Cannot delete a domain that is enabled, please disable it first.";
    expectRefused(await remove(`/domains/${domain.id}`), 403, words);
    expect((await patch(`/domains/${domain.id}`, { domain: { enabled: false } })).body.domain.enabled).toBe(false);
    expect((await logIn(user.id, "unscoped")).status).toBe(401);
    expect((await cloud.get(`${v3}/auth/projects`, { token })).status).toBe(401);
    expect((await remove(`/domains/${domain.id}`)).status).toBe(204);
    expectRefused(await get(`/users/${user.id}`), 404, `Could not find user: ${user.id}.`);
    expectRefused(await get(`/projects/${project.id}`), 404, `Could not find project: ${project.id}.`);
    expectRefused(await get(`/roles/${own.id}`), 404, `Could not find role: ${own.id}.`);
    // nor is anything told of what they implied
    expect((await get("/role_inferences")).status).toBe(200);
  });
});

describe("projects", () => {
  it("lie below others", async () => {
    const parent = await make("project", { name: "parent" });
    const child = await make("project", { name: "child", parent_id: parent.id, tags: ["a", "b"], cost: "center" });
    expect(child).toMatchObject({ parent_id: parent.id, domain_id: "default", cost: "center" });
    const family = async (query: string) => (await get(`/projects/${query}`)).body.project;
    expect((await family(`${child.id}?parents_as_ids`)).parents).toEqual({ [parent.id]: { default: null } });
    expect((await family(`${parent.id}?subtree_as_ids`)).subtree).toEqual({ [child.id]: null });
    const disable = await patch(`/projects/${parent.id}`, { project: { enabled: false } });
    const subtree = `Cannot disable project ${parent.id} since its subtree contains enabled projects.`;
    expectRefused(disable, 403, subtree);
    const leaf = `Cannot delete the project ${parent.id} since it is not a leaf in the hierarchy. Use the cascade option if you want to delete a whole subtree.`;
    expectRefused(await remove(`/projects/${parent.id}`), 403, leaf);
    expect((await get("/projects?tags=a,b")).body.projects).toMatchObject([{ id: child.id }]);
    expect((await get("/projects?not-tags-any=a")).body.projects).not.toContainEqual(
      expect.objectContaining({ id: child.id }),
    );
    expect((await put(`/projects/${child.id}/tags/c`)).status).toBe(201);
    expect((await get(`/projects/${child.id}/tags`)).body.tags).toEqual(["a", "b", "c"]);
    const strange = await put(`/projects/${child.id}/tags/%00%E2%82%AC`);
    expect(strange.headers.get("location")).toMatch(/\/tags\/%00%E2%82%AC$/);
    expect((await remove(`/projects/${child.id}/tags/%00%E2%82%AC`)).status).toBe(204);
    expect((await remove(`/projects/${child.id}/tags/a`)).status).toBe(204);
    expectRefused(await get(`/projects/${child.id}/tags/a`), 404, "Could not find project tag: a.");
    expect((await get("/projects?name__startswith=par")).body.projects).toMatchObject([{ id: parent.id }]);
    expect((await get("/projects?is_domain=true")).body.projects).toMatchObject([{ id: "default", domain_id: null }]);
    for (const { id } of [child, parent]) expect((await remove(`/projects/${id}`)).status).toBe(204);
  });

  it("name what was wrong with them", async () => {
    const refused = async (fields: Record<string, unknown>) => cloud.post(`${v3}/projects`, { project: fields }, admin);
    expectRefused(await refused({}), 400, "'name' is a required property");
    expectRefused(await refused({ name: 5 }), 400, "Invalid input for field 'name': 5 is not of type 'string'");
    expectRefused(await refused({ name: "x", domain_id: "beef" }), 400, "Could not find domain: beef.");
    const notJson = await cloud.post(`${v3}/projects`, "{nope", {
      ...admin,
      headers: { "content-type": "application/json" },
    });
    expect(notJson.body.error.message).toMatch(/^Expecting to find valid JSON in request body\. The server could not/);
  });
});

describe("roles", () => {
  it("come by groups, from above and by other roles, and are in tokens as long as they are held", async () => {
    const project = await make("project", { name: "roles" });
    const user = await make("user", { name: "eve", password: "secret" });
    const [group, builder, viewer] = [
      await make("group", { name: "builders" }),
      await make("role", { name: "builder" }),
      await make("role", { name: "viewer" }),
    ];
    const scope = { project: { id: project.id } };
    const implies = `/roles/${builder.id}/implies/${viewer.id}`;
    expect((await put(implies)).status).toBe(201);
    expectRefused(await put(implies), 409, "Conflict occurred attempting to store implied_role - Duplicate entry.");
    expect((await put(`/projects/${project.id}/groups/${group.id}/roles/${builder.id}`)).status).toBe(204);
    expect((await logIn(user.id, scope)).status).toBe(401);
    expect((await put(`/groups/${group.id}/users/${user.id}`)).status).toBe(204);
    const session = await logIn(user.id, scope);
    expect(rolesIn(session)).toEqual(["builder", "viewer"]);
    const effective = (await get(`/role_assignments?effective&user.id=${user.id}&include_names`)).body;
    expect(effective.role_assignments).toMatchObject([
      {
        role: { name: "builder" },
        user: { name: "eve", domain: { name: "Default" } },
        scope: { project: { name: "roles" } },
      },
      { role: { name: "viewer" }, links: { prior_role: expect.stringContaining(`/implies/${builder.id}`) } },
    ]);
    expect((await get(`/role_assignments?group.id=${group.id}`)).body.role_assignments).toMatchObject([
      { group: { id: group.id }, role: { id: builder.id } },
    ]);

    const token = session.headers.get("x-subject-token") ?? "";
    const shown = () => cloud.get(`${v3}/auth/tokens`, { ...admin, headers: { "x-subject-token": token } });
    expect((await remove(implies)).status).toBe(204);
    expect(rolesIn(await shown())).toEqual(["builder"]);
    expect((await remove(`/groups/${group.id}/users/${user.id}`)).status).toBe(204);
    expect((await shown()).status).toBe(404);
    const inherited = `/OS-INHERIT/domains/default/users/${user.id}/roles/${viewer.id}/inherited_to_projects`;
    expect((await put(inherited)).status).toBe(204);
    expect(rolesIn(await shown())).toEqual(["viewer"]);
    expect((await remove(inherited)).status).toBe(204);
    expectRefused(
      await remove(`/projects/${project.id}/users/${user.id}/roles/${viewer.id}`),
      404,
      `Could not find role assignment with role: ${viewer.id}, user or group: ${user.id}, project, domain, or system: ${project.id}.`,
    );
  });

  it("in the system are for Keystone alone", async () => {
    const identity = { methods: ["token"], token: { id: admin.token } };
    const answer = await cloud.post(`${v3}/auth/tokens`, { auth: { identity, scope: { system: { all: true } } } });
    expect(answer.body.token).toMatchObject({ system: { all: true }, methods: ["password", "token"] });
    expect(answer.body.token.audit_ids).toHaveLength(2);
    const token = answer.headers.get("x-subject-token") ?? "";
    expect((await cloud.get(`${v3}/users?name=demo`, { token })).body.users).toMatchObject([{ id: demoId }]);
    expect((await cloud.get("/compute/v2.1/servers", { token })).status).toBe(403);
    const mine = await cloud.authenticate(cloud.cloud.credentials.demo, { system: { all: true } });
    expect(mine.status).toBe(401);
  });

  it("that every cloud has cannot be changed or implied", async () => {
    const [reader] = (await get("/roles?name=reader")).body.roles;
    const [administrator] = (await get("/roles?name=admin")).body.roles;
    const words = (verb: string) =>
      `Unable to ${verb} immutable role resource: \`${reader.id}. Set resource option "immutable" to false first.`;
    expectRefused(await remove(`/roles/${reader.id}`), 403, words("delete"));
    expectRefused(await patch(`/roles/${reader.id}`, { role: { name: "r" } }), 403, words("update"));
    const implied = await put(`/roles/${reader.id}/implies/${administrator.id}`);
    expectRefused(implied, 403, `${administrator.id} cannot be an implied roles.`);
  });
});

describe("passwords", () => {
  it("are changed by whoever knows the old one, which ends all tokens", async () => {
    const user = await make("user", { name: "pat", password: "secret" });
    const token = (await logIn(user.id)).headers.get("x-subject-token") ?? "";
    const change = (original_password: string, password: string) =>
      cloud.post(`${v3}/users/${user.id}/password`, { user: { original_password, password } }, { token: "" });
    expect((await change("wrong", "new")).status).toBe(401);
    expect((await change("secret", "new")).status).toBe(204);
    expect((await cloud.get(`${v3}/auth/projects`, { token })).status).toBe(401);
    expect([(await logIn(user.id)).status, (await logIn(user.id, undefined, "new")).status]).toEqual([401, 201]);
  });
});

describe("the catalogue", () => {
  it("is what administrators make of it", async () => {
    const service = await make("service", { type: "dns", name: "designate" });
    const endpoint = { service_id: service.id, interface: "public", url: "http://dns/$(tenant_id)s" };
    const made = await make("endpoint", { ...endpoint, region: "Elsewhere" });
    expect(made).toMatchObject({ region: "Elsewhere", region_id: "Elsewhere", enabled: true });
    const entry = async (scope?: unknown) =>
      (await cloud.authenticate(cloud.cloud.credentials.admin, scope)).body.token.catalog.find(
        ({ type }: { type: string }) => type === "dns",
      ).endpoints;
    expect(await entry()).toMatchObject([{ url: expect.stringMatching(/^http:\/\/dns\/[0-9a-f]{32}$/) }]);
    expect(await entry({ system: { all: true } })).toEqual([]);
    const bound = "Unable to delete region Elsewhere because it or its child regions have associated endpoints.";
    expectRefused(await remove("/regions/Elsewhere"), 403, bound);
    const lost = await cloud.post(`${v3}/endpoints`, { endpoint: { ...endpoint, service_id: "beef" } }, admin);
    expect(lost.body.error.message).toMatch(/^Expecting to find endpoint service_id in service table\./);
    expect((await remove(`/services/${service.id}`)).status).toBe(204);
    expect((await remove("/regions/Elsewhere")).status).toBe(204);
    expect((await get(`/endpoints/${made.id}`)).status).toBe(404);
  });
});

describe("what Keystone keeps for others", () => {
  it("limits, which a project reads", async () => {
    const [{ id: service_id }] = (await get("/services?type=compute")).body.services;
    const about = { service_id, resource_name: "vcpu" };
    const post = (kind: string, item: unknown) => cloud.post(`${v3}/${kind}`, { [kind]: [item] }, admin);
    const limit = { ...about, project_id: cloud.projectId, resource_limit: 5 };
    const unregistered = "Unable to create a limit that has no corresponding registered limit.";
    expectRefused(await post("limits", limit), 403, unregistered);
    const registered = await post("registered_limits", { ...about, default_limit: 10 });
    expect(registered.body.registered_limits).toMatchObject([{ default_limit: 10, region_id: null }]);
    expect((await post("limits", limit)).status).toBe(201);
    expectRefused(await post("limits", limit), 409, "Conflict occurred attempting to store limit - Duplicate entry.");
    const { limits } = (await cloud.get(`${v3}/limits`)).body;
    expect(limits).toMatchObject([{ resource_limit: 5, project_id: cloud.projectId, domain_id: null }]);
    expect((await remove(`/registered_limits/${registered.body.registered_limits[0].id}`)).status).toBe(403);
  });

  it("key pairs for EC2's clients, of one's own", async () => {
    const path = `${v3}/users/${demoId}/credentials/OS-EC2`;
    const { credential } = (await cloud.post(path, { tenant_id: cloud.projectId })).body;
    expect(credential).toMatchObject({ tenant_id: cloud.projectId, trust_id: null });
    const [kept] = (await cloud.get(`${v3}/credentials`)).body.credentials;
    expect(JSON.parse(kept.blob)).toMatchObject({ access: credential.access, secret: credential.secret });
    expect((await cloud.delete(`${path}/${credential.access}`)).status).toBe(204);
    expectRefused(await cloud.get(`${path}/${credential.access}`), 404, `Could not find credential: ${kept.id}.`);
    const adminId = (await get("/users?name=admin")).body.users[0].id;
    expect((await cloud.get(path.replace(demoId, adminId))).status).toBe(403);
  });
});
