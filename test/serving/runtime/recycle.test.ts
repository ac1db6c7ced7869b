import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { runtimeSockets, type ServingConfigFile } from "../../../src/serving/config.ts";
import { importAnyModel } from "../../../src/serving/models/import-any.ts";
import { Router } from "../../../src/serving/routing/router.ts";
import { mostBytes } from "../../../src/serving/runtime/recycler.ts";
import { notedRecyclings } from "../../../src/serving/runtime/recyclings.ts";
import { textTensor } from "../../../src/serving/tensors/raw-tensor.ts";
import { type Host, installModel, prepareHost, startServing, type TestProcess } from "../support.ts";

let folder: string;
/** Stops what a test started. */
const stops: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-recycle-"));
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});
afterAll(() => rm(folder, { recursive: true }));

/** A host of two runtimes that serve a function which keeps as many MiB as it is told. */
async function newHost(name: string, recycle: NonNullable<ServingConfigFile["runtimes"]>[number]["recycle"]) {
  const root = join(folder, name);
  await mkdir(join(root, "model"), { recursive: true });
  const source =
    "const kept = []; export const memoryMiB = 4000; export const predict = ({ mib }) => kept.push(new Uint8Array(mib << 20).fill(1));";
  await writeFile(join(root, "model", "model.mjs"), source);
  const host = await prepareHost(root, { runtimes: [{ name: "default", recycle }] });
  await installModel(host.modelsDir, await importAnyModel(join(root, "model")), "1", "keeper");
  return host;
}

interface Unit {
  pids: number[];
  codes: (number | null)[];
  process: TestProcess;
}

/** Runs a runtime as its unit does: one that ends is started again. */
function supervised(host: Host, replica: number): Unit {
  let stopped = false;
  const start = () => {
    unit.process = startServing("runtime", host, replica);
    unit.pids.push(unit.process.pid);
    void unit.process.ended.then((code) => {
      unit.codes.push(code);
      if (!stopped) start();
    });
  };
  const unit = { pids: [], codes: [] } as unknown as Unit;
  start();
  stops.push(() => {
    stopped = true;
    return unit.process.end("SIGKILL");
  });
  return unit;
}

/** A router to the host's runtimes, and the fewest of them that it ever saw once all were there. */
async function routerTo(host: Host, runtimes: number) {
  let fewest = Number.POSITIVE_INFINITY;
  const router: Router = new Router({
    sockets: runtimeSockets(host.config),
    deadlineMs: 8000,
    inFlightRows: 1000,
    onChange: () => {
      fewest = Math.min(fewest, router.runtimes.length);
    },
  });
  stops.push(async () => router.close());
  const all = async () => (router.runtimes.length === runtimes ? true : undefined);
  await waitFor("the runtimes", all, { timeoutMs: 20_000 });
  fewest = runtimes;
  return { router, fewest: () => fewest };
}

/** Asks for as long as it takes, several at a time. Any failure fails the test. */
async function askUntil(router: Router, done: () => boolean, mib = 0): Promise<number> {
  let answers = 0;
  const until = performance.now() + 40_000;
  const clients = Array.from({ length: 4 }, async () => {
    while (!done()) {
      if (performance.now() > until) throw new Error("it took too long");
      const served = router.find("keeper");
      if (!served) throw new Error("the function does not serve");
      await router.predict(served, [textTensor([JSON.stringify({ mib })])]);
      answers++;
    }
  });
  await Promise.all(clients);
  return answers;
}

describe("a runtime that has answered so many frames", { timeout: 60_000 }, () => {
  it("is replaced under load, one after the other, and no question fails", async () => {
    const host = await newHost("requests", { requests: 100 });
    const units = [0, 1].map((replica) => supervised(host, replica));
    const { router, fewest } = await routerTo(host, 2);
    const answers = await askUntil(router, () => units.every(({ pids }) => pids.length >= 2));
    expect(answers).toBeGreaterThan(150);
    for (const { pids, codes } of units) {
      expect(new Set(pids).size).toBe(pids.length);
      expect(new Set(codes)).toEqual(new Set([0]));
    }
    expect(fewest()).toBe(1);
    const noted = await notedRecyclings(host.config.runtimeDir);
    for (const [replica, { codes }] of units.entries()) {
      expect(noted.get(`default-${replica}`)).toEqual({ times: codes.length, lastAt: expect.any(Number) });
    }
  });

  it("stays while no other of its group answers", async () => {
    const host = await newHost("alone", { requests: 5 });
    const unit = supervised(host, 0);
    const { router } = await routerTo(host, 1);
    const until = performance.now() + 2500;
    await askUntil(router, () => performance.now() > until);
    expect(unit.codes).toEqual([]);
    supervised(host, 1);
    await waitFor("the replacement", async () => unit.codes[0], { timeoutMs: 20_000 });
    expect(unit.codes[0]).toBe(0);
  });
});

describe("a runtime that holds so much memory", { timeout: 60_000 }, () => {
  it("is replaced, and no question fails", async () => {
    const host = await newHost("memory", { memoryMiB: 500 });
    const units = [0, 1].map((replica) => supervised(host, replica));
    const { router } = await routerTo(host, 2);
    await askUntil(router, () => units.some(({ pids }) => pids.length >= 2), 2);
    expect(units.flatMap(({ codes }) => codes)).toEqual([0]);
  });

  it("may hold more than a fresh one does, whatever is configured", () => {
    const mib = 1024 * 1024;
    expect(mostBytes({ memoryMiB: 300 }, 100 * mib)).toBe(300 * mib);
    expect(mostBytes({ memoryMiB: 300, growth: 2 }, 100 * mib)).toBe(200 * mib);
    expect(mostBytes({ memoryMiB: 50 }, 100 * mib)).toBe(120 * mib);
    expect(mostBytes({}, 100 * mib)).toBe(Number.POSITIVE_INFINITY);
  });
});
