import { mkdir, open, readFile, realpath, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blockDeviceTable } from "../../src/cloud/compute/block-devices.ts";
import { attachVolume } from "../../src/cloud/compute/disks.ts";
import { serverTable } from "../../src/cloud/compute/records.ts";
import { FakeHypervisor } from "../../src/cloud/hypervisors/fake.ts";
import type { GuestDisk, GuestSpec } from "../../src/cloud/hypervisors/hypervisor.ts";
import { imageTable } from "../../src/cloud/image/records.ts";
import { stateFiles } from "../../src/cloud/store/state.ts";
import { Store } from "../../src/cloud/store/store.ts";
import { reserved } from "../../src/cloud/volume/attachment-states.ts";
import { VolumeLifecycle } from "../../src/cloud/volume/lifecycle.ts";
import { messageTable } from "../../src/cloud/volume/message-records.ts";
import { snapshotTable, volumeTable } from "../../src/cloud/volume/records.ts";
import { run } from "../../src/common/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { TestCloud } from "./support.ts";

const nothing = "00000000-0000-0000-0000-000000000000";
const gib = 1024 ** 3;
let cloud: TestCloud;
let hypervisor: FakeHypervisor;
beforeEach(async () => {
  hypervisor = new FakeHypervisor();
  cloud = await TestCloud.start({ hypervisor });
});
afterEach(() => cloud.remove());

const version = (minor: number) => ({ headers: { "openstack-api-version": `volume 3.${minor}` } });
const path = (rest = "") => `/volume/v3/${cloud.projectId}/volumes${rest}`;
const create = (fields: Record<string, unknown>, minor = 70) => cloud.post(path(), { volume: fields }, version(minor));
const volume = async (id: string, minor = 70) => (await cloud.get(path(`/${id}`), version(minor))).body.volume;
const file = (id: string) => join(stateFiles(cloud.stateDir).volumes, `volume-${id}`);

/** A volume that is available. */
async function newVolume(fields: Record<string, unknown> = {}) {
  const { id } = (await create({ size: 1, ...fields })).body.volume;
  await cloud.cloud.idle();
  return id as string;
}

