import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { imageTable } from "../../src/cloud/image/records.ts";
import { stateFiles } from "../../src/cloud/store/state.ts";
import { Store } from "../../src/cloud/store/store.ts";
import { GroupLifecycle } from "../../src/cloud/volume/group-lifecycle.ts";
import { groupTables } from "../../src/cloud/volume/group-records.ts";
import { VolumeLifecycle } from "../../src/cloud/volume/lifecycle.ts";
import { messageTable } from "../../src/cloud/volume/message-records.ts";
import { snapshotTable, volumeTable } from "../../src/cloud/volume/records.ts";
import { type Answer, TestCloud } from "./support.ts";

let cloud: TestCloud;
let asAdmin: { token: string; headers: Record<string, string> };
let adminPath: string;
beforeEach(async () => {
  cloud = await TestCloud.start();
  asAdmin = { token: await cloud.adminToken(), ...at() };
  const { projects } = (await cloud.get("/identity/v3/auth/projects", asAdmin)).body;
  adminPath = `/volume/v3/${projects.find(({ name }: { name: string }) => name === "admin").id}`;
});
afterEach(() => cloud.remove());

const at = (minor = 70) => ({ headers: { "openstack-api-version": `volume 3.${minor}` } });
const path = (rest: string) => `/volume/v3/${cloud.projectId}${rest}`;
const post = (rest: string, body: unknown) => cloud.post(path(rest), body, at());
const put = (rest: string, body: unknown) => cloud.put(path(rest), body, at());
const get = async (rest: string, minor = 70) => (await cloud.get(path(rest), at(minor))).body;
const idle = async () => {
  await cloud.cloud.idle();
  await new Promise((resolve) => setImmediate(resolve));
};
const said = ({ status, body }: Answer) => [status, (Object.values(body)[0] as { message: string }).message];
const volumeType = async () => (await get("/types/default")).volume_type.id as string;

async function newType(fields: object = {}): Promise<string> {
  const body = { group_type: { name: "together", ...fields } };
  return (await cloud.post(`${adminPath}/group_types`, body, asAdmin)).body.group_type.id;
}

async function newGroup(groupType: string): Promise<string> {
  const body = { group: { name: "data", group_type: groupType, volume_types: [await volumeType()] } };
  return (await post("/groups", body)).body.group.id;
}

async function newVolume(bytes: Buffer, fields: object = {}): Promise<string> {
  const { id } = (await post("/volumes", { volume: { size: 1, volume_type: await volumeType(), ...fields } })).body
    .volume;
  await idle();
  const file = await open(join(stateFiles(cloud.stateDir).volumes, `volume-${id}`), "r+");
  await file.write(bytes, 0, bytes.length, 0).finally(() => file.close());
  return id;
}

async function read(volumeId: string): Promise<Buffer> {
  const file = await open(join(stateFiles(cloud.stateDir).volumes, `volume-${volumeId}`));
  const bytes = Buffer.alloc(512);
  await file.read(bytes, 0, 512, 0).finally(() => file.close());
  return bytes;
}

const ids = (list: { id: string }[]) => list.map(({ id }) => id);

