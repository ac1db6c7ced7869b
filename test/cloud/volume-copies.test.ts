import { readFileSync } from "node:fs";
import { open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { stateFiles } from "../../src/cloud/store/state.ts";
import { Store } from "../../src/cloud/store/store.ts";
import { snapshotTable, volumeTable } from "../../src/cloud/volume/records.ts";
import { TestCloud } from "./support.ts";

// What Cinder answers was taken from a Cinder of the Zed release.

const gib = 1024 ** 3;
const nothing = "00000000-0000-0000-0000-000000000000";
let cloud: TestCloud;
let admin: string;
beforeAll(async () => {
  cloud = await TestCloud.start();
  admin = await cloud.adminToken();
});
afterAll(() => cloud.remove());

const at = (minor = 70) => ({ headers: { "openstack-api-version": `volume 3.${minor}` } });
const asAdmin = (minor = 70) => ({ ...at(minor), token: admin });
const cinder = (rest: string) => `/volume/v3${rest}`;
const create = (fields: Record<string, unknown>) => cloud.post(cinder("/volumes"), { volume: fields }, at());
const act = (id: string, action: unknown, options = at()) =>
  cloud.post(cinder(`/volumes/${id}/action`), action, options);
const show = async (kind: string, id: string, options = at()) =>
  (await cloud.get(cinder(`/${kind}s/${id}`), options)).body[kind];
const file = (name: string) => join(stateFiles(cloud.stateDir).volumes, name);

async function made(answer: Promise<{ status: number; text: string; body: Record<string, { id: string }> }>) {
  const { status, text, body } = await answer;
  if (status !== 202) throw new Error(text);
  await cloud.cloud.idle();
  return Object.values(body)[0]?.id ?? "";
}
const newVolume = (fields: Record<string, unknown> = {}) => made(create({ size: 1, ...fields }));
const newSnapshot = (volume_id: string) =>
  made(cloud.post(cinder("/snapshots"), { snapshot: { volume_id, name: "s" } }, at()));

async function write(path: string, text: string, position: number) {
  const opened = await open(path, "r+");
  await opened.write(text, position).finally(() => opened.close());
}
async function read(path: string, length: number, position: number) {
  const opened = await open(path, "r");
  const { buffer } = await opened.read(Buffer.alloc(length), 0, length, position).finally(() => opened.close());
  return buffer.toString();
}

afterEach(async () => {
  for (const { id } of (await cloud.get(cinder("/volumes?all_tenants=1"), asAdmin())).body.volumes) {
    await act(id, { "os-reset_status": { status: "available", attach_status: "detached" } }, asAdmin());
    await cloud.delete(cinder(`/volumes/${id}?cascade=true`), asAdmin());
  }
  await cloud.cloud.idle();
  expect(await readdir(stateFiles(cloud.stateDir).volumes)).toEqual([]);
});

describe("snapshots", () => {
  it("keep a moment's content, which volumes are made of and taken back to", async () => {
    const id = await newVolume({ metadata: { a: "b" } });
    await write(file(`volume-${id}`), "then", gib - 4);
    const snapshot = await newSnapshot(id);
    expect(await show("snapshot", snapshot)).toMatchObject({
      ...{ status: "available", size: 1, volume_id: id, name: "s", consumes_quota: true, group_snapshot_id: null },
      "os-extended-snapshot-attributes:progress": "100%",
      "os-extended-snapshot-attributes:project_id": cloud.projectId,
    });
    expect((await stat(file(`snapshot-${snapshot}`))).blocks).toBeLessThan(64); // sparse
    await write(file(`volume-${id}`), "now!", gib - 4);

    const copy = await made(create({ snapshot_id: snapshot, size: 2 }));
    expect(await show("volume", copy)).toMatchObject({ status: "available", size: 2, snapshot_id: snapshot });
    expect(await read(file(`volume-${copy}`), 4, gib - 4)).toBe("then");
    expect((await stat(file(`volume-${copy}`))).size).toBe(2 * gib);
    const clone = await made(create({ source_volid: id }));
    expect(await show("volume", clone)).toMatchObject({ size: 1, source_volid: id });
    expect(await read(file(`volume-${clone}`), 4, gib - 4)).toBe("now!");
    expect((await create({ snapshot_id: snapshot, size: 1, source_volid: nothing })).status).toBe(404);

    expect((await act(id, { revert: { snapshot_id: snapshot } })).status).toBe(202);
    await cloud.cloud.idle();
    expect(await read(file(`volume-${id}`), 4, gib - 4)).toBe("then");
    expect(await show("volume", id)).toMatchObject({ status: "available" });

    expect((await cloud.delete(cinder(`/volumes/${id}`), at())).body.badRequest.message).toContain("have snapshots");
    expect((await cloud.delete(cinder(`/snapshots/${snapshot}`), at())).status).toBe(202);
    await cloud.cloud.idle();
    expect((await cloud.get(cinder(`/snapshots/${snapshot}`), at())).body.itemNotFound.message).toBe(
      `Snapshot ${snapshot} could not be found.`,
    );
  });

  it("of a volume in use are forced before 3.66, and not from then on", async () => {
    const id = await newVolume();
    await act(id, { "os-attach": { host_name: "elsewhere", mountpoint: "/dev/sdb" } });
    const snap = (fields: object, minor: number) =>
      cloud.post(cinder("/snapshots"), { snapshot: { volume_id: id, ...fields } }, at(minor));
    expect((await snap({}, 65)).body.badRequest.message).toBe(
      `Invalid volume: Volume ${id} status must be available, but current status is: in-use.`,
    );
    expect((await snap({ force: true }, 65)).status).toBe(202);
    expect((await snap({}, 66)).status).toBe(202);
    expect((await snap({ force: false }, 66)).body.badRequest.message).toContain("Since microversion 3.66");
    await cloud.cloud.idle();
    const page = (await cloud.get(cinder("/snapshots/detail?limit=1&with_count=true"), at())).body;
    expect([page.snapshots.length, page.count, page.snapshots_links.length]).toEqual([1, 2, 1]);
    expect((await cloud.get(cinder(`/snapshots?volume_id=${nothing}`), at())).body).toEqual({ snapshots: [] });
    const limits = (await cloud.get(cinder("/limits"), at())).body.limits.absolute;
    expect(limits).toMatchObject({ totalSnapshotsUsed: 2, totalGigabytesUsed: 3 });
  });
});

describe("a cloud that was killed", () => {
  it("makes what was promised of a volume and of a snapshot before it deletes them, as was promised too", async () => {
    const id = await newVolume();
    await write(file(`volume-${id}`), "kept", 0);
    const snapshot = await newSnapshot(id);
    const other = await newVolume();
    await write(file(`volume-${other}`), "also", 0);
    const copies = [await newVolume({ snapshot_id: snapshot }), await newVolume({ source_volid: other })];
    await cloud.cloud.close();
    const store = new Store(stateFiles(cloud.stateDir).database);
    for (const one of [id, other]) volumeTable(store).patch(one, { status: "deleting" });
    snapshotTable(store).patch(snapshot, { status: "deleting" });
    for (const copy of copies) {
      volumeTable(store).patch(copy, { status: "creating" });
      await rm(file(`volume-${copy}`));
    }
    store.close();
    await cloud.restart();
    await cloud.cloud.idle();
    const { volumes } = (await cloud.get(cinder("/volumes/detail"), at())).body;
    expect(volumes.map((each: Record<string, unknown>) => [each.id, each.status])).toEqual(
      copies.toReversed().map((copy) => [copy, "available"]),
    );
    expect(await Promise.all(copies.map((copy) => read(file(`volume-${copy}`), 4, 0)))).toEqual(["kept", "also"]);
    expect((await cloud.get(cinder("/snapshots"), at())).body.snapshots).toEqual([]);
  });
});

describe("images and volumes", () => {
  const images = "/image/v2/images";
  async function rawImage(text: string, fields: Record<string, unknown> = {}) {
    const body = { name: "disk", disk_format: "raw", container_format: "bare", ...fields };
    const { id } = (await cloud.post(images, body)).body;
    const headers = { "content-type": "application/octet-stream" };
    await cloud.put(`${images}/${id}/file`, text, { headers });
    return id as string;
  }

  it("a volume has the content of a raw image, and an image that of a volume", async () => {
    const image = await rawImage("bootable", { os_distro: "debian", min_disk: 1 });
    const id = await newVolume({ imageRef: image });
    expect(await show("volume", id)).toMatchObject({
      ...{ status: "available", bootable: "true" },
      volume_image_metadata: {
        ...{ image_id: image, image_name: "disk", os_distro: "debian", disk_format: "raw", container_format: "bare" },
        ...{ min_disk: "1", min_ram: "0", size: "8" },
      },
    });
    expect(await read(file(`volume-${id}`), 8, 0)).toBe("bootable");
    const uploaded = await act(id, { "os-volume_upload_image": { image_name: "copy", disk_format: "raw" } });
    expect(uploaded.body["os-volume_upload_image"]).toMatchObject({
      ...{ status: "uploading", image_name: "copy", visibility: "private", protected: false },
      volume_type: { name: "__DEFAULT__" },
    });
    await cloud.cloud.idle();
    const copy = (await cloud.get(`${images}/${uploaded.body["os-volume_upload_image"].image_id}`)).body;
    expect(copy).toMatchObject({ status: "active", size: gib, os_distro: "debian" });
    expect(
      readFileSync(join(stateFiles(cloud.stateDir).images, copy.id))
        .subarray(0, 8)
        .toString(),
    ).toBe("bootable");
    expect((await show("volume", id)).status).toBe("available");
    await act(id, { "os-reset_status": { status: "error" } }, asAdmin());
    const other = await rawImage("other");
    expect((await act(id, { "os-reimage": { image_id: other } })).status).toBe(202);
    await cloud.cloud.idle();
    expect(await read(file(`volume-${id}`), 5, 0)).toBe("other");
    for (const one of [image, copy.id, other]) await cloud.delete(`${images}/${one}`);
  });

  it("an image that is no disk leaves the volume in error, and tells why", async () => {
    const qcow2 = Buffer.alloc(512);
    qcow2.write("QFI\xfb", "latin1");
    qcow2.writeUInt32BE(2, 4);
    qcow2.writeBigUInt64BE(104n, 8); // names a backing file
    for (const [text, disk_format] of [
      [qcow2.toString("latin1"), "vmdk"],
      [qcow2.toString("utf8"), "qcow2"],
    ]) {
      const image = await rawImage(text ?? "", { disk_format });
      const id = await newVolume({ imageRef: image });
      expect((await show("volume", id)).status).toBe("error");
      const { messages } = (await cloud.get(cinder(`/messages?resource_uuid=${id}`), at())).body;
      expect(messages).toMatchObject([{ event_id: "VOLUME_VOLUME_005_012", message_level: "ERROR" }]);
      await cloud.delete(`${images}/${image}`);
    }
    const large = await rawImage("x", { min_disk: 5 });
    expect((await create({ size: 1, imageRef: large })).body.badRequest.message).toBe(
      "Invalid input received: Volume size 1GB cannot be smaller than the image minDisk size 5GB.",
    );
    await cloud.delete(`${images}/${large}`);
  });
});

describe("attachments by other hands than Nova's", () => {
  it("are reserved, connected, completed and ended", async () => {
    const id = await newVolume();
    const attachment = { volume_uuid: id, instance_uuid: "11111111-1111-1111-1111-111111111111" };
    const reserved = (await cloud.post(cinder("/attachments"), { attachment }, at())).body.attachment;
    expect(reserved).toMatchObject({ status: "reserved", attach_mode: "null", attached_at: "", connection_info: {} });
    expect((await cloud.post(cinder("/attachments"), { attachment }, at())).body.badRequest.message).toBe(
      `Invalid volume: Volume ${id} status must be available or downloading to reserve, but the current status is reserved.`,
    );
    const path = cinder(`/attachments/${reserved.id}`);
    const connector = { host: "h", mountpoint: "/dev/vdb", mode: "rw" };
    expect((await cloud.put(path, { attachment: { connector } }, at())).body.attachment.connection_info).toMatchObject({
      ...{ driver_volume_type: "local", access_mode: "rw", attachment_id: reserved.id, encrypted: false },
    });
    const seenBy = async (options: ReturnType<typeof at>) =>
      (await cloud.get(path, options)).body.attachment.connection_info.device_path;
    expect(await seenBy(at())).toBeUndefined();
    expect(await seenBy(asAdmin())).toContain(`volume-${id}`);
    const initialized = await act(id, { "os-initialize_connection": { connector } });
    expect(initialized.body.connection_info.data).not.toHaveProperty("device_path");
    expect((await show("volume", id)).status).toBe("attaching");
    expect((await cloud.post(`${path}/action`, { "os-complete": {} }, at(43))).status).toBe(404);
    expect((await cloud.post(`${path}/action`, { "os-complete": {} }, at())).status).toBe(204);
    expect(await show("volume", id)).toMatchObject({
      status: "in-use",
      attachments: [{ attachment_id: reserved.id, device: "/dev/vdb", host_name: null }],
    });
    expect((await show("volume", id, asAdmin())).attachments[0].host_name).toBe("h");
    expect((await cloud.delete(path, at())).body).toEqual({ attachments: [] });
    expect(await show("volume", id)).toMatchObject({ status: "available", attachments: [] });
    expect((await cloud.get(path, at())).status).toBe(404);
  });
});

describe("what a volume is told to be", () => {
  it("each action in Cinder's way", async () => {
    const id = await newVolume();
    const message = async (action: unknown, options = at()) =>
      Object.values((await act(id, action, options)).body as Record<string, { message: string }>)[0]?.message;
    expect((await act(id, { "os-update_readonly_flag": { readonly: true } })).status).toBe(202);
    expect((await act(id, { "os-set_bootable": { bootable: "true" } })).status).toBe(200);
    expect(await show("volume", id)).toMatchObject({ metadata: { readonly: "True" }, bootable: "true" });
    expect((await act(id, { "os-set_image_metadata": { metadata: { a: "b" } } })).body).toEqual({
      metadata: { a: "b" },
    });
    expect(await message({ "os-unset_image_metadata": { key: "z" } })).toContain("Glance metadata for volume/snapshot");
    expect((await act(id, { "os-unset_image_metadata": { key: "a" } })).status).toBe(200);
    expect(await message({ "os-reset_status": { status: "error" } })).toBe(
      "Policy doesn't allow volume_extension:volume_admin_actions:reset_status to be performed.",
    );
    expect(await message({ "os-reset_status": { status: "bogus" } })).toMatch(
      /^Volume status: bogus is invalid, valid statuses are: \('creating', 'available', .*'extending'\)\.$/,
    );
    expect(await message({ "os-reset_status": { status: "in-use" } }, asAdmin())).toContain(
      "does not have any attachments",
    );
    expect(await message({ "os-retype": { new_type: "__DEFAULT__" } })).toContain("Retype needs volume to be");
    expect(await message({ "os-migrate_volume": { host: "x" } }, asAdmin())).toBe(
      "Invalid host: No available service named 'x'",
    );
    expect(await message({ revert: { snapshot_id: "x" } })).toBe(`Volume ${id} doesn't have any snapshots.`);
    expect((await act(id, { revert: {} }, at(39))).status).toBe(404);
  });

  it("another project's, by a transfer that its key accepts, with its snapshots", async () => {
    const id = await newVolume();
    const snapshot = await newSnapshot(id);
    const { transfer } = (await cloud.post(cinder("/volume-transfers"), { transfer: { volume_id: id } }, at())).body;
    expect(await show("volume", id)).toMatchObject({ status: "awaiting-transfer" });
    expect(await show("volume", id)).not.toHaveProperty("auth_key");
    const accept = (auth_key: string) =>
      cloud.post(cinder(`/volume-transfers/${transfer.id}/accept`), { accept: { auth_key } }, asAdmin());
    expect((await accept("x")).body.badRequest.message).toBe(
      `Invalid auth key: Attempt to transfer ${transfer.id} with invalid auth key.`,
    );
    const mine = (await cloud.get("/identity/v3/auth/tokens", { headers: { "x-subject-token": admin }, token: admin }))
      .body.token.project.id;
    const quota = (set: Record<string, number>) =>
      cloud.put(cinder(`/os-quota-sets/${mine}`), { quota_set: set }, asAdmin());
    for (const [set, words] of [
      [{ per_volume_gigabytes: 0 }, "VolumeSizeExceedsLimit"],
      [{ gigabytes: 1 }, "VolumeSizeExceedsAvailableQuota"],
      [{ snapshots: 0 }, "SnapshotLimitExceeded"],
    ] as const) {
      await quota(set);
      expect((await accept(transfer.auth_key)).body.overLimit.message).toContain(words);
      await cloud.delete(cinder(`/os-quota-sets/${mine}`), asAdmin());
    }
    await act(id, { "os-reset_status": { status: "error" } }, asAdmin());
    expect((await accept(transfer.auth_key)).body.badRequest.message).toBe(
      `Invalid volume: Transfer ${transfer.id}: Volume id ${id} expected in awaiting-transfer state.`,
    );
    await act(id, { "os-reset_status": { status: "awaiting-transfer" } }, asAdmin());
    expect((await accept(transfer.auth_key)).status).toBe(202);
    expect((await cloud.get(cinder(`/volumes/${id}`), at())).status).toBe(404);
    expect((await cloud.get(cinder(`/snapshots/${snapshot}`), at())).status).toBe(404);
    expect(await show("snapshot", snapshot, asAdmin())).toMatchObject({ volume_id: id });
  });
});

describe("types, promises and limits, for administrators", () => {
  const type = (fields: Record<string, unknown>) =>
    cloud.post(cinder("/types"), { volume_type: fields }, asAdmin()).then(({ body }) => body.volume_type);

  it("a type is a name for what the backend has; what it has not, no volume gets", async () => {
    expect((await cloud.post(cinder("/types"), { volume_type: { name: "x" } }, at())).status).toBe(403);
    const fast = await type({ name: "fast", extra_specs: { volume_backend_name: "files" } });
    const shared = await type({ name: "shared", extra_specs: { multiattach: "<is> True" } });
    const hidden = await type({ name: "hidden", "os-volume-type-access:is_public": false });
    expect((await cloud.post(cinder("/types"), { volume_type: { name: "fast" } }, asAdmin())).status).toBe(409);
    const { volume_types } = (await cloud.get(cinder("/types"), at())).body;
    expect(volume_types.map(({ name }: { name: string }) => name)).toEqual(["shared", "fast", "__DEFAULT__"]);
    expect(volume_types[0].extra_specs).toEqual({ multiattach: "<is> True" });
    expect(volume_types[1]).toMatchObject({ extra_specs: {}, is_public: true });
    const id = await newVolume({ volume_type: "fast" });
    expect(await show("volume", id)).toMatchObject({
      status: "available",
      volume_type: "fast",
      volume_type_id: fast.id,
    });
    const none = await newVolume({ volume_type: shared.id });
    expect(await show("volume", none)).toMatchObject({ status: "error" });
    const { messages } = (await cloud.get(cinder(`/messages?resource_uuid=${none}`), at())).body;
    expect(messages[0].user_message).toBe("schedule allocate volume:Could not find any available weighted backend.");
    expect((await create({ size: 1, volume_type: "hidden" })).status).toBe(404);
    const access = { addProjectAccess: { project: cloud.projectId } };
    expect((await cloud.post(cinder(`/types/${hidden.id}/action`), access, asAdmin())).status).toBe(202);
    expect((await cloud.post(cinder(`/types/${hidden.id}/action`), access, asAdmin())).status).toBe(409);
    expect((await create({ size: 1, volume_type: "hidden" })).status).toBe(202);
    expect((await cloud.delete(cinder(`/types/${fast.id}`), asAdmin())).body.badRequest.message).toBe(
      "Target volume type is still in use.",
    );
    expect((await act(id, { "os-retype": { new_type: "__DEFAULT__" } })).status).toBe(202);
    const specs = cinder(`/types/${fast.id}/extra_specs`);
    expect((await cloud.put(`${specs}/a`, { a: "1" }, asAdmin())).body).toEqual({ a: "1" });
    expect((await cloud.delete(`${specs}/b`, asAdmin())).status).toBe(404);
    expect((await cloud.delete(cinder(`/types/${fast.id}`), asAdmin())).status).toBe(202);
  });

  it("qos specs are associated with types", async () => {
    const { id } = await type({ name: "q" });
    const made = await cloud.post(cinder("/qos-specs"), { qos_specs: { name: "q", total_iops_sec: "9" } }, asAdmin());
    const path = cinder(`/qos-specs/${made.body.qos_specs.id}`);
    expect(made.body.qos_specs).toMatchObject({ consumer: "back-end", specs: { total_iops_sec: "9" } });
    expect((await cloud.get(`${path}/associate?vol_type_id=${id}`, asAdmin())).status).toBe(202);
    expect((await cloud.get(`${path}/associations`, asAdmin())).body.qos_associations).toMatchObject([{ id }]);
    expect((await cloud.delete(path, asAdmin())).status).toBe(400);
    expect((await cloud.delete(`${path}?force=true`, asAdmin())).status).toBe(202);
    expect((await cloud.get(cinder("/qos-specs"), at())).status).toBe(403);
  });

  it("quotas are set, and hold", async () => {
    const path = cinder(`/os-quota-sets/${cloud.projectId}`);
    expect((await cloud.put(path, { quota_set: { volumes: 1 } }, at())).status).toBe(403);
    const set = { volumes: 1, per_volume_gigabytes: 5, nope: 3 };
    expect((await cloud.put(path, { quota_set: set }, asAdmin())).body.quota_set).toMatchObject({ volumes: 1 });
    expect((await create({ size: 6 })).body.overLimit.message).toContain("larger than maximum allowed limit 5G");
    await newVolume();
    expect((await create({ size: 1 })).body.overLimit.message).toContain("(1) exceeded for quota 'volumes'");
    const low = await cloud.put(path, { quota_set: { volumes: 0 } }, asAdmin());
    expect(low.body.badRequest.message).toContain("Current usage is 1 and the requested limit is 0.");
    expect((await cloud.delete(path, asAdmin())).status).toBe(200);
    expect((await cloud.get(path, at())).body.quota_set.volumes).toBe(10);
  });

  it("pools, services and what there is none of", async () => {
    await newVolume();
    const pools = (await cloud.get(cinder("/scheduler-stats/get_pools?detail=true"), asAdmin())).body.pools;
    expect(pools).toMatchObject([
      { name: "slipway@files#files", capabilities: { multiattach: false, total_volumes: 1 } },
    ]);
    expect((await cloud.get(cinder("/os-services"), at())).status).toBe(403);
    const { services } = (await cloud.get(cinder("/os-services"), asAdmin())).body;
    expect(services.map(({ binary }: { binary: string }) => binary).sort()).toEqual([
      ...["cinder-backup", "cinder-scheduler", "cinder-volume"],
    ]);
    expect((await cloud.get(cinder("/groups"), at())).body).toEqual({ groups: [] });
    const group = { group_type: nothing, volume_types: ["__DEFAULT__"] };
    expect((await cloud.post(cinder("/groups"), { group }, at())).status).toBe(404);
  });
});
