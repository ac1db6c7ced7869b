import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import type { Digest } from "../../src/common/digest.ts";
import { SlipwayError } from "../../src/common/errors.ts";
import type { GuestPaths } from "../../src/guest/paths.ts";
import { runtimeSocket } from "../../src/serving/config.ts";
import { readPackage } from "../../src/serving/models/package.ts";
import { loadedVersions, versionsAtStart } from "../../src/serving/models/registry.ts";
import { modelFolder, readRegistry } from "../../src/serving/models/registry-file.ts";
import { ModelSet } from "../../src/serving/runtime/model-set.ts";
import { type RuntimeServer, serveRuntime } from "../../src/serving/runtime/server.ts";
import { floatRows } from "../../src/serving/tensors/raw-tensor.ts";

const log = pino({ enabled: false });

/** What a model of the test stands for: it answers `output` for every row, and says `golden` of itself, as the first of `width` numbers. */
export interface TestModel {
  output: number;
  golden?: number;
  width?: number;
  /** What its input is called. */
  input?: string;
  /** It does not load. */
  torn?: boolean;
  /** Milliseconds that an answer takes. */
  slowMs?: number;
  /** Answers after which it fails. */
  failsAfter?: number;
}

/** What a test does to models that are loaded. */
export interface Meddling {
  /** What all of them answer from now on. */
  instead?: number;
  /** Every third question to the one of this output fails. */
  breaks?: number;
}

/** A host's first runtime in the test's own process: a model is what its file says, until the test meddles with it. */
export async function playRuntime(
  paths: GuestPaths,
  meddling: Meddling,
): Promise<{ restart: () => Promise<void>; stop: () => Promise<void> }> {
  let server: RuntimeServer | undefined;
  onTestFinished(() => server?.close());
  const folderOf = (digest: Digest) => modelFolder(paths.models, digest);
  const load = async ({ digest }: { digest: Digest }) => {
    const { card } = await readPackage(folderOf(digest));
    const model: TestModel = JSON.parse(readFileSync(join(folderOf(digest), "model.onnx"), "utf8"));
    if (model.torn) throw new SlipwayError("E_MODEL_INVALID", "the model is torn");
    let asked = 0;
    const run = async ([input]: { shape: number[] }[]) => {
      const { output, width = 1, slowMs = 0, failsAfter = Number.POSITIVE_INFINITY } = model;
      if (slowMs > 0) await sleep(slowMs);
      if (++asked > failsAfter || (meddling.breaks === output && asked % 3 === 0)) throw new Error("the model breaks");
      const rows = input?.shape[0] ?? 0;
      const row = [meddling.instead ?? output, ...new Array<number>(width - 1).fill(0)];
      return [floatRows(Float32Array.from(Array.from({ length: rows }, () => row).flat()), rows)];
    };
    return { card, ...card, run, close: async () => undefined, provider: "cpu" as const, runtimeVersion: "none" };
  };
  const restart = async () => {
    await server?.close();
    const models = new ModelSet({ load, limits: () => ({ batchRows: 64, queueRows: 64 }), log });
    const sync = async () => models.sync(loadedVersions(await readRegistry(paths.models)));
    await models.sync(versionsAtStart(await readRegistry(paths.models), "default-0"));
    mkdirSync(paths.runtimeDir, { recursive: true });
    const socket = runtimeSocket(paths, "default", 0);
    const hello = { id: "0", group: "default", onnxruntime: "none", provider: "cpu", batchRows: 64 } as const;
    server = await serveRuntime({ socket, hello, models, sync, log });
  };
  return { restart, stop: async () => server?.close() };
}
