import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { daemonStatus, destroyCloud, startDaemon, stopDaemon, whileStopped } from "../../src/cloud/control.ts";
import { daemonFiles } from "../../src/cloud/daemon-info.ts";
import { startCloud } from "../../src/cloud/library.ts";
import { incomingState } from "../../src/cloud/snapshots/replace.ts";
import { lockState } from "../../src/cloud/store/lock.ts";
import { readSettings, stateFiles } from "../../src/cloud/store/state.ts";
import { Store } from "../../src/cloud/store/store.ts";

const projectRoot = join(import.meta.dirname, "../..");
let folder: string;
let stateDir: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-control-"));
  stateDir = join(folder, "cloud");
});
afterEach(async () => {
  await destroyCloud(stateDir);
  await rm(folder, { recursive: true, force: true });
});

const start = (more: { port?: number; hypervisor?: "auto" | "nspawn" | "fake"; containers?: boolean } = {}) =>
  startDaemon({
    stateDir,
    hypervisor: "fake",
    projectRoot,
    cloudsFile: join(folder, "clouds.yaml"),
    ...more,
  });

describe("the daemon", () => {
  it("starts once, answers, is found, stops, and comes back on the same port", async () => {
    expect(await daemonStatus(stateDir)).toEqual({ running: false });
    const info = await start();
    expect(info).toMatchObject({
      hypervisor: "fake",
      reason: "asked for",
      authUrl: expect.stringContaining("127.0.0.1"),
    });
    expect((await fetch(info.authUrl)).status).toBe(200);
    expect(await start()).toMatchObject({ pid: info.pid });
    expect(await daemonStatus(stateDir)).toEqual({ running: true, ...info });
    expect((await stat(join(folder, "clouds.yaml"))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(folder, "clouds.yaml"), "utf8")).toContain(`auth_url: ${info.authUrl}`);
    expect((await stat(stateDir)).mode & 0o777).toBe(0o700);

    expect(await stopDaemon(stateDir)).toBe(true);
    expect(await stopDaemon(stateDir)).toBe(false);
    expect(await daemonStatus(stateDir)).toEqual({ running: false });
    const again = await start({ hypervisor: "auto" });
    expect(again).toMatchObject({ port: info.port, instance: info.instance, hypervisor: "fake" });
    expect(again.pid).not.toBe(info.pid);
  });

  it("is told from a program that has the cloud in it, which is not ended", async () => {
    await using cloud = await startCloud({ stateDir });
    const { authUrl, port } = cloud;
    expect(await daemonStatus(stateDir)).toMatchObject({
      ...{ running: true, isProgram: true, pid: process.pid, authUrl, port, hypervisor: "fake", images: ["debian-13"] },
    });
    const refused = { code: "E_LOCKED", message: expect.stringContaining(`process ${process.pid}`) };
    await expect(stopDaemon(stateDir)).rejects.toMatchObject(refused);
    await expect(destroyCloud(stateDir)).rejects.toMatchObject(refused);
    expect(await start()).toMatchObject({ pid: process.pid }); // it answers already
    await cloud.close();
    expect(await daemonStatus(stateDir)).toEqual({ running: false });
    expect(await stopDaemon(stateDir)).toBe(false);
  });

  it("goes on where an earlier one in a program is closed again", async () => {
    const first = await startCloud({ stateDir });
    await first.close();
    await using second = await startCloud({ stateDir });
    await first.close();
    expect(JSON.parse(await readFile(daemonFiles(stateDir).info, "utf8"))).toMatchObject({ port: second.port });
    expect(await daemonStatus(stateDir)).toMatchObject({ running: true, isProgram: true });
    expect((await fetch(second.authUrl)).status).toBe(200);
  });

  it("offers an image for containers from when that is asked for", async () => {
    expect(await start()).toMatchObject({ images: ["debian-13"] });
    await expect(start({ containers: true })).rejects.toMatchObject({
      code: "E_LOCKED",
      hint: expect.stringContaining("start it with --containers"),
    });
    await stopDaemon(stateDir);
    const images = ["debian-13", "debian-13-containers"];
    expect(await start({ containers: true })).toMatchObject({ images });
    await stopDaemon(stateDir);
    expect(await start()).toMatchObject({ images });
  });

  it("that was killed leaves nothing that stops the next one", async () => {
    const info = await start();
    process.kill(info.pid, "SIGKILL");
    while ((await daemonStatus(stateDir)).running) await new Promise((resolve) => setTimeout(resolve, 10));
    expect((await start()).instance).toBe(info.instance);
  });

  it("is one, however many are started at once", async () => {
    const results = await Promise.allSettled([start(), start(), start()]);
    const pids = results.flatMap((result) => (result.status === "fulfilled" ? [result.value.pid] : []));
    const codes = results.flatMap((result) => (result.status === "rejected" ? [result.reason.code] : []));
    expect(new Set(pids).size).toBe(1);
    expect(new Set(codes)).toEqual(new Set(codes.length === 0 ? [] : ["E_LOCKED"]));
    expect(await daemonStatus(stateDir)).toMatchObject({ running: true, pid: pids[0] });
  });

  it("says that its port is taken, with the code for it", async () => {
    const other: Server = createServer();
    const port = await new Promise<number>((resolve) =>
      other.listen(0, "127.0.0.1", () => resolve((other.address() as { port: number }).port)),
    );
    try {
      await expect(start({ port })).rejects.toMatchObject({
        code: "E_PORT_IN_USE",
        exitCode: 3,
        message: `port ${port} on 127.0.0.1 is already in use`,
      });
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
    expect(await daemonStatus(stateDir)).toEqual({ running: false });
  });

  it("keeps the kind of guests that the cloud has", async () => {
    await start();
    await expect(start({ hypervisor: "nspawn" })).rejects.toMatchObject({ code: "E_UNSUPPORTED" });
    await stopDaemon(stateDir);
    await expect(start({ hypervisor: "nspawn" })).rejects.toMatchObject({ code: "E_UNSUPPORTED" });
  });

  it("that is dead is not taken for the process that has its id now", async () => {
    const info = await start();
    const written = await readFile(daemonFiles(stateDir).info, "utf8");
    await stopDaemon(stateDir);
    const other = spawn("sh", ["-c", "read word"]);
    try {
      await writeFile(daemonFiles(stateDir).info, written.replace(`"pid": ${info.pid}`, `"pid": ${other.pid}`));
      const lock = lockState(stateFiles(stateDir).lock); // somebody is at work on the state
      const stopped = stopDaemon(stateDir);
      await sleep(300); // two looks of the one who waits
      lock.release();
      expect(await stopped).toBe(false);
      expect(other.signalCode).toBe(null);
    } finally {
      other.kill("SIGKILL");
    }
  });

  it("leaves a state behind that is worked on when what was begun is ended, and the word of the dead one is gone", async () => {
    const { instance } = await start();
    await stopDaemon(stateDir);
    await writeFile(daemonFiles(stateDir).info, "{}");
    await mkdir(incomingState(stateDir));
    const store = new Store(stateFiles(incomingState(stateDir)).database);
    for (const [name, value] of Object.entries({ instance, port: "1" })) store.setSetting(name, value);
    store.close();
    const seen = await whileStopped({ stateDir, hypervisor: "fake", projectRoot }, async () => ({
      names: await readdir(stateDir),
      port: readSettings(stateFiles(stateDir).database).port,
    }));
    expect(seen.port).toBe("1");
    expect(seen.names).not.toContain("incoming");
    expect(seen.names).not.toContain("daemon.json");
  });

  it("leaves nothing on the machine when its cloud is destroyed in the middle of a replacement", async () => {
    const { instance } = await start();
    await stopDaemon(stateDir);
    const { database } = stateFiles(stateDir);
    await mkdir(incomingState(stateDir));
    await rename(database, stateFiles(incomingState(stateDir)).database);
    const guest = spawn("sh", ["-c", "echo; read word", `sw-${instance}-0123abcd`]);
    const ended = new Promise((resolve) => guest.once("exit", (_, signal) => resolve(signal)));
    await new Promise((resolve) => guest.stdout.once("data", resolve));
    expect(await destroyCloud(stateDir)).toMatchObject({ found: [{ kind: "process" }], left: [] });
    expect(await ended).toBe("SIGKILL");
  });

  it("and its state are gone when the cloud is destroyed", async () => {
    const info = await start();
    expect(await destroyCloud(stateDir)).toEqual({ found: [], left: [] });
    await expect(stat(stateDir)).rejects.toThrow("ENOENT");
    await expect(fetch(info.authUrl)).rejects.toThrow();
    expect(await destroyCloud(stateDir)).toEqual({ found: [], left: [] });
  });
});
