import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
let admin: { token: string };
let version53: { token: string; headers: Record<string, string> };
beforeAll(async () => {
  cloud = await TestCloud.start();
  admin = { token: await cloud.adminToken() };
  version53 = { ...admin, headers: { "openstack-api-version": "compute 2.53" } };
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

describe("extra specs", () => {
  it("of Nova's own names are checked since 2.86", async () => {
    await cloud.post(`${nova}/flavors`, { flavor: { name: "spec", id: "45", ram: 64, vcpus: 1, disk: 1 } }, admin);
    const path = `${nova}/flavors/45/os-extra_specs`;
    const at = (minor: number) => ({ ...admin, headers: { "openstack-api-version": `compute 2.${minor}` } });
    const refusals: [string, string, string][] = [
      ["hw:cpu_policy", "x", "'x' is not one of: dedicated, shared, mixed"],
      ["hw:numa_nodes", "0", "'0' is less than the min value of '1'"],
      ["hw:numa_nodes", "a", "'a' is not a valid integer value"],
      ["os:monitors", "9", "'9' is greater than the max value of '8'"],
      ["hw:boot_menu", "maybe", "'maybe' is not a valid boolean-like value"],
      ["hw:numa_cpus.0", "a", "'a' is not of the format '\\^?\\d+((-\\d+)?(,\\^?\\d+(-\\d+)?)?)*'"],
      ["resources1:VCPU", "x", "'x' is not a valid integer value"],
      ["trait:CUSTOM_X", "x", "'x' is not one of: required, forbidden"],
      ["hw:foo", "1", "extra spec 'hw:foo' does not appear to be a valid extra spec"],
      ["resources:FOO", "1", "extra spec 'resources:FOO' does not appear to be a valid extra spec"],
    ];
    for (const [name, value, words] of refusals) {
      const answer = await cloud.post(path, { extra_specs: { [name]: value } }, at(86));
      expect(answer.body.badRequest?.message).toBe(`Validation failed; ${words}.`);
      expect((await cloud.put(`${path}/${name}`, { [name]: value }, at(86))).status).toBe(400);
      expect((await cloud.post(path, { extra_specs: { [name]: value } }, at(85))).status).toBe(200);
    }
    const taken = { "hw:cpu_policy": "mixed", "hw:boot_menu": "yes", "mine:foo": "1", constructor: "x", trait: "y" };
    expect((await cloud.post(path, { extra_specs: taken }, at(86))).status).toBe(200);
  });
});

describe("a private flavor", () => {
  it("is seen by the projects that were given access", async () => {
    const flavor = { name: "given", id: "44", ram: 64, vcpus: 1, disk: 1, "os-flavor-access:is_public": false };
    await cloud.post(`${nova}/flavors`, { flavor }, admin);
    const act = (action: object) => cloud.post(`${nova}/flavors/44/action`, action, admin);
    expect((await act({ addTenantAccess: { tenant: "nobody" } })).body.badRequest.message).toBe(
      "Project ID nobody is not a valid project.",
    );
    const granted = await act({ addTenantAccess: { tenant: cloud.projectId } });
    expect(granted.body).toEqual({ flavor_access: [{ flavor_id: "44", tenant_id: cloud.projectId }] });
    expect((await act({ addTenantAccess: { tenant: cloud.projectId } })).status).toBe(409);
    expect((await cloud.get(`${nova}/flavors/44`)).status).toBe(200);
    expect((await act({ removeTenantAccess: { tenant: cloud.projectId } })).body).toEqual({ flavor_access: [] });
    expect((await cloud.get(`${nova}/flavors/44`)).status).toBe(404);
  });
});

describe("an aggregate", () => {
  it("with a zone puts the host into it, while no server is there", async () => {
    const made = await cloud.post(
      `${nova}/os-aggregates`,
      { aggregate: { name: "a", availability_zone: "east" } },
      admin,
    );
    const path = `${nova}/os-aggregates/${made.body.aggregate.id}`;
    const act = (action: object) => cloud.post(`${path}/action`, action, admin);
    expect((await act({ add_host: { host: "other" } })).status).toBe(404);
    expect((await act({ add_host: { host: "slipway" } })).body.aggregate).toMatchObject({ hosts: ["slipway"] });
    expect((await act({ add_host: { host: "slipway" } })).status).toBe(409);
    const zones = (await cloud.get(`${nova}/os-availability-zone`)).body.availabilityZoneInfo;
    expect(zones).toEqual([{ zoneName: "east", zoneState: { available: true }, hosts: null }]);
    await cloud.put(`${nova}/os-quota-sets/${cloud.projectId}`, { quota_set: { instances: 10, force: true } }, admin);
    const server = await cloud.bootServer({ networks: [], availability_zone: "east" });
    expect(server["OS-EXT-AZ:availability_zone"]).toBe("east");
    await expect(cloud.bootServer({ networks: [], availability_zone: "nova" })).rejects.toThrow("not available");
    expect((await act({ set_metadata: { metadata: { availability_zone: "west" } } })).status).toBe(400);
    await act({ remove_host: { host: "slipway" } });
    expect((await cloud.delete(path, admin)).status).toBe(200);
  });
});

describe("a service", () => {
  it("that is disabled takes no new servers", async () => {
    const [service] = (await cloud.get(`${nova}/os-services?binary=nova-compute`, version53)).body.services;
    const set = (state: object) => cloud.put(`${nova}/os-services/${service.id}`, state, version53);
    expect((await set({ status: "disabled", disabled_reason: "work" })).body.service).toMatchObject({
      status: "disabled",
      disabled_reason: "work",
      state: "up",
    });
    const server = await cloud.bootServer({ networks: [] });
    expect(server).toMatchObject({
      status: "ERROR",
      fault: { message: "No valid host was found. There are not enough hosts available." },
    });
    expect((await set({ status: "enabled" })).body.service).toMatchObject({ status: "enabled", disabled_reason: null });
    expect((await cloud.bootServer({ networks: [] })).status).toBe("ACTIVE");
  });
});

describe("usage", () => {
  it("tells how long which servers ran", async () => {
    const end = new Date(Date.now() + 3_600_000).toISOString().slice(0, 19);
    const usage = (
      await cloud.get(`${nova}/os-simple-tenant-usage/${cloud.projectId}?start=2020-01-01T00:00:00&end=${end}`)
    ).body.tenant_usage;
    expect(usage).toMatchObject({ tenant_id: cloud.projectId, total_hours: expect.any(Number) });
    expect(usage.server_usages.length).toBeGreaterThan(0);
    expect(usage.server_usages[0]).toMatchObject({ tenant_id: cloud.projectId, flavor: expect.any(String), vcpus: 1 });
  });
});