it("groups of volumes are snapshotted, copied and deleted together, and their bytes come along", async () => {
  const group = await newGroup(await newType());
  const [one, other] = [randomBytes(512), randomBytes(512)];
  const first = await newVolume(one, { group_id: group });
  const second = await newVolume(other);
  expect((await put(`/groups/${group}`, { group: { add_volumes: second, description: "of models" } })).status).toBe(
    202,
  );
  const shown = (await get(`/groups/${group}?list_volume=True`)).group;
  expect(shown).toEqual({
    ...{ id: group, name: "data", description: "of models", status: "available", availability_zone: "nova" },
    ...{ created_at: expect.any(String), group_type: expect.any(String), volume_types: [await volumeType()] },
    ...{ group_snapshot_id: null, source_group_id: null, replication_status: "disabled", volumes: [first, second] },
  });
  expect((await get(`/volumes/${first}`)).volume.group_id).toBe(group);

  const taken = await post("/group_snapshots", { group_snapshot: { group_id: group, name: "before" } });
  const { id: snapshot } = taken.body.group_snapshot;
  expect([taken.status, taken.body.group_snapshot]).toEqual([
    202,
    { id: snapshot, name: "before", group_type_id: shown.group_type },
  ]);
  await idle();
  expect((await get(`/group_snapshots/${snapshot}`)).group_snapshot).toEqual({
    ...{ id: snapshot, group_id: group, group_type_id: shown.group_type, status: "available", name: "before" },
    ...{ created_at: expect.any(String), description: null },
  });
  const { snapshots } = await get("/snapshots/detail");
  expect(snapshots.map((each: Record<string, unknown>) => each.group_snapshot_id)).toEqual([snapshot, snapshot]);
  expect((await cloud.delete(path(`/snapshots/${snapshots[0].id}`), at())).status).toBe(400);

  const copies: string[] = [];
  for (const source of [{ group_snapshot_id: snapshot }, { source_group_id: group }]) {
    const made = await post("/groups/action", { "create-from-src": { name: "copy", ...source } });
    expect(made.status).toBe(202);
    copies.push(made.body.group.id);
    await idle();
    const { volumes, status, ...told } = (await get(`/groups/${made.body.group.id}?list_volume=True`)).group;
    expect([status, told]).toEqual(["available", expect.objectContaining(source)]);
    expect(await Promise.all(volumes.map(read))).toEqual(expect.arrayContaining([one, other]));
  }
  expect(ids((await get("/groups")).groups)).toEqual([...copies.toReversed(), group]);

  const remove = (id: string, withVolumes = true) =>
    post(`/groups/${id}/action`, { delete: { "delete-volumes": withVolumes } });
  expect(said(await remove(group))).toEqual([400, "Invalid Group: Group has existing snapshots."]);
  expect((await cloud.delete(path(`/group_snapshots/${snapshot}`), at())).status).toBe(202);
  await idle();
  expect((await get("/snapshots")).snapshots).toEqual([]);
  expect(said(await remove(group, false))[1]).toMatch(/still contains volumes\. The delete-volumes flag is required/);
  expect((await cloud.delete(path(`/volumes/${first}`), at())).status).toBe(400);
  expect((await put(`/groups/${group}`, { group: { remove_volumes: first } })).status).toBe(202);
  for (const id of [...copies, group]) expect((await remove(id)).status).toBe(202);
  await idle();
  expect((await get("/groups")).groups).toEqual([]);
  expect(ids((await get("/volumes")).volumes)).toEqual([first]);
});

it("what does not fit a group is refused in Cinder's words, and groups count", async () => {
  const type = await newType();
  const group = await newGroup(type);
  const volume = await newVolume(randomBytes(512), { group_id: group });
  const change = async (fields: object) => said(await put(`/groups/${group}`, { group: fields }));
  const nothing = "00000000-0000-4000-8000-000000000000";
  expect(await change({ add_volumes: nothing })).toEqual([
    ...[400, `Invalid volume: Cannot add volume ${nothing} to group ${group} because volume cannot be found.`],
  ]);
  expect(await change({ remove_volumes: nothing })).toEqual([
    ...[400, `Invalid volume: Cannot remove volume ${nothing} from group ${group} because it is not in the group.`],
  ]);
  expect(await change({ add_volumes: volume, remove_volumes: volume })).toEqual([
    ...[400, `Invalid volume: UUIDs ['${volume}'] are in both add and remove volume list.`],
  ]);
  expect((await change({ name: "data" }))[1]).toMatch(
    /because no valid name, description, add_volumes, or remove_volumes/,
  );
  expect(said(await post("/volumes", { volume: { size: 1, group_id: group } }))).toEqual([
    ...[400, "Invalid input received: volume_type must be provided when creating a volume in a group."],
  ]);
  expect(said(await post("/groups", { group: { group_type: "none", volume_types: [await volumeType()] } }))).toEqual([
    ...[404, "Group type with name none could not be found."],
  ]);
  expect(said(await post("/groups/action", { "create-from-src": { source_group_id: await newGroup(type) } }))).toEqual([
    ...[400, "Invalid Group: Source Group is empty. No group will be created."],
  ]);
  expect((await get("/groups")).groups).toHaveLength(2);
  for (let count = 2; count < 10; count++) await newGroup(type);
  expect(said(await post("/groups", { group: { group_type: type, volume_types: [await volumeType()] } }))).toEqual([
    ...[413, "GroupLimitExceeded: Maximum number of groups allowed (10) exceeded"],
  ]);
  expect((await cloud.get(path("/groups"), at(12))).status).toBe(404);
  expect(said(await post(`/groups/${group}/action`, { reset_status: { status: "error" } }))[0]).toBe(403);
  expect(said(await post(`/groups/${group}/action`, { reset_status: { status: "sleeping" } }))).toEqual([
    ...[
      400,
      "Invalid Group Status: Group status: sleeping is invalid, valid status are: ('error', 'available', 'creating', 'deleting', 'deleted', 'updating', 'in-use', 'error_deleting').",
    ],
  ]);
  const reset = { reset_status: { status: "error" } };
  expect((await cloud.post(`${adminPath}/groups/${group}/action`, reset, asAdmin)).status).toBe(202);
  expect((await get(`/groups/${group}`)).group.status).toBe("error");
});