describe("life of a volume", () => {
  it("creating, then available with as many bytes as it says; deleted with them", async () => {
    const created = await create({ size: 2, name: "data", metadata: { role: "models" } });
    expect(created.status).toBe(202);
    expect(created.headers.get("openstack-api-version")).toBe("volume 3.70");
    expect(created.body.volume).toMatchObject({ status: "creating", updated_at: null, attachments: [] });
    const { id } = created.body.volume;
    await cloud.cloud.idle();
    expect(await volume(id)).toMatchObject({
      status: "available",
      size: 2,
      name: "data",
      description: null,
      metadata: { role: "models" },
      volume_type: "__DEFAULT__",
      bootable: "false",
      availability_zone: "nova",
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/),
      "os-vol-tenant-attr:tenant_id": cloud.projectId,
      links: [{ rel: "self", href: `${cloud.base}${path(`/${id}`)}` }, expect.anything()],
    });
    expect(await stat(file(id))).toMatchObject({ size: 2 * gib, blocks: 0 });

    expect((await cloud.delete(path(`/${id}?cascade=False&force=False`), version(70))).status).toBe(202);
    await cloud.cloud.idle();
    const gone = await cloud.get(path(`/${id}`));
    expect(gone.status).toBe(404);
    expect(gone.body).toEqual({ itemNotFound: { code: 404, message: `Volume ${id} could not be found.` } });
    await expect(stat(file(id))).rejects.toThrow("ENOENT");
  });

  it("keeps what is changed while it is made", async () => {
    const store = new Store(":memory:");
    const volumes = volumeTable(store);
    const lifecycle = new VolumeLifecycle({
      ...{ volumes, snapshots: snapshotTable(store), images: imageTable(store), messages: messageTable(store) },
      ...{ folder: stateFiles(cloud.stateDir).volumes, imageFolder: stateFiles(cloud.stateDir).images },
      log: () => undefined,
      whileStill: (_ids, work) => work(),
      grown: async () => undefined,
    });
    const record = volumes.put({
      ...{ id: nothing, projectId: "p", userId: "u", name: "one", description: null, size: 1, status: "creating" },
      ...{ metadata: {}, availabilityZone: "nova", attachment: null, createdAt: "", updatedAt: null },
    });
    void lifecycle.create(record.id);
    await new Promise((resolve) => setImmediate(resolve)); // it has begun, and waits for the file system
    expect(volumes.patch(record.id, { name: "two" })?.status).toBe("creating");
    await lifecycle.idle();
    expect(volumes.get(record.id)).toMatchObject({ name: "two", status: "available" });
    store.close();
  });

  it("is put into a server once the copy of it that is under way is made", async () => {
    const id = await newVolume();
    await cloud.cloud.close();
    const store = new Store(stateFiles(cloud.stateDir).database);
    const [volumes, blockDevices] = [volumeTable(store), blockDeviceTable(store)];
    const events: string[] = [];
    const volumeLifecycle = new VolumeLifecycle({
      ...{ volumes, snapshots: snapshotTable(store), images: imageTable(store), messages: messageTable(store) },
      ...{ folder: stateFiles(cloud.stateDir).volumes, imageFolder: stateFiles(cloud.stateDir).images },
      log: () => undefined,
      whileStill: (_ids, work) => work().finally(() => events.push("copied")),
      grown: async () => undefined,
    });
    class Watched extends FakeHypervisor {
      override attachDisk(server: string, disk: GuestDisk) {
        events.push("put in");
        return super.attachDisk(server, disk);
      }
    }
    const parts = { store, volumes, blockDevices, volumeLifecycle, hypervisor: new Watched(), log: () => undefined };
    const source = { kind: "volume", id } as const;
    const free = volumes.get(id) ?? expect.fail("there is no volume");
    volumes.put({ ...free, id: nothing, status: "creating", source });
    const copy = volumeLifecycle.create(nothing);
    const taken = reserved(free, "server");
    volumes.put(taken);
    const device = {
      id: "device",
      serverId: "server",
      volumeId: id,
      attachmentId: taken.attachment.id,
      device: "/dev/vdb",
    };
    blockDevices.put({ ...device, tag: null, deleteOnTermination: false });
    expect(await attachVolume(parts, "device")).toBe(true);
    await copy;
    expect(events).toEqual(["copied", "put in"]);
    expect(volumes.get(id)?.status).toBe("in-use");
    expect(volumes.get(nothing)?.status).toBe("available");
    store.close();
  });

  it("that is only reserved for a server is not put in by a boot that was queued before", async () => {
    const [stopping, stopped] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const events: string[] = [];
    class Watched extends FakeHypervisor {
      override async stop() {
        stopping.resolve();
        await stopped.promise;
      }
      override boot(spec: GuestSpec) {
        events.push(`boot with ${spec.disks.length}`);
        return super.boot(spec);
      }
      override attachDisk(server: string, disk: GuestDisk) {
        events.push(`put in ${disk.device}`);
        return super.attachDisk(server, disk);
      }
    }
    await cloud.restart({ hypervisor: new Watched() });
    const server = (await cloud.bootServer({ networks: [] })).id;
    const id = await newVolume();
    const action = `/compute/v2.1/servers/${server}/action`;
    await cloud.post(action, { reboot: { type: "SOFT" } });
    await stopping.promise;
    const token = await cloud.adminToken();
    await cloud.post(action, { "os-resetState": { state: "active" } }, { token });
    const attachments = `/compute/v2.1/servers/${server}/os-volume_attachments`;
    expect((await cloud.post(attachments, { volumeAttachment: { volumeId: id } })).status).toBe(200);
    stopped.resolve();
    await cloud.cloud.idle();
    expect(events).toEqual(["boot with 0", "boot with 0", "put in vdb"]);
    expect(await volume(id)).toMatchObject({ status: "in-use", attachments: [{ device: "/dev/vdb" }] });
  });

  it("copies volumes of one moment, with what their guests had not brought to them yet", async () => {
    const store = new Store(":memory:");
    const [volumes, snapshots, folder] = [volumeTable(store), snapshotTable(store), stateFiles(cloud.stateDir).volumes];
    const stillness: string[][] = [];
    let lifecycle: VolumeLifecycle;
    const flush = (id: string) => writeFile(lifecycle.fileOf(id), `of ${id}`);
    lifecycle = new VolumeLifecycle({
      ...{ volumes, snapshots, images: imageTable(store), messages: messageTable(store), folder },
      ...{ imageFolder: stateFiles(cloud.stateDir).images, log: () => undefined, grown: async () => undefined },
      whileStill: async (ids, work) => {
        stillness.push(ids);
        for (const id of ids) await flush(id);
        return work();
      },
    });
    await mkdir(folder, { recursive: true });
    const common = { projectId: "p", userId: "u", name: null, description: null, size: 1, metadata: {} };
    for (const id of ["moment-1", "moment-2"]) {
      volumes.put({
        ...{
          ...common,
          id,
          status: "in-use",
          availabilityZone: "nova",
          attachment: null,
          createdAt: "",
          updatedAt: null,
        },
      });
      snapshots.put({
        ...{ ...common, id: `of-${id}`, volumeId: id, status: "creating", progress: "0%", bootable: false },
        ...{ imageMetadata: {}, createdAt: "", updatedAt: null },
      });
    }
    await lifecycle.createSnapshots(["of-moment-2", "of-moment-1"]);
    expect(stillness).toEqual([["moment-1", "moment-2"]]);
    for (const id of ["moment-1", "moment-2"]) {
      expect(snapshots.get(`of-${id}`)).toMatchObject({ status: "available", progress: "100%" });
      expect(await readFile(join(folder, `snapshot-of-${id}`), "utf8")).toBe(`of ${id}`);
    }
    stillness.length = 0; // as after a kill
    for (const { id } of snapshots.list()) snapshots.patch(id, { status: "creating", groupSnapshotId: "one-moment" });
    lifecycle.recover();
    await lifecycle.idle();
    expect(stillness).toEqual([["moment-1", "moment-2"]]);
    const source = { kind: "volume", id: "moment-1" } as const;
    volumes.put({
      ...{ ...common, id: "moment-3", status: "creating", availabilityZone: "nova", attachment: null, source },
      ...{ createdAt: "", updatedAt: null },
    });
    await writeFile(lifecycle.fileOf("moment-1"), "");
    await lifecycle.create("moment-3");
    expect((await run("head", ["--bytes=11", lifecycle.fileOf("moment-3")])).stdout).toBe("of moment-1");
    await lifecycle.idle();
    store.close();
  });

  it("shows at each microversion what Cinder shows there", async () => {
    const id = await newVolume();
    const fields = async (minor: number) => Object.keys(await volume(id, minor));
    expect(await fields(0)).not.toEqual(expect.arrayContaining(["group_id"]));
    expect(await fields(13)).toEqual(expect.arrayContaining(["group_id"]));
    expect(await fields(48)).toEqual(expect.arrayContaining(["shared_targets", "service_uuid"]));
    expect(await fields(63)).toEqual(expect.arrayContaining(["volume_type_id"]));
    expect(await fields(65)).toEqual(expect.arrayContaining(["consumes_quota"]));
    expect((await cloud.get(path(), version(71))).body).toEqual({
      computeFault: {
        code: 406,
        message: "Version 3.71 is not supported by the API. Minimum is 3.0 and maximum is 3.70.",
      },
    });
  });

  it("is renamed, carries metadata, and is listed page by page, newest first", async () => {
    const first = await newVolume({ name: "one", metadata: { a: "b" } });
    const second = await newVolume({ name: "two" });
    expect((await cloud.put(path(`/${second}`), { volume: { name: "renamed", description: "of data" } })).status).toBe(
      200,
    );
    expect(await volume(second)).toMatchObject({ name: "renamed", description: "of data" });
    await cloud.put(path(`/${second}`), { volume: { description: null } });
    expect(await volume(second)).toMatchObject({ name: "renamed", description: null });
    expect((await cloud.put(path(`/${second}`), { volume: {} })).status).toBe(400);
    const metadata = path(`/${first}/metadata`);
    expect((await cloud.post(metadata, { metadata: { c: "d" } })).body).toEqual({ metadata: { a: "b", c: "d" } });
    expect((await cloud.delete(`${metadata}/c`)).status).toBe(200);
    expect((await cloud.get(`${metadata}/c`)).body.itemNotFound.message).toBe(
      `Volume ${first} has no metadata with key c.`,
    );
    const ids = (answer: { body: { volumes: { id: string }[] } }) => answer.body.volumes.map(({ id }) => id);
    expect(ids(await cloud.get(path("/detail")))).toEqual([second, first]);
    expect(ids(await cloud.get(path("?name=one")))).toEqual([first]);
    expect(ids(await cloud.get(path(`?metadata=${encodeURIComponent("{'a': 'b'}")}`)))).toEqual([first]);
    expect(ids(await cloud.get(path("?status=error")))).toEqual([]);
    expect(ids(await cloud.get(path("?sort=name:asc")))).toEqual([first, second]);
    const page = await cloud.get(path("?limit=1"));
    expect(ids(page)).toEqual([second]);
    const [{ href }] = page.body.volumes_links;
    const next = await cloud.get(href.slice(cloud.base.length));
    expect(ids(next)).toEqual([first]);
    const [{ href: end }] = next.body.volumes_links; // a full page has a next one, though that may be empty
    expect((await cloud.get(end.slice(cloud.base.length))).body).toEqual({ volumes: [] });
    expect((await cloud.get(path("/summary"), version(36))).body).toEqual({
      "volume-summary": { total_count: 2, total_size: 2, metadata: { a: ["b"] } },
    });
  });

  it("belongs to its project; administrators see it with all others", async () => {
    const id = await newVolume();
    const token = await cloud.adminToken();
    const admin = (await cloud.get("/volume/v3/volumes", { token })).body.volumes;
    expect(admin).toEqual([]);
    const all = await cloud.get("/volume/v3/volumes/detail?all_tenants=1", { token });
    expect(all.body.volumes).toEqual([expect.objectContaining({ id, "os-vol-host-attr:host": "slipway@files#files" })]);
    expect((await cloud.get("/volume/v3/volumes?all_tenants=1")).body.volumes).toHaveLength(1);
    await newVolume();
    const page = (await cloud.get("/volume/v3/volumes?all_tenants=1&limit=1", { token })).body;
    for (const { href } of [...page.volumes_links, page.volumes[0].links[0]]) {
      expect((await cloud.get(href.slice(cloud.base.length), { token })).status).toBe(200);
    }
    expect((await cloud.get(`/volume/v3/${nothing}/volumes`)).body).toEqual({
      badRequest: { code: 400, message: "Malformed request url" },
    });
  });
});

