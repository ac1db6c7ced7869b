import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FakeHypervisor } from "../../src/cloud/hypervisors/fake.ts";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
let admin: { token: string };
let id: string;
beforeAll(async () => {
  cloud = await TestCloud.start({ hypervisor: new FakeHypervisor() });
  admin = { token: await cloud.adminToken() };
  const limits = { quota_set: { instances: -1, cores: -1 } };
  await cloud.put(`/compute/v2.1/os-quota-sets/${cloud.projectId}`, limits, admin);
});
afterAll(() => cloud.remove());
beforeEach(async () => {
  id = (await cloud.bootServer({ networks: [] })).id;
});

const nova = "/compute/v2.1";
const at = (minor: number, options: object = {}) => ({
  ...options,
  headers: { "openstack-api-version": `compute 2.${minor}` },
});
const act = async (action: object, options = {}) => {
  const answer = await cloud.post(`${nova}/servers/${id}/action`, action, options);
  await cloud.cloud.idle();
  return answer;
};
const status = async () => (await cloud.server(id)).status;
const conflict = (message: string) => ({ conflictingRequest: { code: 409, message } });

describe("a server", () => {
  it.each([
    ["pause", "PAUSED", "unpause", "paused"],
    ["suspend", "SUSPENDED", "resume", "suspended"],
    ["rescue", "RESCUE", "unrescue", "rescued"],
    ["shelve", "SHELVED_OFFLOADED", "unshelve", "shelved_offloaded"],
  ])("is held by %s, and goes on", async (hold, held, letGo, state) => {
    expect((await act({ [letGo]: null })).body).toEqual(
      conflict(`Cannot '${letGo}' instance ${id} while it is in vm_state active`),
    );
    expect((await act({ [hold]: null })).status).toBe(hold === "rescue" ? 200 : 202);
    expect(await status()).toBe(held);
    expect((await act({ [hold]: null })).body).toEqual(
      conflict(`Cannot '${hold}' instance ${id} while it is in vm_state ${state}`),
    );
    expect((await act({ [letGo]: null })).status).toBe(202);
    expect(await status()).toBe("ACTIVE");
  });

  it("is what it was after a restart of the cloud", async () => {
    const [paused, suspended] = [id, (await cloud.bootServer({ networks: [] })).id];
    await act({ pause: null });
    await cloud.post(`${nova}/servers/${suspended}/action`, { suspend: null });
    await cloud.cloud.idle();
    await cloud.restart();
    await cloud.cloud.idle();
    expect((await cloud.server(paused)).status).toBe("PAUSED");
    expect((await cloud.server(suspended)).status).toBe("SUSPENDED");
  });

  it("that is locked is acted on by administrators alone, and unlocked by who locked it", async () => {
    await act({ lock: { locked_reason: "because" } }, at(73));
    expect(await cloud.server(id, "2.73")).toMatchObject({ locked: true, locked_reason: "because" });
    const locked = conflict(`Instance ${id} is locked`);
    for (const action of [{ "os-stop": null }, { rebuild: { imageRef: (await cloud.server(id)).image.id } }]) {
      expect((await act(action)).body).toEqual(locked);
    }
    expect((await cloud.delete(`${nova}/servers/${id}`)).body).toEqual(locked);
    expect((await cloud.put(`${nova}/servers/${id}/metadata`, { metadata: {} })).body).toEqual(locked);
    expect((await act({ "os-stop": null }, admin)).status).toBe(202);
    expect((await act({ unlock: null })).status).toBe(202);
    await act({ lock: null }, admin);
    expect((await act({ unlock: null })).body.forbidden.message).toBe(
      "Policy doesn't allow os_compute_api:os-lock-server:unlock:unlock_override to be performed.",
    );
    expect((await act({ unlock: null }, admin)).status).toBe(202);
  });

  it("is put into a state by administrators alone, which is no other's than Nova's two", async () => {
    const reset = (state: string) => ({ "os-resetState": { state } });
    expect((await act(reset("error"))).status).toBe(403);
    expect((await act(reset("paused"), admin)).body.badRequest.message).toBe(
      "Invalid input for field/attribute state. Value: paused. 'paused' is not one of ['active', 'error']",
    );
    await act(reset("error"), admin);
    expect(await status()).toBe("ERROR");
  });

  it("becomes an image, of whose backups as many are kept as are asked for", async () => {
    const made = await act({ createImage: { name: "snap", metadata: { a: "b" } } }, at(45));
    const image = (await cloud.get(`/image/v2/images/${made.body.image_id}`)).body;
    expect(image).toMatchObject({ name: "snap", status: "active", image_type: "snapshot", instance_uuid: id, a: "b" });
    expect((await act({ createImage: { name: "snap" } })).headers.get("location")).toMatch(/\/v2\/images\/[0-9a-f-]+$/);
    const backup = (name: string) => act({ createBackup: { name, backup_type: "daily", rotation: 2 } });
    const list = async () => (await cloud.get("/image/v2/images?backup_type=daily")).body.images;
    const properties = { image_type: "backup", backup_type: "daily", instance_uuid: id };
    // another project's that says to be one counts for nothing, and one that is protected stays
    await cloud.post("/image/v2/images", { name: "foreign", visibility: "public", ...properties }, admin);
    await backup("kept");
    const [{ id: kept }] = await list();
    await cloud.request("PATCH", `/image/v2/images/${kept}`, {
      body: JSON.stringify([{ op: "replace", path: "/protected", value: true }]),
      headers: { "content-type": "application/openstack-images-v2.1-json-patch" },
    });
    for (const name of ["one", "two", "three"]) await backup(name);
    const names = (await list()).map(({ name }: { name: string }) => name);
    expect(names.toSorted()).toEqual(["foreign", "kept", "three", "two"]);
  });

  it("asks for screens and hosts that are not there in vain", async () => {
    expect((await act({ "os-getVNCConsole": { type: "novnc" } })).body.badRequest.message).toBe(
      "Unavailable console type novnc.",
    );
    expect((await act({ "os-getVNCConsole": { type: "novnc" } }, at(6))).status).toBe(404);
    expect((await act({ migrate: null })).status).toBe(403);
    expect((await act({ migrate: null }, admin)).status).toBe(202);
    const { instanceActions } = (await cloud.get(`${nova}/servers/${id}/os-instance-actions`)).body;
    expect(instanceActions[0]).toMatchObject({ action: "migrate", message: "Error" });
    expect(await status()).toBe("ACTIVE");
  });
});