it("a volume of a group, and one whose snapshot is part of a group's, is handed to no other project", async () => {
  const group = await newGroup(await newType());
  const volume = await newVolume(randomBytes(512), { group_id: group });
  const inGroup = [400, `Invalid volume: Volume ${volume} must not be part of a group.`];
  const offer = (fields: object = {}) => post("/volume-transfers", { transfer: { volume_id: volume, ...fields } });
  expect(said(await offer())).toEqual(inGroup);

  await put(`/groups/${group}`, { group: { remove_volumes: volume } });
  const { transfer } = (await offer()).body;
  const reset = (status: string) =>
    cloud.post(`${adminPath}/volumes/${volume}/action`, { "os-reset_status": { status } }, asAdmin);
  await reset("available");
  expect((await put(`/groups/${group}`, { group: { add_volumes: volume } })).status).toBe(202);
  await reset("awaiting-transfer");
  const accept = async ({ id, auth_key }: { id: string; auth_key: string }) =>
    cloud.post(`${adminPath}/volume-transfers/${id}/accept`, { accept: { auth_key } }, asAdmin);
  expect(said(await accept(transfer))).toEqual(inGroup);
  expect((await cloud.delete(path(`/volume-transfers/${transfer.id}`), at())).status).toBe(202);

  await post("/group_snapshots", { group_snapshot: { group_id: group } });
  await idle();
  await put(`/groups/${group}`, { group: { remove_volumes: volume } });
  const [snapshot] = ids((await get("/snapshots")).snapshots);
  expect(said(await offer())).toEqual([
    ...[400, `Invalid snapshot: Snapshot ${snapshot} must not be part of a group snapshot.`],
  ]);
  expect((await accept((await offer({ no_snapshots: true })).body.transfer)).status).toBe(202);
  expect((await get(`/snapshots/${snapshot}`)).snapshot.status).toBe("available");
});

it("types of groups, with specs, are administrators' to change", async () => {
  const id = await newType({ description: "of one moment", group_specs: { a: "b" } });
  const seen = { id, name: "together", description: "of one moment", is_public: true };
  expect((await get(`/group_types/${id}`)).group_type).toEqual(seen);
  expect((await get("/group_types")).group_types).toEqual([seen]);
  const own = `${adminPath}/group_types/${id}`;
  const specs = `${own}/group_specs`;
  expect((await cloud.post(specs, { group_specs: { c: "d" } }, asAdmin)).status).toBe(202);
  expect((await cloud.put(`${specs}/a`, { a: "e" }, asAdmin)).body).toEqual({ a: "e" });
  expect((await cloud.get(own, asAdmin)).body.group_type).toEqual({ ...seen, group_specs: { a: "e", c: "d" } });
  expect((await cloud.delete(`${specs}/a`, asAdmin)).status).toBe(202);
  expect(said(await cloud.get(`${specs}/a`, asAdmin))).toEqual([404, `Group Type ${id} has no extra spec with key a.`]);
  expect((await cloud.put(own, { group_type: { is_public: false } }, asAdmin)).body.group_type.is_public).toBe(false);
  expect((await get("/group_types")).group_types).toEqual([]);
  expect(said(await cloud.get(path(`/group_types/${id}`), at()))).toEqual([
    404,
    `Group type ${id} could not be found.`,
  ]);
  const refused = await post("/groups", { group: { group_type: "together", volume_types: [await volumeType()] } });
  expect(said(refused)).toEqual([404, `Group type ${id} could not be found.`]);
  const names = async (query: string) => {
    const { group_types } = (await cloud.get(`${adminPath}/group_types${query}`, asAdmin)).body;
    return group_types.map(({ name }: { name: string }) => name);
  };
  expect(await names("")).toEqual([]);
  expect([await names("?is_public=none&name=nothing"), await names("?is_public=False")]).toEqual([
    ["together"],
    ["together"],
  ]);
  expect(said(await cloud.get(`${adminPath}/group_types?is_public=nonsense`, asAdmin))).toEqual([
    ...[400, "Invalid is_public filter [nonsense]"],
  ]);
  await cloud.put(own, { group_type: { is_public: true } }, asAdmin);
  const twin = { group_type: { name: "together" } };
  expect((await cloud.post(`${adminPath}/group_types`, twin, asAdmin)).status).toBe(409);
  expect((await post("/group_types", twin)).status).toBe(403);
  const group = await newGroup(id);
  expect(said(await cloud.delete(own, asAdmin))).toEqual([
    400,
    `Target group type is still in use. Group Type ${id} deletion is not allowed with groups present with the type.`,
  ]);
  expect(said(await post("/group_snapshots", { group_snapshot: { group_id: group } }))).toEqual([
    400,
    "Invalid Group: Source group cannot be empty or in 'creating' or 'updating' state. No group snapshot will be created.",
  ]);
  const replicate = (asked: object | null) => post(`/groups/${group}/action`, { enable_replication: asked });
  expect(said(await replicate({}))).toEqual([
    400,
    `Invalid group type: Group ${group} is not a replication group type.`,
  ]);
  expect(said(await replicate(null))).toEqual([
    400,
    "Invalid input for field/attribute enable_replication. Value: None. None is not of type 'object'",
  ]);
  await post(`/groups/${group}/action`, { delete: {} });
  await idle();
  expect((await cloud.delete(own, asAdmin)).status).toBe(202);
  expect(said(await cloud.get(own, asAdmin))).toEqual([404, `Group type ${id} could not be found.`]);
});

