import { existsSync } from "node:fs";
import { copyFile, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { completeReplacement, incomingState } from "../../src/cloud/snapshots/replace.ts";
import { resetState } from "../../src/cloud/snapshots/reset.ts";
import {
  deleteSnapshot,
  demandNewName,
  demandSnapshot,
  listSnapshots,
  restoreSnapshot,
  takeSnapshot,
} from "../../src/cloud/snapshots/snapshots.ts";
import { copyAsIs } from "../../src/cloud/store/copy.ts";
import { backupOf } from "../../src/cloud/store/migrate.ts";
import { readInstance, stateFiles, stateParts } from "../../src/cloud/store/state.ts";
import { shown } from "./states/laid-out.ts";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
/** What the cloud showed when the snapshot `first` was taken. */
let first: Record<string, unknown>;
let container = "";

/** Does something with the state while nobody runs the cloud. */
async function whileClosed(work: () => Promise<unknown>): Promise<void> {
  await cloud.cloud.close();
  await work();
  await cloud.restart();
  await cloud.logIn();
}

async function change(word: string): Promise<void> {
  await cloud.put(`${container}/one.txt`, word, { headers: { "content-type": "text/plain" } });
  await cloud.put(`${container}/${word}.txt`, word, { headers: { "content-type": "text/plain" } });
  await cloud.make("network", { name: word });
}

beforeAll(async () => {
  cloud = await TestCloud.start();
  container = `/object-store/v1/AUTH_${cloud.projectId}/papers`;
  await cloud.put(container);
  const { network } = await cloud.routedNetwork();
  await cloud.bootServer({ networks: [{ uuid: network.id }] });
  await cloud.post(`/volume/v3/${cloud.projectId}/volumes`, { volume: { name: "data", size: 3 } });
  await cloud.cloud.idle();
  await change("first");
  first = await shown(cloud);
  await whileClosed(() => takeSnapshot(cloud.stateDir, "first"));
});
afterAll(() => cloud.remove());

const volumeFile = async () => {
  const { volumes } = stateFiles(cloud.stateDir);
  const [name = ""] = await readdir(volumes);
  return join(volumes, name);
};

async function beginningOf(path: string): Promise<string> {
  const file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(6), 0, 6, 0);
  await file.close();
  return buffer.toString("latin1");
}

describe("a snapshot", () => {
  it("brings back all that the cloud had, as often as one likes, and is none of the cloud's files", async () => {
    for (const word of ["second", "third"]) {
      await change(word);
      const file = await open(await volumeFile(), "r+");
      await file.write(word, 0);
      await file.close();
      expect(await shown(cloud)).not.toEqual(first);
      await whileClosed(() => restoreSnapshot(cloud.stateDir, "first"));
      expect(await shown(cloud)).toEqual(first);
      expect(await beginningOf(await volumeFile())).toBe("\0".repeat(6));
    }
  });

  it("keeps the holes of volumes, and tells its size", async () => {
    const { size, blocks } = await stat(await volumeFile());
    expect({ size, blocks }).toEqual({ size: 3 * 1024 ** 3, blocks: 0 });
    const [snapshot] = await listSnapshots(cloud.stateDir);
    expect(snapshot).toMatchObject({ name: "first", servers: 1 });
    expect(snapshot?.bytes).toBeGreaterThan(10_000);
    expect(snapshot?.bytes).toBeLessThan(10_000_000);
  });

  it("has a name of its own that leads nowhere else", async () => {
    const { stateDir } = cloud;
    for (const name of ["first", "../x", "", ".part", "a/b", "a".repeat(65)]) {
      await expect(demandNewName(stateDir, name), name).rejects.toMatchObject({ code: "E_USAGE" });
    }
    await demandNewName(stateDir, "second-1.0_x");
    await expect(demandSnapshot(stateDir, "second")).rejects.toMatchObject({
      code: "E_USAGE",
      hint: "Choose one of first.",
    });
  });

  it("that could not be finished is none", async () => {
    await cloud.cloud.close();
    const killed = join(cloud.stateDir, "snapshots", ".part");
    await copyAsIs(join(cloud.stateDir, "snapshots", "first"), killed);
    expect((await listSnapshots(cloud.stateDir)).map(({ name }) => name)).toEqual(["first"]);
    await takeSnapshot(cloud.stateDir, "second");
    expect((await listSnapshots(cloud.stateDir)).map(({ name }) => name)).toEqual(["first", "second"]);
    await deleteSnapshot(cloud.stateDir, "second");
    expect((await listSnapshots(cloud.stateDir)).map(({ name }) => name)).toEqual(["first"]);
    await cloud.restart();
    expect(await shown(cloud)).toEqual(first);
  });
});