describe("what was done with a server", () => {
  const list = async (query = "", minor = 58) =>
    (await cloud.get(`${nova}/servers/${id}/os-instance-actions${query}`, at(minor))).body;

  it("is told, the newest first, in pages, also when the server is gone", async () => {
    const stopped = await act({ "os-stop": null });
    await act({ "os-start": null });
    const { instanceActions: all } = await list();
    expect(all.map(({ action }: { action: string }) => action)).toEqual(["start", "stop", "create"]);
    expect(all[1].request_id).toBe(stopped.headers.get("x-openstack-request-id"));
    const page = await list("?limit=2");
    expect(page.instanceActions).toHaveLength(2);
    const next = new URL(page.links[0].href);
    expect((await list(next.search)).instanceActions).toEqual(all.slice(2));
    expect((await list("?marker=none")).badRequest.message).toBe("Marker none could not be found.");

    await cloud.delete(`${nova}/servers/${id}`);
    await cloud.cloud.idle();
    expect((await list("", 20)).itemNotFound.code).toBe(404);
    expect((await list("", 21)).instanceActions[0]).toMatchObject({ action: "delete", message: null });
  });

  it("has events, of which administrators see where they were", async () => {
    const path = `${nova}/servers/${id}/os-instance-actions/${(await list()).instanceActions[0].request_id}`;
    const show = async (minor: number, options = {}) =>
      (await cloud.get(path, at(minor, options))).body.instanceAction.events;
    expect(await show(50)).toBeUndefined();
    const event = { event: "compute__do_build_and_run_instance", result: "Success" };
    const times = { start_time: expect.any(String), finish_time: expect.any(String) };
    expect(await show(62)).toEqual([{ ...event, ...times, hostId: expect.any(String) }]);
    const seen = { ...event, ...times, hostId: expect.any(String), host: "slipway", traceback: null, details: null };
    expect(await show(84, admin)).toEqual([seen]);
  });
});