it("a group that was being deleted when the cloud was killed is gone after it", async () => {
  const group = await newGroup(await newType());
  const volume = await newVolume(randomBytes(512), { group_id: group });
  await cloud.cloud.close();
  const store = new Store(stateFiles(cloud.stateDir).database);
  groupTables(store).groups.patch(group, { status: "deleting" });
  volumeTable(store).patch(volume, { status: "deleting" });
  store.close();
  await cloud.restart();
  await idle();
  expect((await get("/groups")).groups).toEqual([]);
  expect((await get("/volumes")).volumes).toEqual([]);
});

it("a group, and a snapshot of one, that is deleted while it is made is gone", async () => {
  const group = await newGroup(await newType());
  const volume = await newVolume(randomBytes(512), { group_id: group });
  const taken = (await post("/group_snapshots", { group_snapshot: { group_id: group } })).body.group_snapshot.id;
  await idle();
  const [snapshot = ""] = ids((await get("/snapshots")).snapshots);
  await cloud.cloud.close();
  const { database, volumes: folder, images: imageFolder } = stateFiles(cloud.stateDir);
  const store = new Store(database);
  const { groups, groupSnapshots } = groupTables(store);
  const [volumes, snapshots] = [volumeTable(store), snapshotTable(store)];
  const lifecycle = new VolumeLifecycle({
    ...{ volumes, snapshots, images: imageTable(store), messages: messageTable(store), folder, imageFolder },
    ...{ log: () => undefined, whileStill: (_ids, work) => work(), grown: async () => undefined },
  });
  const groupLifecycle = new GroupLifecycle({
    groups,
    groupSnapshots,
    volumes,
    snapshots,
    lifecycle,
    log: () => undefined,
  });

  groupSnapshots.patch(taken, { status: "creating" });
  snapshots.patch(snapshot, { status: "creating" });
  groupLifecycle.createSnapshot(taken);
  groupSnapshots.patch(taken, { status: "deleting" });
  snapshots.patch(snapshot, { status: "deleting" });
  groupLifecycle.deleteSnapshot(taken);
  await lifecycle.idle();
  await new Promise((resolve) => setImmediate(resolve));
  expect([groupSnapshots.list(), snapshots.list()]).toEqual([[], []]);

  groups.patch(group, { status: "creating" });
  volumes.patch(volume, { status: "creating" });
  groupLifecycle.create(group);
  groups.patch(group, { status: "deleting" });
  volumes.patch(volume, { status: "deleting" });
  groupLifecycle.delete(group);
  await lifecycle.idle();
  await new Promise((resolve) => setImmediate(resolve));
  expect([groups.list(), volumes.list()]).toEqual([[], []]);
  store.close();
});

it("a group's snapshot that a kill has broken off is of one moment, or in error", async () => {
  const group = await newGroup(await newType());
  const [one, other] = [randomBytes(512), randomBytes(512)];
  await newVolume(one, { group_id: group });
  await newVolume(other, { group_id: group });
  const take = async () => {
    const made = await post("/group_snapshots", { group_snapshot: { group_id: group } });
    await idle();
    return made.body.group_snapshot.id as string;
  };
  const [whole, broken] = [await take(), await take()];
  const { snapshots } = await get("/snapshots/detail");
  const partsOf = (taken: string) =>
    ids(snapshots.filter((each: Record<string, unknown>) => each.group_snapshot_id === taken));
  const [made = "", missing = ""] = partsOf(broken);
  await cloud.cloud.close();
  const store = new Store(stateFiles(cloud.stateDir).database);
  for (const taken of [whole, broken]) groupTables(store).groupSnapshots.patch(taken, { status: "creating" });
  for (const id of [...partsOf(whole), missing]) snapshotTable(store).patch(id, { status: "creating" });
  store.close();
  await cloud.restart();
  await idle();
  const statusOf = async (id: string) => (await get(`/snapshots/${id}`)).snapshot.status;
  expect([await statusOf(made), await statusOf(missing)]).toEqual(["available", "error"]);
  expect(await Promise.all(partsOf(whole).map(statusOf))).toEqual(["available", "available"]);
  const { group_snapshots } = await get("/group_snapshots/detail");
  const statuses = group_snapshots.map((each: Record<string, unknown>) => [each.id, each.status]);
  expect(Object.fromEntries(statuses)).toEqual({ [whole]: "available", [broken]: "error" });
});