describe("the snapshots of a cloud", () => {
  it("are worked on by one at a time, whether the cloud runs or not", async () => {
    const { stateDir } = cloud;
    await whileClosed(async () => {
      const taking = takeSnapshot(stateDir, "second");
      const refused = { code: "E_LOCKED", message: "another process is at work on the snapshots of this cloud" };
      await expect(deleteSnapshot(stateDir, "first")).rejects.toMatchObject(refused);
      await expect(restoreSnapshot(stateDir, "first")).rejects.toMatchObject(refused);
      await taking;
    });
    await deleteSnapshot(stateDir, "second");
    await expect(deleteSnapshot(stateDir, "second")).rejects.toMatchObject({ code: "E_USAGE" });
    expect((await listSnapshots(stateDir)).map(({ name }) => name)).toEqual(["first"]);
  });

  it("have a name free again whose removal was killed", async () => {
    const killed = join(cloud.stateDir, "snapshots", "killed");
    await mkdir(join(killed, "state"), { recursive: true });
    await whileClosed(() => takeSnapshot(cloud.stateDir, "killed"));
    await whileClosed(() => restoreSnapshot(cloud.stateDir, "killed"));
    expect(await shown(cloud)).toEqual(first);
    await deleteSnapshot(cloud.stateDir, "killed");
  });

  it("are as they were when they were read, as a state is", async () => {
    const { stateDir } = cloud;
    const state = join(stateDir, "snapshots", "first", "state");
    const before = await readdir(state);
    await whileClosed(() => restoreSnapshot(stateDir, "first"));
    expect(await readdir(state)).toEqual(before);
    // what a killed process had not yet brought from the journal into the database stays there
    const { database } = stateFiles(stateDir);
    const killed = join(stateDir, "killed.sqlite");
    for (const end of ["", "-wal"]) await copyFile(`${database}${end}`, `${killed}${end}`);
    const bytes = await readFile(`${killed}-wal`);
    expect(bytes.length).toBeGreaterThan(0);
    expect(readInstance(killed)).toBe(cloud.cloud.instance);
    expect(await readFile(`${killed}-wal`)).toEqual(bytes);
    for (const end of ["", "-wal", "-shm"]) await rm(`${killed}${end}`, { force: true });
  });
});

describe("a replacement of the state", () => {
  // as many of the parts are there already as a kill may have let through
  const parts = stateParts("state").map((path) => basename(path));
  it.each([0, 1, 3, parts.length])("that was killed after %i of its steps ends at the next start", async (done) => {
    await change(`before-${done}`);
    await whileClosed(async () => {
      const { stateDir } = cloud;
      const state = join(stateDir, "snapshots", "first", "state");
      await copyAsIs(state, incomingState(stateDir));
      for (const part of parts.slice(0, done)) {
        await rm(join(stateDir, part), { recursive: true, force: true });
        await rename(join(incomingState(stateDir), part), join(stateDir, part));
      }
      if (done === 0) await writeFile(`${stateFiles(stateDir).database}-wal`, "of the former database");
      await completeReplacement(stateDir);
      expect(await readdir(stateDir)).not.toContain("incoming");
    });
    expect(await shown(cloud)).toEqual(first);
  });

  it("that was killed before it was decided is none", async () => {
    await mkdir(`${incomingState(cloud.stateDir)}.part`);
    await whileClosed(() => completeReplacement(cloud.stateDir));
    expect(await shown(cloud)).toEqual(first);
  });
});

describe("a reset", () => {
  it("and a restoration take the copies away that were made of the former state before it was brought to a later layout", async () => {
    const { database } = stateFiles(cloud.stateDir);
    const copies = [backupOf(database, 1), `${backupOf(database, 2)}.part`];
    const left = () => copies.filter((path) => existsSync(path));
    const replacements = [() => restoreSnapshot(cloud.stateDir, "first"), () => resetState(cloud.stateDir)];
    for (const replace of [...replacements, ...replacements.slice(0, 1)]) {
      for (const path of copies) await writeFile(path, "a state");
      expect(left()).toEqual(copies);
      await whileClosed(replace);
      expect(left()).toEqual([]);
    }
    expect(await shown(cloud)).toEqual(first);
  });

  it("leaves port, passwords, name on the machine and snapshots, and nothing that was made", async () => {
    const before = cloud.cloud;
    await whileClosed(() => resetState(cloud.stateDir));
    const { port, instance, credentials } = cloud.cloud;
    expect({ port, instance, credentials }).toEqual({
      ...{ port: before.port, instance: before.instance, credentials: before.credentials },
    });
    expect((await cloud.get("/compute/v2.1/servers")).body.servers).toEqual([]);
    expect((await cloud.get("/network/v2.0/networks")).body.networks).toMatchObject([{ name: "public" }]);
    const { volumes, objects, guests } = stateFiles(cloud.stateDir);
    for (const folder of [volumes, objects, guests]) expect(await readdir(folder)).toEqual([]);
    await whileClosed(() => restoreSnapshot(cloud.stateDir, "first"));
    expect(await shown(cloud)).toEqual(first);
  });
});
