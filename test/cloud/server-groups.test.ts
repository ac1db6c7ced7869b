import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
beforeEach(async () => {
  cloud = await TestCloud.start();
});
afterEach(() => cloud.remove());

const path = (rest = "") => `/compute/v2.1/os-server-groups${rest}`;
const version = (minor: number) => ({ headers: { "openstack-api-version": `compute 2.${minor}` } });
const create = (fields: Record<string, unknown>, minor = 1) =>
  cloud.post(path(), { server_group: fields }, version(minor));

describe("server groups", () => {
  it("say what they are at each microversion, as Nova does", async () => {
    const created = await create({ name: "g", policies: ["soft-affinity"] }, 15);
    expect(created.status).toBe(200);
    const { id } = created.body.server_group;
    const owner = { project_id: cloud.projectId, user_id: expect.any(String) };
    expect(created.body.server_group).toEqual({
      ...{ id, name: "g", policies: ["soft-affinity"], metadata: {}, members: [] },
      ...owner,
    });
    expect((await cloud.get(path(`/${id}`))).body.server_group).not.toHaveProperty("project_id");
    expect((await cloud.get(path(`/${id}`), version(64))).body.server_group).toEqual({
      ...{ id, name: "g", policy: "soft-affinity", rules: {}, members: [] },
      ...owner,
    });
    expect((await cloud.get(path())).body.server_groups).toHaveLength(1);
    expect((await cloud.delete(path(`/${id}`))).status).toBe(204);
    const gone = await cloud.get(path(`/${id}`));
    expect(gone.body).toEqual({ itemNotFound: { code: 404, message: `Instance group ${id} could not be found.` } });
  });

  it("have the policies and rules of their microversion", async () => {
    expect((await create({ name: "g", policies: ["soft-affinity"] }, 14)).status).toBe(400);
    expect((await create({ name: "g", policy: "affinity" }, 15)).status).toBe(400);
    expect((await create({ name: "g", policies: ["affinity"] }, 64)).status).toBe(400);
    const rules = { max_server_per_host: 2 };
    expect((await create({ name: "g", policy: "affinity", rules }, 64)).body.badRequest.message).toBe(
      "Only anti-affinity policy supports rules.",
    );
    expect((await create({ name: "g", policy: "anti-affinity", rules }, 64)).body.server_group.rules).toEqual(rules);
  });

  it("belong to their project and are ten at most", async () => {
    for (let count = 0; count < 10; count++)
      expect((await create({ name: "g", policies: ["affinity"] })).status).toBe(200);
    const eleventh = await create({ name: "g", policies: ["affinity"] });
    expect(eleventh.status).toBe(403);
    expect(eleventh.body.forbidden.message).toBe("Quota exceeded, too many server groups.");
    const admin = { token: await cloud.adminToken() };
    expect((await cloud.get(path(), admin)).body.server_groups).toEqual([]);
    expect((await cloud.get(path("?all_projects"), admin)).body.server_groups).toHaveLength(10);
  });

  it("keep the servers of an anti-affinity group on hosts of their own, of which there is one", async () => {
    const { id: group } = (await create({ name: "apart", policies: ["anti-affinity"] })).body.server_group;
    const first = (await cloud.bootServer({}, { group })).id;
    const second = (await cloud.bootServer({}, { group })).id;
    expect(await cloud.server(first, "2.71")).toMatchObject({ status: "ACTIVE", server_groups: [group] });
    expect(await cloud.server(second)).toMatchObject({
      status: "ERROR",
      fault: { code: 500, message: "No valid host was found. There are not enough hosts available." },
    });
    expect((await cloud.get(path(`/${group}`))).body.server_group.members).toEqual([first, second]);
    const missing = "00000000-0000-0000-0000-000000000000";
    await expect(cloud.bootServer({}, { group: missing })).rejects.toThrow(
      `Instance group ${missing} could not be found.`,
    );
  });
});
