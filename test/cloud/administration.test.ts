import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
let admin: { token: string };
beforeAll(async () => {
  cloud = await TestCloud.start();
  admin = { token: await cloud.adminToken() };
});
afterAll(() => cloud.remove());

const patch = (path: string, body: unknown) => cloud.request("PATCH", path, { ...admin, body });
const identity = "/identity/v3";
const nova = "/compute/v2.1";

describe("users and projects", () => {
  it("of an administrator log in where they have a role, with the password that they have by now", async () => {
    const { id: project } = (await cloud.post(`${identity}/projects`, { project: { name: "lab" } }, admin)).body
      .project;
    const made = await cloud.post(`${identity}/users`, { user: { name: "ann", password: "first" } }, admin);
    expect(made.status).toBe(201);
    expect(made.text).not.toContain("first");
    const { id: user } = made.body.user;
    const logIn = (password: string) => cloud.authenticate({ username: "ann", password, projectName: "lab" });
    expect((await logIn("first")).status).toBe(401); // no role yet
    const { roles } = (await cloud.get(`${identity}/roles?name=member`, admin)).body;
    const grant = `${identity}/projects/${project}/users/${user}/roles/${roles[0].id}`;
    expect((await cloud.put(grant, undefined, admin)).status).toBe(204);
    expect((await cloud.request("HEAD", grant, admin)).status).toBe(204);
    const { role_assignments: listed } = (await cloud.get(`${identity}/role_assignments?user.id=${user}`, admin)).body;
    expect(listed).toMatchObject([{ role: { id: roles[0].id }, scope: { project: { id: project } } }]);

    const session = await logIn("first");
    expect(session.status).toBe(201);
    const token = session.headers.get("x-subject-token") ?? "";
    expect((await cloud.get(`${nova}/servers`, { token })).status).toBe(200);
    expect((await patch(`${identity}/users/${user}`, { user: { password: "second" } })).status).toBe(200);
    expect((await cloud.get(`${nova}/servers`, { token })).status).toBe(401);
    expect([(await logIn("first")).status, (await logIn("second")).status]).toEqual([401, 201]);

    const inside = (await logIn("second")).headers.get("x-subject-token") ?? "";
    await patch(`${identity}/projects/${project}`, { project: { enabled: false } });
    expect((await logIn("second")).status).toBe(401);
    expect((await cloud.get(`${nova}/servers`, { token: inside })).status).toBe(401);
    await patch(`${identity}/projects/${project}`, { project: { enabled: true } });
    await patch(`${identity}/users/${user}`, { user: { enabled: false } });
    expect((await logIn("second")).status).toBe(401);
    expect((await cloud.delete(`${identity}/users/${user}`, admin)).status).toBe(204);
    expect((await cloud.delete(`${identity}/users/${user}`, admin)).body.error.message).toBe(
      `Could not find user: ${user}.`,
    );
    expect((await cloud.get(`${identity}/role_assignments?user.id=${user}`, admin)).body.role_assignments).toEqual([]);
  });

  it("have names of their own, and are nobody else's to make", async () => {
    const create = (token?: { token: string }) =>
      cloud.post(`${identity}/projects`, { project: { name: "twice" } }, token);
    expect((await create()).status).toBe(403);
    expect((await create(admin)).status).toBe(201);
    const again = await create(admin);
    expect(again.status).toBe(409);
    expect(again.body.error.message).toMatch(
      /^Conflict occurred attempting to store project - it is not permitted to have two projects with either the same name or same id in the same domain: name is twice, project id [0-9a-f]{32}\.$/,
    );
  });
});

describe("flavors", () => {
  it("of an administrator are booted from by those who see them", async () => {
    const make = (fields: Record<string, unknown>, options = admin) =>
      cloud.post(`${nova}/flavors`, { flavor: { ram: 512, vcpus: 1, disk: 1, ...fields } }, options);
    expect((await make({ name: "mine" }, { token: cloud.token })).status).toBe(403);
    const shown = await make({ name: "shared", id: "42" });
    expect(shown.body.flavor).toMatchObject({ id: "42", swap: "", "os-flavor-access:is_public": true });
    expect((await make({ name: "other", id: "42" })).body.conflictingRequest.message).toBe(
      "Flavor with ID 42 already exists.",
    );
    expect((await cloud.bootServer({ flavorRef: "42", networks: [] })).flavor.id).toBe("42");
    await make({ name: "hidden", id: "43", "os-flavor-access:is_public": false });
    expect((await cloud.get(`${nova}/flavors/43`)).status).toBe(404);
    expect((await cloud.get(`${nova}/flavors/43`, admin)).status).toBe(200);
    const names = async (query: string) =>
      (await cloud.get(`${nova}/flavors${query}`, admin)).body.flavors.map((item: { name: string }) => item.name);
    expect(await names("")).not.toContain("hidden");
    expect(await names("?is_public=False")).toEqual(["hidden"]);
    expect(await names("?is_public=None")).toEqual(expect.arrayContaining(["hidden", "shared", "m1.small"]));
    const specs = `${nova}/flavors/42/os-extra_specs`;
    await cloud.post(specs, { extra_specs: { "hw:cpu_policy": "shared" } }, admin);
    expect((await cloud.get(specs)).body.extra_specs).toEqual({ "hw:cpu_policy": "shared" });
    expect((await cloud.delete(`${specs}/hw:cpu_policy`, admin)).status).toBe(200);
    expect((await cloud.delete(`${nova}/flavors/42`, admin)).status).toBe(202);
    expect((await cloud.get(`${nova}/flavors/42`)).status).toBe(404);
  });
});

describe("quotas", () => {
  it("of a project bound what it has, until they are the defaults again", async () => {
    const path = `${nova}/os-quota-sets/${cloud.projectId}`;
    const refused = await cloud.put(path, { quota_set: { instances: 0 } }, admin);
    expect(refused.body.badRequest.message).toBe(
      "Quota limit 0 for instances must be greater than or equal to already used and reserved 1.",
    );
    const body = { quota_set: { instances: 0, force: true } };
    expect((await cloud.put(path, body)).status).toBe(403);
    expect((await cloud.put(path, body, admin)).body.quota_set).toMatchObject({ instances: 0, cores: 20 });
    expect((await cloud.get(`${nova}/limits`)).body.limits.absolute.maxTotalInstances).toBe(0);
    await expect(cloud.bootServer({ networks: [] })).rejects.toThrow("Quota exceeded for instances");
    expect((await cloud.put(path, { quota_set: { instances: -2 } }, admin)).status).toBe(400);
    expect((await cloud.delete(path, admin)).status).toBe(202);
    expect((await cloud.get(path)).body.quota_set.instances).toBe(10);
  });
});