describe("a larger volume", () => {
  const extend = (id: string, size: number, minor: number) =>
    cloud.post(path(`/${id}/action`), { "os-extend": { new_size: size } }, version(minor));

  it("is extending, then as before with more bytes", async () => {
    const id = await newVolume();
    expect((await extend(id, 3, 0)).status).toBe(202);
    expect(await volume(id)).toMatchObject({ status: "extending", size: 1 });
    await cloud.cloud.idle();
    expect(await volume(id)).toMatchObject({ status: "available", size: 3 });
    expect((await stat(file(id))).size).toBe(3 * gib);
  });

  it("is refused where it would not be larger, over the quota, and before 3.42 in use", async () => {
    const id = await newVolume();
    expect((await extend(id, 1, 0)).body.badRequest.message).toBe(
      "Invalid input received: New size for extend must be greater than current size. (current: 1, extended: 1).",
    );
    expect((await extend(id, 2000, 0)).status).toBe(413);
    const server = (await cloud.bootServer({ networks: [] })).id;
    await cloud.post(`/compute/v2.1/servers/${server}/os-volume_attachments`, { volumeAttachment: { volumeId: id } });
    await cloud.cloud.idle();
    expect((await extend(id, 2, 41)).body.badRequest.message).toBe(
      `Invalid volume: Volume ${id} status must be '{'status': 'available'}' to extend, currently in-use.`,
    );
    // the header as gophercloud writes it
    const answer = await cloud.post(
      path(`/${id}/action`),
      { "os-extend": { new_size: 2 } },
      { headers: { "openstack-api-version": "volumev3 3.42" } },
    );
    expect(answer.status).toBe(202);
    await cloud.cloud.idle();
    expect(await volume(id)).toMatchObject({ status: "in-use", size: 2 });
  });
});

