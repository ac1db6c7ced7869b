import { randomBytes } from "node:crypto";
import { open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { stateFiles } from "../../src/cloud/store/state.ts";
import { Store } from "../../src/cloud/store/store.ts";
import { backupTable } from "../../src/cloud/volume/backup-records.ts";
import { snapshotTable, volumeTable } from "../../src/cloud/volume/records.ts";
import { type Answer, TestCloud } from "./support.ts";

let cloud: TestCloud;
beforeEach(async () => {
  cloud = await TestCloud.start();
});
afterEach(() => cloud.remove());

const at = (minor = 70) => ({ headers: { "openstack-api-version": `volume 3.${minor}` } });
const path = (rest: string) => `/volume/v3/${cloud.projectId}${rest}`;
const post = (rest: string, body: unknown) => cloud.post(path(rest), body, at());
const get = async (rest: string, minor = 70) => (await cloud.get(path(rest), at(minor))).body;
const idle = () => cloud.cloud.idle();
const said = ({ status, body }: Answer) => [status, (Object.values(body)[0] as { message: string }).message];
const file = (volumeId: string) => join(stateFiles(cloud.stateDir).volumes, `volume-${volumeId}`);
const head = 4096;

async function write(volumeId: string, bytes: Buffer, position = 0): Promise<void> {
  const target = await open(file(volumeId), "r+");
  await target.write(bytes, 0, bytes.length, position).finally(() => target.close());
}

async function read(volumeId: string, position = 0): Promise<Buffer> {
  const source = await open(file(volumeId), "r");
  const bytes = Buffer.alloc(head);
  await source.read(bytes, 0, head, position).finally(() => source.close());
  return bytes;
}

async function newVolume(fields: Record<string, unknown> = {}): Promise<string> {
  const { id } = (await post("/volumes", { volume: { size: 1, ...fields } })).body.volume;
  await idle();
  return id;
}

async function backup(volumeId: string, fields: Record<string, unknown> = {}): Promise<string> {
  const made = await post("/backups", { backup: { volume_id: volumeId, ...fields } });
  expect([made.status, made.text]).toEqual([202, expect.any(String)]);
  await idle();
  return made.body.backup.id;
}

describe("a backup", () => {
  it("brings a volume's bytes back: into a new volume, an old one, one that is made of it, also when the volume is gone", async () => {
    const bytes = randomBytes(head);
    const volumeId = await newVolume({ name: "data", description: "of models", metadata: { role: "models" } });
    await write(volumeId, bytes);
    const id = await backup(volumeId, { name: "nightly" });
    await write(volumeId, randomBytes(head));
    const restore = (body: unknown) => post(`/backups/${id}/restore`, { restore: body });

    const anew = await restore({});
    expect([anew.status, anew.body.restore]).toEqual([
      202,
      { backup_id: id, volume_id: expect.any(String), volume_name: `restore_backup_${id}` },
    ]);
    await idle();
    const made = anew.body.restore.volume_id;
    expect(await read(made)).toEqual(bytes);
    expect((await get(`/volumes/${made}`)).volume).toMatchObject({
      ...{ status: "available", name: "data", description: "of models", size: 1 },
      metadata: { role: "models", src_backup_id: id },
    });

    const larger = await newVolume({ size: 2, name: "larger" });
    const behind = randomBytes(head);
    await write(larger, behind, 1024 ** 3);
    await write(larger, randomBytes(head), 1024 ** 2);
    expect((await restore({ volume_id: larger })).status).toBe(202);
    await idle();
    expect([await read(larger), await read(larger, 1024 ** 2), await read(larger, 1024 ** 3)]).toEqual([
      ...[bytes, Buffer.alloc(head), behind],
    ]);
    expect((await stat(file(larger))).blocks).toBeLessThan(8192); // what is empty takes no room
    expect((await get(`/volumes/${larger}`)).volume).toMatchObject({ name: "larger", status: "available" });

    expect((await cloud.delete(path(`/volumes/${volumeId}`), at())).status).toBe(202);
    await idle();
    const ofBackup = await newVolume({ backup_id: id, size: 2 });
    expect(await read(ofBackup)).toEqual(bytes);
    expect((await get(`/volumes/${ofBackup}`)).volume).toMatchObject({ size: 2, metadata: { src_backup_id: id } });
    expect((await get(`/backups/${id}`)).backup.status).toBe("available");
  });

  it("is of a snapshot's moment, adds to another, and stays while others add to it", async () => {
    const volumeId = await newVolume();
    const first = await backup(volumeId);
    const bytes = randomBytes(head);
    await write(volumeId, bytes);
    const snapshot = (await post("/snapshots", { snapshot: { volume_id: volumeId } })).body.snapshot;
    await idle();
    await write(volumeId, randomBytes(head));
    const ofSnapshot = await backup(volumeId, { snapshot_id: snapshot.id });
    const added = await backup(volumeId, { incremental: true });
    const { backups } = await get("/backups/detail");
    expect(backups.map((each: Record<string, unknown>) => [each.id, each.is_incremental, each.snapshot_id])).toEqual([
      [added, true, null],
      [ofSnapshot, false, snapshot.id],
      [first, false, null],
    ]);
    expect((await get(`/snapshots/${snapshot.id}`)).snapshot.status).toBe("available");
    const target = (await post(`/backups/${ofSnapshot}/restore`, { restore: { name: "back" } })).body.restore;
    await idle();
    expect(await read(target.volume_id)).toEqual(bytes);
    expect((await get(`/volumes/${target.volume_id}`)).volume.name).toBe("back");
    const parent = backups.find((each: Record<string, unknown>) => each.has_dependent_backups).id;
    expect(said(await cloud.delete(path(`/backups/${parent}`), at()))).toEqual([
      ...[400, "Invalid backup: Incremental backups exist for this backup."],
    ]);
    for (const id of [added, first, ofSnapshot]) {
      expect((await cloud.delete(path(`/backups/${id}`), at())).status).toBe(202);
      await idle();
    }
    expect((await get("/backups")).backups).toEqual([]);
    expect((await readdir(stateFiles(cloud.stateDir).volumes)).filter((name) => name.startsWith("backup"))).toEqual([]);
  });

  it("is shown, listed, renamed and reset as by Cinder", async () => {
    const volumeId = await newVolume();
    const made = await post("/backups", {
      backup: { volume_id: volumeId, name: "nightly", description: "d", container: "c", metadata: { a: "b" } },
    });
    const { id } = made.body.backup;
    const links = [
      { rel: "self", href: `${cloud.base}${path(`/backups/${id}`)}` },
      { rel: "bookmark", href: `${cloud.base}/volume/${cloud.projectId}/backups/${id}` },
    ];
    expect(made.body).toEqual({ backup: { id, name: "nightly", links } });
    await idle();
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
    const shown = {
      ...{
        id,
        name: "nightly",
        description: "d",
        status: "available",
        size: 1,
        object_count: 1,
        container: "c",
        links,
      },
      ...{ availability_zone: null, created_at: time, updated_at: time, fail_reason: null, volume_id: volumeId },
      ...{ is_incremental: false, has_dependent_backups: false, snapshot_id: null, data_timestamp: time },
    };
    expect((await get(`/backups/${id}`, 42)).backup).toEqual(shown);
    expect((await get(`/backups/${id}`)).backup).toEqual({ ...shown, metadata: { a: "b" } });
    const asAdmin = { token: await cloud.adminToken(), ...at() };
    const adminProject = (await cloud.get("/identity/v3/auth/projects", asAdmin)).body.projects.find(
      ({ name }: { name: string }) => name === "admin",
    ).id;
    const seen = (await cloud.get(`/volume/v3/${adminProject}/backups/${id}`, asAdmin)).body.backup;
    expect(seen).toMatchObject({ "os-backup-project-attr:project_id": cloud.projectId, user_id: expect.any(String) });
    expect(
      (await cloud.put(path(`/backups/${id}`), { backup: { name: "kept", metadata: {} } }, at())).body.backup.name,
    ).toBe("kept");
    expect((await get(`/backups/${id}`)).backup).toMatchObject({ description: "d", metadata: {} });
    expect((await get(`/backups?name=other`)).backups).toEqual([]);
    expect((await get(`/backups?volume_id=${volumeId}`)).backups).toHaveLength(1);
    expect(said(await post(`/backups/${id}/action`, { "os-reset_status": { status: "error" } }))[0]).toBe(403);
    const reset = (status: string) =>
      cloud.post(`/volume/v3/${adminProject}/backups/${id}/action`, { "os-reset_status": { status } }, asAdmin);
    expect((await reset("error")).status).toBe(202);
    expect(said(await post(`/backups/${id}/restore`, { restore: {} }))).toEqual([
      ...[400, "Invalid backup: Backup status must be available"],
    ]);
    expect(said(await reset("restoring"))).toEqual([
      ...[400, "Backup status: restoring is invalid, valid statuses are: ['available', 'error']."],
    ]);
    const force = { "os-force_delete": {} };
    expect((await cloud.post(`/volume/v3/${adminProject}/backups/${id}/action`, force, asAdmin)).status).toBe(202);
    await idle();
    expect(said(await cloud.get(path(`/backups/${id}`), at()))).toEqual([404, `Backup ${id} could not be found.`]);
  });

  it("is refused in Cinder's words, and counts", async () => {
    const volumeId = await newVolume();
    const ask = async (fields: object) => said(await post("/backups", { backup: { volume_id: volumeId, ...fields } }));
    expect(await ask({ incremental: true })).toEqual([
      ...[400, "Invalid backup: No backups available to do an incremental backup."],
    ]);
    const other = await newVolume({ size: 2 });
    const snapshot = (await post("/snapshots", { snapshot: { volume_id: other } })).body.snapshot.id;
    await idle();
    expect(await ask({ snapshot_id: snapshot })).toEqual([
      ...[400, `Invalid volume: Volume ${volumeId} does not match with snapshot.volume_id ${other}.`],
    ]);
    const id = await backup(other);
    expect(said(await post(`/backups/${id}/restore`, { restore: { volume_id: volumeId } }))).toEqual([
      ...[400, "Invalid volume: volume size 1 is too small to restore backup of size 2."],
    ]);
    expect(said(await post("/volumes", { volume: { size: 1, backup_id: id } }))).toEqual([
      ...[
        400,
        "Invalid input received: Volume size 1GB cannot be smaller than the backup size 2GB. It must be >= backup size.",
      ],
    ]);
    expect((await get("/limits")).limits.absolute).toMatchObject({ totalBackupsUsed: 1, totalBackupGigabytesUsed: 2 });
    for (let count = 1; count < 10; count++) await backup(volumeId);
    expect(await ask({})).toEqual([413, "BackupLimitExceeded: Maximum number of backups allowed (10) exceeded"]);
    expect((await get("/volumes?status=available")).volumes).toHaveLength(2);
  });

  it("that was under way when the cloud was killed is made, restored and deleted after it", async () => {
    const volumeId = await newVolume();
    const bytes = randomBytes(head);
    await write(volumeId, bytes);
    const [restoring, deleting, creating] = [await backup(volumeId), await backup(volumeId), await backup(volumeId)];
    const target = await newVolume();
    await cloud.cloud.close();
    // as a process leaves them that is killed
    const store = new Store(stateFiles(cloud.stateDir).database);
    const [backups, volumes] = [backupTable(store), volumeTable(store)];
    backups.patch(restoring, { status: "restoring", restoreTo: target });
    volumes.patch(target, { status: "restoring-backup" });
    backups.patch(deleting, { status: "deleting" });
    backups.patch(creating, { status: "creating" });
    volumes.patch(volumeId, { status: "backing-up", previousStatus: "available" });
    store.close();
    await rm(join(stateFiles(cloud.stateDir).volumes, `backup-${creating}`));
    await cloud.restart();
    await idle();
    expect(await read(target)).toEqual(bytes);
    expect((await get("/volumes?status=available")).volumes).toHaveLength(2);
    expect((await get("/backups?status=available")).backups.map(({ id }: { id: string }) => id)).toEqual([
      ...[creating, restoring],
    ]);
    const again = (await post(`/backups/${creating}/restore`, { restore: {} })).body.restore.volume_id;
    await idle();
    expect(await read(again)).toEqual(bytes);
  });

  it("whose end a kill followed at once holds nothing back after it", async () => {
    const volumeId = await newVolume();
    const snapshotId = (await post("/snapshots", { snapshot: { volume_id: volumeId } })).body.snapshot.id;
    await idle();
    const kept = [await backup(volumeId), await backup(volumeId, { snapshot_id: snapshotId })];
    await cloud.cloud.close();
    const store = new Store(stateFiles(cloud.stateDir).database);
    volumeTable(store).patch(volumeId, { status: "backing-up", previousStatus: "in-use" });
    snapshotTable(store).patch(snapshotId, { status: "backing-up" });
    store.close();
    await cloud.restart();
    await idle();
    expect((await get(`/volumes/${volumeId}`)).volume.status).toBe("in-use");
    expect((await get(`/snapshots/${snapshotId}`)).snapshot.status).toBe("available");
    expect((await get("/backups?status=available")).backups.map(({ id }: { id: string }) => id)).toEqual(
      kept.toReversed(),
    );
  });
});

it("what the store does not keep ends nothing, is told, and is taken up at the next start", async () => {
  const lines: string[] = [];
  await cloud.restart({ log: (line) => lines.push(line) });
  const source = await newVolume();
  const admin = { token: await cloud.adminToken(), ...at() };
  const { projects } = (await cloud.get("/identity/v3/auth/projects", admin)).body;
  const { id: adminProject } = projects.find(({ name }: { name: string }) => name === "admin");
  const groupType = { group_type: { name: "together" } };
  await cloud.post(`/volume/v3/${adminProject}/group_types`, groupType, admin);
  const group = { group_type: "together", volume_types: ["__DEFAULT__"] };
  const grouped = (await post("/groups", { group })).body.group.id;
  await newVolume({ group_id: grouped, volume_type: "__DEFAULT__" });

  // as from a disk that gets full once the request is answered
  const database = new DatabaseSync(stateFiles(cloud.stateDir).database);
  const when = `json_extract(new.body, '$.status') IN ('available', 'error')`;
  database.exec(
    `CREATE TRIGGER full BEFORE UPDATE ON records WHEN ${when} BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`,
  );
  const { id: volumeId } = (await post("/volumes", { volume: { size: 1 } })).body.volume;
  const { id: snapshotId } = (await post("/snapshots", { snapshot: { volume_id: source } })).body.snapshot;
  const { id: backupId } = (await post("/backups", { backup: { volume_id: source } })).body.backup;
  const copy = (await post("/groups/action", { "create-from-src": { source_group_id: grouped } })).body.group.id;
  await idle();
  await new Promise((resolve) => setImmediate(resolve));
  const statuses = async () => [
    (await get(`/volumes/${volumeId}`)).volume.status,
    (await get(`/snapshots/${snapshotId}`)).snapshot.status,
    (await get(`/backups/${backupId}`)).backup.status,
    (await get(`/groups/${copy}`)).group.status,
  ];
  expect(await statuses()).toEqual(["creating", "creating", "creating", "creating"]);
  const unkept = (what: string) => `${what}: what became of it could not be kept: database or disk is full`;
  expect(lines).toEqual(
    expect.arrayContaining([
      ...[`volume ${volumeId}`, `snapshot ${snapshotId}`, `backup ${backupId}`].map(unkept),
      unkept(`group or group snapshot ${copy}`),
    ]),
  );

  database.exec("DROP TRIGGER full");
  database.close();
  await cloud.restart();
  await idle();
  await new Promise((resolve) => setImmediate(resolve));
  expect(await statuses()).toEqual(["available", "available", "available", "available"]);
});