describe("what Cinder refuses", () => {
  it("each in its words", async () => {
    const badRequest = (message: unknown) => ({ badRequest: { code: 400, message } });
    const refusals: [Record<string, unknown>, unknown][] = [
      [{}, badRequest(expect.stringContaining("malformed or otherwise incorrect"))],
      [{ size: 0 }, badRequest(expect.stringContaining("size"))],
      [{ size: "x" }, badRequest(expect.stringContaining("size"))],
      [
        { size: 1, colour: "red" },
        badRequest(expect.stringContaining("Additional properties are not allowed ('colour' was unexpected)")),
      ],
      [{ size: 1, availability_zone: "moon" }, badRequest("Availability zone 'moon' is invalid.")],
      [
        { size: 1, volume_type: "fast" },
        { itemNotFound: { code: 404, message: "Volume type with name fast could not be found." } },
      ],
      [{ size: 1, imageRef: nothing }, badRequest("Invalid image identifier or unable to access requested image.")],
      [
        { size: 1001 },
        {
          overLimit: {
            code: 413,
            message:
              "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested 1001G, quota is 1000G and 0G has been consumed.",
            retryAfter: "0",
          },
        },
      ],
    ];
    for (const [fields, body] of refusals) expect((await create(fields)).body).toEqual(body);
    expect((await create({ size: 1, colour: "red" }, 0)).status).toBe(202); // as before 3.53
    expect((await cloud.get(path("?nope=1"), version(31))).body).toEqual(
      badRequest("Invalid filters nope are found in query options."),
    );
    expect((await cloud.get(path("?limit=x"))).body).toEqual(badRequest("limit param must be an integer"));
    expect((await cloud.get(path("?marker=x"))).status).toBe(404);
    const id = await newVolume();
    const act = async (action: unknown) => (await cloud.post(path(`/${id}/action`), action)).status;
    expect([await act({}), await act({ "os-dance": null }), await act({ "os-retype": {} })]).toEqual([400, 400, 400]);
    expect((await cloud.delete(path(`/${id}?force=true`), version(70))).body.forbidden.message).toBe(
      "Policy doesn't allow volume:force_delete to be performed.",
    );
  });

  it("an eleventh volume, as its limits say", async () => {
    for (let count = 0; count < 10; count++) expect((await create({ size: 1 })).status).toBe(202);
    const eleventh = await create({ size: 1 });
    expect(eleventh.headers.get("retry-after")).toBe("0");
    expect(eleventh.body.overLimit.message).toBe(
      "VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota 'volumes'.",
    );
    const project = `/volume/v3/${cloud.projectId}`;
    expect((await cloud.get(`${project}/limits`)).body.limits.absolute).toMatchObject({
      maxTotalVolumes: 10,
      totalVolumesUsed: 10,
      totalGigabytesUsed: 10,
    });
    expect((await cloud.get(`${project}/os-quota-sets/${cloud.projectId}?usage=True`)).body.quota_set).toMatchObject({
      volumes: { limit: 10, in_use: 10, reserved: 0 },
      volumes___DEFAULT__: { limit: -1, in_use: 10 },
    });
    expect((await cloud.get(`${project}/os-quota-sets/${nothing}`)).status).toBe(403);
  });
});

describe("a volume in a server", () => {
  const nova = (minor: number) => ({ headers: { "openstack-api-version": `compute 2.${minor}` } });
  const attachments = (server: string, rest = "") => `/compute/v2.1/servers/${server}/os-volume_attachments${rest}`;
  const attach = (server: string, volumeId: string, fields = {}, minor = 93) =>
    cloud.post(attachments(server), { volumeAttachment: { volumeId, ...fields } }, nova(minor));
  /** The next detach takes until the returned function is called, and then works, or fails by the error. */
  const holdDetach = (error?: Error) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    hypervisor.detachDisk = async (...disk) => {
      await promise;
      if (error !== undefined) throw error;
      await FakeHypervisor.prototype.detachDisk.apply(hypervisor, disk);
    };
    return resolve;
  };
  const newServer = async () => (await cloud.bootServer({ networks: [] })).id as string;

  it("is reserved, in-use as the next free disk, and available again", async () => {
    const [server, id, other] = [await newServer(), await newVolume(), await newVolume()];
    const answer = await attach(server, id, { device: "/dev/sdx" });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      volumeAttachment: {
        id,
        volumeId: id,
        serverId: server,
        device: "/dev/vdb",
        tag: null,
        delete_on_termination: false,
      },
    });
    await cloud.cloud.idle();
    const attached = await volume(id);
    expect(attached).toMatchObject({
      status: "in-use",
      attachments: [{ id, volume_id: id, server_id: server, device: "/dev/vdb", host_name: null }],
    });
    expect(hypervisor.disks(server)).toEqual([{ device: "vdb", path: file(id) }]);
    expect((await cloud.server(server, "2.3"))["os-extended-volumes:volumes_attached"]).toEqual([
      { id, delete_on_termination: false },
    ]);
    expect((await cloud.server(server))["os-extended-volumes:volumes_attached"]).toEqual([{ id }]);
    expect((await attach(server, other, {}, 1)).body.volumeAttachment).toEqual({
      ...{ id: other, volumeId: other, serverId: server, device: "/dev/vdc" },
    });
    await cloud.cloud.idle();

    const listed = (await cloud.get(attachments(server), nova(89))).body.volumeAttachments;
    expect(listed).toEqual([
      {
        ...{ volumeId: id, serverId: server, device: "/dev/vdb", tag: null, delete_on_termination: false },
        ...{ attachment_id: attached.attachments[0].attachment_id, bdm_uuid: expect.any(String) },
      },
      expect.objectContaining({ volumeId: other, device: "/dev/vdc" }),
    ]);
    const cinder = `/volume/v3/${cloud.projectId}/attachments`;
    expect((await cloud.get(`${cinder}?volume_id=${id}`, version(27))).body.attachments).toEqual([
      { id: attached.attachments[0].attachment_id, status: "attached", instance: server, volume_id: id },
    ]);
    expect((await cloud.get(cinder)).status).toBe(404); // before 3.27

    const release = holdDetach();
    expect((await cloud.delete(attachments(server, `/${id}`))).status).toBe(202);
    expect((await volume(id)).status).toBe("detaching");
    release();
    await cloud.cloud.idle();
    expect(await volume(id)).toMatchObject({ status: "available", attachments: [] });
    expect(hypervisor.disks(server).map(({ device }) => device)).toEqual(["vdc"]);
    await attach(server, id);
    await cloud.cloud.idle();
    expect((await volume(id)).attachments[0].device).toBe("/dev/vdb"); // the first free name
  });

  it("is plugged in by its real path, also where the state lies behind a symbolic link", async () => {
    const [folder, link] = [temporaryFolder(), join(temporaryFolder(), "link")];
    await symlink(folder, link);
    await cloud.remove();
    cloud = await TestCloud.start({ hypervisor, stateDir: link });
    const [server, id] = [await newServer(), await newVolume()];
    await attach(server, id);
    await cloud.cloud.idle();
    expect(hypervisor.disks(server)).toEqual([
      { device: "vdb", path: join(await realpath(folder), "volumes", `volume-${id}`) },
    ]);
  });

  it("is with the server when that starts again, and is plugged into a stopped one too", async () => {
    const [server, id] = [await newServer(), await newVolume()];
    await cloud.post(`/compute/v2.1/servers/${server}/action`, { "os-stop": null });
    await cloud.cloud.idle();
    await attach(server, id);
    await cloud.cloud.idle();
    expect((await volume(id)).status).toBe("in-use");
    await cloud.post(`/compute/v2.1/servers/${server}/action`, { "os-start": null });
    await cloud.cloud.idle();
    expect(hypervisor.disks(server)).toEqual([{ device: "vdb", path: file(id) }]);
  });

  it("is free when its server is deleted, or deleted with it where that was asked for, also later", async () => {
    const server = await newServer();
    const [kept, deleted, later] = [await newVolume(), await newVolume(), await newVolume()];
    await attach(server, kept);
    await attach(server, deleted, { delete_on_termination: true });
    await attach(server, later);
    const update = (minor: number) =>
      cloud.put(
        attachments(server, `/${later}`),
        { volumeAttachment: { volumeId: later, ...(minor >= 85 ? { delete_on_termination: true } : {}) } },
        nova(minor),
      );
    expect((await update(84)).body.forbidden.message).toContain("os-volumes-attachments:swap");
    expect((await update(85)).status).toBe(202);
    await cloud.delete(`/compute/v2.1/servers/${server}`);
    await cloud.cloud.idle();
    expect(await volume(kept)).toMatchObject({ status: "available", attachments: [] });
    for (const id of [deleted, later]) {
      expect((await cloud.get(path(`/${id}`))).status).toBe(404);
      await expect(stat(file(id))).rejects.toThrow("ENOENT");
    }
  });

  it("is not deleted, attached twice, or taken out of a server that has it not", async () => {
    const [server, other, id] = [await newServer(), await newServer(), await newVolume()];
    expect((await cloud.delete(attachments(server, `/${id}`))).body.itemNotFound.message).toBe(
      `Instance ${server} is not attached to volume ${id}`,
    );
    await attach(server, id);
    await cloud.cloud.idle();
    expect((await cloud.delete(path(`/${id}`))).body.badRequest.message).toMatch(
      /^Invalid volume: Volume status must be available or error or .* must not be migrating, attached,/,
    );
    expect((await attach(other, id)).body.badRequest.message).toBe(
      `Invalid volume: volume ${id} is already attached to instances: ${server}`,
    );
    expect((await attach(server, nothing)).body.itemNotFound.message).toBe(`Volume ${nothing} could not be found.`);
    expect((await attach(nothing, id)).body.itemNotFound.message).toBe(`Instance ${nothing} could not be found.`);
    expect((await attach(server, id, { tag: "data" }, 48)).status).toBe(400);
    const { attachment_id } = (await volume(id)).attachments[0];
    const direct = `/volume/v3/${cloud.projectId}/attachments/${attachment_id}`;
    const connector = { host: "h", mountpoint: "/dev/vdz" };
    for (const refused of [
      await cloud.delete(direct, version(27)),
      await cloud.put(direct, { attachment: { connector } }, version(27)),
      await cloud.post(`${direct}/action`, { "os-complete": {} }, version(44)),
      await cloud.post(path(`/${id}/action`), { "os-attach": { host_name: "h", mountpoint: "/dev/vdz" } }),
    ]) {
      expect(refused.status).toBe(409);
      expect(refused.body.conflictingRequest.message).toBe(
        `ConflictNovaUsingAttachment: Detach volume from instance ${server} using the Compute API`,
      );
    }
  });

  it("stays available where it cannot be plugged in, and in-use where it cannot be taken out", async () => {
    const [server, id] = [await newServer(), await newVolume()];
    hypervisor.attachDisk = () => Promise.reject(new Error("no loop device"));
    await attach(server, id);
    await cloud.cloud.idle();
    expect(await volume(id)).toMatchObject({ status: "available", attachments: [] });
    expect((await cloud.get(attachments(server))).body.volumeAttachments).toEqual([]);
    expect((await cloud.server(server)).status).toBe("ACTIVE");

    hypervisor.attachDisk = FakeHypervisor.prototype.attachDisk;
    await attach(server, id);
    await cloud.cloud.idle();
    const fail = holdDetach(new Error("the guest still uses it"));
    await cloud.delete(attachments(server, `/${id}`));
    expect((await cloud.delete(attachments(server, `/${id}`))).body.badRequest.message).toContain(
      "Unable to detach volume. Volume status must be 'in-use'",
    );
    fail();
    await cloud.cloud.idle();
    expect(await volume(id)).toMatchObject({ status: "in-use", attachments: [{ server_id: server }] });
  });

  it("is taken up again where a restart of the cloud came between", async () => {
    const server = await newServer();
    const [reserved, detaching, creating, deleting] = [
      await newVolume(),
      await newVolume(),
      await newVolume(),
      await newVolume(),
    ];
    await attach(server, reserved);
    await attach(server, detaching);
    await cloud.cloud.idle();
    await cloud.cloud.close();
    const store = new Store(stateFiles(cloud.stateDir).database);
    const volumes = volumeTable(store);
    volumes.patch(reserved, { status: "attaching" });
    volumes.patch(detaching, { status: "detaching" });
    volumes.patch(creating, { status: "creating" });
    volumes.patch(deleting, { status: "deleting" });
    expect(blockDeviceTable(store).list()).toHaveLength(2);
    store.close();
    await cloud.restart({ hypervisor });
    await cloud.cloud.idle();
    const statuses = [
      (await volume(reserved)).status,
      (await volume(detaching)).status,
      (await volume(creating)).status,
    ];
    expect(statuses).toEqual(["in-use", "available", "available"]);
    expect((await cloud.get(path(`/${deleting}`))).status).toBe(404);
    expect(hypervisor.disks(server)).toEqual([{ device: "vdb", path: file(reserved) }]);
  });
});

describe("a server that runs from a volume", () => {
  const nova = (minor = 93) => ({ headers: { "openstack-api-version": `compute 2.${minor}` } });
  const servers = "/compute/v2.1/servers";
  const root = (fields: Record<string, unknown>) => ({ boot_index: 0, destination_type: "volume", ...fields });
  const ofImage = (uuid: string, fields = {}) => root({ source_type: "image", uuid, volume_size: 2, ...fields });
  const post = async (fields: Record<string, unknown>, minor = 93) => {
    const { server } = await cloud.serverBody({ networks: "none", ...fields });
    const { imageRef, ...body } = server;
    return cloud.post(servers, { server: { ...body, ...(fields.imageRef ? { imageRef } : {}) } }, nova(minor));
  };
  const boot = async (fields: Record<string, unknown>) => {
    const answer = await post(fields);
    if (answer.status !== 202) throw new Error(answer.text);
    await cloud.cloud.idle();
    return (await cloud.get(`${servers}/${answer.body.server.id}`, nova())).body.server;
  };
  const act = async (id: string, action: object, minor = 93) => {
    const answer = await cloud.post(`${servers}/${id}/action`, action, nova(minor));
    await cloud.cloud.idle();
    return answer;
  };
  const attachments = async (id: string) =>
    (await cloud.get(`${servers}/${id}/os-volume_attachments`, nova())).body.volumeAttachments;
  const imageId = async () => (await cloud.get("/image/v2/images?name=debian-13")).body.images[0].id as string;

  it("has volumes made of an image, a snapshot and nothing, which go with it where that was asked for", async () => {
    const image = await imageId();
    const data = await newVolume();
    const { snapshot } = (await cloud.post("/volume/v3/snapshots", { snapshot: { volume_id: data } })).body;
    await cloud.cloud.idle();
    const server = await boot({
      block_device_mapping_v2: [
        { source_type: "blank", destination_type: "volume", volume_size: 1, tag: "scratch" },
        ofImage(image, { delete_on_termination: true }),
        { source_type: "snapshot", destination_type: "volume", uuid: snapshot.id },
        { source_type: "volume", destination_type: "volume", uuid: data },
      ],
    });
    expect(server).toMatchObject({ status: "ACTIVE", image: "" });
    const own = await attachments(server.id);
    expect(
      own
        .map(({ device, tag, delete_on_termination }: Record<string, unknown>) => [device, tag, delete_on_termination])
        .toSorted(),
    ).toEqual([
      ["/dev/vda", null, true],
      ["/dev/vdb", "scratch", false],
      ["/dev/vdc", null, false],
      ["/dev/vdd", null, false],
    ]);
    const at = (name: string) => own.find(({ device }: { device: string }) => device === name).volumeId as string;
    expect(await volume(at("/dev/vda"))).toMatchObject({
      ...{ name: "", description: "", status: "in-use", size: 2, bootable: "true" },
      volume_image_metadata: { image_id: image },
    });
    expect(await volume(at("/dev/vdb"))).toMatchObject({ name: `${server.id}-blank-vol`, status: "in-use" });
    expect(await volume(at("/dev/vdc"))).toMatchObject({ snapshot_id: snapshot.id, size: 1 });
    expect(hypervisor.rootDisk(server.id)).toEqual({ device: "vda", path: file(at("/dev/vda")) });
    expect(
      hypervisor
        .disks(server.id)
        .map(({ device }) => device)
        .toSorted(),
    ).toEqual(["vdb", "vdc", "vdd"]);
    expect((await cloud.delete(`${servers}/${server.id}/os-volume_attachments/${at("/dev/vda")}`)).body).toEqual({
      badRequest: { code: 400, message: "Cannot detach a root device volume" },
    });
    // what runs from no disk of the host's takes none
    const provider = "/placement/resource_providers";
    const token = await cloud.adminToken();
    const [{ uuid }] = (await cloud.get(provider, { token })).body.resource_providers;
    expect((await cloud.get(`${provider}/${uuid}/usages`, { token })).body.usages.DISK_GB ?? 0).toBe(0);

    await cloud.delete(`${servers}/${server.id}`);
    await cloud.cloud.idle();
    expect((await cloud.get(path(`/${at("/dev/vda")}`))).status).toBe(404);
    expect((await volume(at("/dev/vdb"))).status).toBe("available");
  });

  it("is made anew from the volume that another one left, by the old form too", async () => {
    const first = await boot({ block_device_mapping_v2: [ofImage(await imageId())] });
    const [{ volumeId }] = await attachments(first.id);
    const legacy = {
      block_device_mapping: [{ device_name: "vda", volume_id: volumeId, delete_on_termination: "True" }],
    };
    expect((await post(legacy)).body.badRequest.message).toBe(
      `Invalid volume: Invalid input received: Invalid volume: Volume ${volumeId} status must be available or downloading to reserve, but the current status is in-use.`,
    );
    await cloud.delete(`${servers}/${first.id}`);
    await cloud.cloud.idle();
    const second = await boot(legacy);
    expect(hypervisor.rootDisk(second.id)).toEqual({ device: "vda", path: file(volumeId) });
    await cloud.restart({ hypervisor });
    expect((await cloud.get(`${servers}/${second.id}`)).body.server).toMatchObject({ status: "ACTIVE", image: "" });
    await cloud.delete(`${servers}/${second.id}`);
    await cloud.cloud.idle();
    expect((await cloud.get(path(`/${volumeId}`))).status).toBe(404);
  });

  it("is rebuilt with its image, and since 2.93 with another; is not rescued and has no backups", async () => {
    const image = await imageId();
    const { id } = await boot({ block_device_mapping_v2: [ofImage(image)] });
    const [{ volumeId }] = await attachments(id);
    const other = (await cloud.post("/image/v2/images", { name: "o", disk_format: "raw", container_format: "bare" }))
      .body.id;
    const headers = { "content-type": "application/octet-stream" };
    await cloud.put(`/image/v2/images/${other}/file`, "other", { headers });
    const message = async (action: object, minor?: number) => (await act(id, action, minor)).body.badRequest.message;
    expect(await message({ rebuild: { imageRef: other } }, 92)).toBe(
      `Image ${other} is unacceptable: Unable to rebuild with a different image for a volume-backed server.`,
    );
    expect(await message({ rescue: null })).toBe(
      `Instance ${id} cannot be rescued: Cannot rescue a volume-backed instance`,
    );
    expect(await message({ createBackup: { name: "b", backup_type: "daily", rotation: 1 } })).toBe(
      "Backup is not supported for volume-backed instances.",
    );
    expect((await act(id, { rebuild: { imageRef: image } }, 92)).body.server).toMatchObject({
      status: "REBUILD",
      image: "",
    });
    expect((await act(id, { rebuild: { imageRef: other } })).status).toBe(202);
    expect((await cloud.server(id)).status).toBe("ACTIVE");
    const reimaged = await volume(volumeId);
    expect(reimaged).toMatchObject({ status: "in-use", volume_image_metadata: { image_id: other } });
    const content = await open(file(volumeId));
    const { buffer } = await content.read(Buffer.alloc(6), 0, 6, 0).finally(() => content.close());
    expect(buffer.toString()).toBe("other\0");
  });

  it("becomes an image that leads to snapshots of its volumes, of which other servers are made", async () => {
    const image = await imageId();
    const flavor = (await cloud.get("/compute/v2.1/flavors")).body.flavors[0].id; // of 1 GiB
    const { id } = await boot({
      flavorRef: flavor,
      block_device_mapping_v2: [
        ofImage(image, { delete_on_termination: true }),
        { source_type: "blank", destination_type: "volume", volume_size: 1 },
      ],
    });
    const { image_id } = (await act(id, { createImage: { name: "snap", metadata: { a: "b" } } })).body;
    const made = (await cloud.get(`/image/v2/images/${image_id}`)).body;
    expect(made).toMatchObject({ name: "snap", size: 0, min_disk: 1, status: "active", a: "b", bdm_v2: "True" });
    const devices = JSON.parse(made.block_device_mapping);
    expect(devices).toMatchObject([
      { boot_index: 0, volume_size: 2, source_type: "snapshot", delete_on_termination: true, device_name: "/dev/vda" },
      { boot_index: -1, volume_size: 1, source_type: "snapshot", delete_on_termination: false },
    ]);
    const { snapshots } = (await cloud.get("/volume/v3/snapshots")).body;
    expect(snapshots).toMatchObject([{ name: "snapshot for snap", status: "available" }, { status: "available" }]);
    const other = await boot({ flavorRef: flavor, imageRef: image_id });
    expect(other).toMatchObject({ status: "ACTIVE", image: { id: image_id } });
    const [{ volumeId }, second] = await attachments(other.id);
    expect(await volume(volumeId)).toMatchObject({
      snapshot_id: devices[0].snapshot_id,
      status: "in-use",
      bootable: "true",
    });
    expect(await volume(second.volumeId)).toMatchObject({ snapshot_id: devices[1].snapshot_id });
    expect(hypervisor.rootDisk(other.id)).toEqual({ device: "vda", path: file(volumeId) });

    const token = await cloud.adminToken();
    await cloud.put(`/volume/v3/os-quota-sets/${cloud.projectId}`, { quota_set: { snapshots: 3 } }, { token });
    const refused = await act(id, { createImage: { name: "more" } });
    expect([refused.status, refused.body.forbidden.message]).toEqual([403, "Quota exceeded for resources: snapshots"]);
    expect((await cloud.get("/volume/v3/snapshots")).body.snapshots).toHaveLength(2);
  });

  it("becomes an image of one moment, or one with snapshots in error, where a kill came between", async () => {
    const blank = { source_type: "blank", destination_type: "volume", volume_size: 1 };
    const { id } = await boot({ block_device_mapping_v2: [ofImage(await imageId()), blank] });
    const take = async (name: string) => {
      const { image_id } = (await act(id, { createImage: { name } })).body;
      await cloud.cloud.idle();
      const { block_device_mapping } = (await cloud.get(`/image/v2/images/${image_id}`)).body;
      return JSON.parse(block_device_mapping).map((device: { snapshot_id: string }) => device.snapshot_id) as string[];
    };
    const [whole, [made = "", missing = ""]] = [await take("whole"), await take("broken")];
    const promised = [...whole, missing];
    await cloud.cloud.close();
    // as a process leaves them that is killed while it copies
    const store = new Store(stateFiles(cloud.stateDir).database);
    for (const snapshot of promised) snapshotTable(store).patch(snapshot, { status: "creating" });
    store.close();
    const still: string[] = [];
    class Still extends FakeHypervisor {
      whileStill<T>(server: string, work: () => Promise<T>): Promise<T> {
        still.push(server);
        return work();
      }
    }
    await cloud.restart({ hypervisor: new Still() });
    await cloud.cloud.idle();
    expect(still).toEqual([id]); // once for both
    const statusOf = async (snapshot: string) =>
      (await cloud.get(`/volume/v3/snapshots/${snapshot}`)).body.snapshot.status;
    expect(await Promise.all([...whole, made, missing].map(statusOf))).toEqual([
      ...["available", "available", "available", "error"],
    ]);
  });

  it("is in error where Cinder makes no volume, in its words, and goes on after a restart where it was at one", async () => {
    const token = await cloud.adminToken();
    const image = await imageId();
    const quota = `/volume/v3/os-quota-sets/${cloud.projectId}`;
    await cloud.put(quota, { quota_set: { gigabytes: 1 } }, { token });
    const { id, status, fault } = await boot({ block_device_mapping_v2: [ofImage(image)] });
    expect(status).toBe("ERROR");
    expect(fault.message).toBe(
      `Build of instance ${id} aborted: VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested 2G, quota is 1G and 0G has been consumed.`,
    );
    await cloud.delete(quota, { token });
    const { id: made } = await boot({ block_device_mapping_v2: [ofImage(image)] });
    const [{ volumeId }] = await attachments(made);
    await cloud.cloud.close();
    // as a process leaves it that is killed while the volume is made
    const store = new Store(stateFiles(cloud.stateDir).database);
    const promised = {
      device: "/dev/vda",
      tag: null,
      deleteOnTermination: true,
      source: { kind: "image", id: image },
      volumeId,
    } as const;
    serverTable(store).patch(made, {
      vmState: "building",
      taskState: "block_device_mapping",
      promisedVolumes: [promised],
    });
    volumeTable(store).patch(volumeId, { status: "creating", attachment: null });
    for (const device of blockDeviceTable(store).list()) blockDeviceTable(store).delete(device.id);
    store.close();
    hypervisor = new FakeHypervisor();
    await cloud.restart({ hypervisor });
    await cloud.cloud.idle();
    expect((await cloud.server(made)).status).toBe("ACTIVE");
    expect(hypervisor.rootDisk(made)).toEqual({ device: "vda", path: file(volumeId) });
    expect(await attachments(made)).toMatchObject([{ volumeId, delete_on_termination: true }]);
  });

  it("is refused in Nova's words", async () => {
    const image = await imageId();
    const blank = await newVolume();
    const of = (source_type: string, fields = {}) => ({ source_type, destination_type: "volume", ...fields });
    const invalid = (details: string) => `Block Device Mapping is Invalid: ${details}`;
    const sequence = invalid("Boot sequence for the instance and image/block device mapping combination is not valid.");
    const refusals: [unknown[], string, object?][] = [
      [[], "Missing imageRef attribute"],
      [
        [ofImage(image, { volume_size: undefined })],
        "Images with destination_type 'volume' need to have a non-zero size specified",
      ],
      [[ofImage(nothing)], invalid(`failed to get image ${nothing}.`)],
      [[root({ source_type: "volume", uuid: nothing })], invalid(`failed to get volume ${nothing}.`)],
      [[ofImage(image), of("volume", { uuid: nothing })], `Volume ${nothing} could not be found.`],
      [[root({ source_type: "snapshot", uuid: nothing })], `Snapshot ${nothing} could not be found.`],
      [[ofImage(image), of("snapshot", { uuid: nothing })], invalid(`failed to get snapshot ${nothing}.`)],
      [[root({ source_type: "volume", uuid: blank })], `Block Device ${blank} is not bootable.`],
      [[of("blank", { uuid: nothing, boot_index: 0, volume_size: 1 })], invalid("Invalid device UUID.")],
      [[ofImage(image), of("blank")], "Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size"],
      [[ofImage(image, { destination_type: "local" })], invalid("Mapping image to local is not supported.")],
      [[ofImage(image, { boot_index: 1 })], sequence],
      [[ofImage(image, { volume_type: "none" })], "Volume type none could not be found."],
      [
        [root({ source_type: "volume", uuid: blank, volume_type: "x" })],
        invalid("Specifying volume type to existing volume is not supported."),
      ],
      [
        [ofImage(image), of("volume", { uuid: blank })],
        "Cannot attach one or more volumes to multiple instances",
        { min_count: 2 },
      ],
      [[ofImage(image, { disk_bus: "nope" })], "Block Device Mapping is Invalid."],
      [
        [ofImage(image), of("blank", { destination_type: "local", volume_size: 3 })],
        "Ephemeral disks requested are larger than the instance type allows. If no size is given in one block device mapping, flavor ephemeral size will be used.",
      ],
      [
        [ofImage(image), of("blank", { destination_type: "local", guest_format: "swap", volume_size: 3 })],
        "Swap drive requested is larger than instance type allows.",
      ],
      [
        [ofImage(image, { destination_type: "local" }), of("volume", { uuid: blank, device_name: "/dev/vda" })],
        "The volume cannot be assigned the same device name as the root device vda",
        { imageRef: image },
      ],
    ];
    for (const [devices, words, more = {}] of refusals) {
      const answer = await post({ block_device_mapping_v2: devices, ...more });
      expect([answer.status, answer.body.badRequest?.message]).toEqual([400, words]);
    }
    const legacy: [object, string][] = [
      [{ device_name: "vda" }, invalid("Unrecognized legacy format.")],
      [{ device_name: "vdb", volume_id: blank }, sequence],
      [{ device_name: "vda", volume_id: blank }, `Block Device ${blank} is not bootable.`],
    ];
    for (const [device, words] of legacy) {
      expect((await post({ block_device_mapping: [device] })).body.badRequest.message).toBe(words);
    }
  });
});

describe("Cinder's other pages", () => {
  it("versions at the root for everyone, at v3 for those with a token; types, zones, and lists of what there is none of", async () => {
    const versions = await cloud.get("/volume/", { token: "" });
    expect(versions.status).toBe(300);
    expect(versions.body.versions).toMatchObject([{ id: "v3.0", version: "3.70", min_version: "3.0" }]);
    expect((await cloud.get("/volume/v3", { token: "" })).status).toBe(401);
    expect((await cloud.get("/volume/v3/")).body).toEqual(versions.body);
    const sentOn = await fetch(`${cloud.base}/volume/v3`, {
      ...{ headers: { "x-auth-token": cloud.token }, redirect: "manual" },
    });
    expect([sentOn.status, sentOn.headers.get("location")]).toEqual([302, `${cloud.base}/volume/v3/`]);
    const project = `/volume/v3/${cloud.projectId}`;
    const { volume_types: types } = (await cloud.get(`${project}/types`)).body;
    expect(types).toMatchObject([{ name: "__DEFAULT__", is_public: true, extra_specs: {} }]);
    expect((await cloud.get(`${project}/types/default`)).body.volume_type).toEqual(types[0]);
    expect((await cloud.get(`${project}/types/none`)).body.itemNotFound.message).toBe(
      "Volume type none could not be found.",
    );
    expect((await cloud.get(`${project}/os-availability-zone`)).body.availabilityZoneInfo).toHaveLength(1);
    expect((await cloud.get(`${project}/snapshots/detail`)).body).toEqual({ snapshots: [] });
    expect((await cloud.post(`${project}/backups`, { backup: { volume_id: nothing } })).status).toBe(404);
  });
});
