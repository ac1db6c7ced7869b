import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { hexOf } from "../../../src/common/digest.ts";
import { run } from "../../../src/common/process.ts";
import { limitsOf, modelLimitsOf } from "../../../src/serving/config.ts";
import type { FrontendContext } from "../../../src/serving/frontend/context.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { importAnyModel } from "../../../src/serving/models/import-any.ts";
import { type AnyPackage, packageTar } from "../../../src/serving/models/package.ts";
import {
  addVersion,
  loadedVersions,
  loadVersion,
  type ModelIdentity,
  useVersion,
} from "../../../src/serving/models/registry.ts";
import { modelFolder, readRegistry, updateRegistry } from "../../../src/serving/models/registry-file.ts";
import { loadPackage } from "../../../src/serving/models/verify.ts";
import { RuntimeError, type ServedModel } from "../../../src/serving/routing/question.ts";
import { rowsIn } from "../../../src/serving/runtime/fitting.ts";
import { ModelSet } from "../../../src/serving/runtime/model-set.ts";
import { RejectedInputError } from "../../../src/serving/runtime/rejected-input.ts";
import { noWorkers } from "../no-workers.ts";
import { type Host, prepareHost } from "../support.ts";

const fixtures = fileURLToPath(new URL("../fixtures/inference", import.meta.url));

/** The models of fixtures/inference/make-models.py. */
export const fixtureModel = (file: "every" | "affine" | "affine-2" | "product") =>
  importModel(join(fixtures, `${file}.onnx`));

/** The function that comes with the project. */
export const fibModel = () => importAnyModel(fileURLToPath(new URL("../../../models/fib", import.meta.url)));

/** Brings a model onto a host, as a release does; the first version of a model goes into service. */
export async function addModel(
  modelsDir: string,
  name: string,
  version: string,
  model: AnyPackage,
  as: "live" | "loaded" | "known" = "live",
): Promise<ModelIdentity> {
  const { bytes, digest } = await packageTar(model);
  const identity = { name, version, digest };
  const folder = join(modelsDir, hexOf(digest));
  await mkdir(folder, { recursive: true });
  await run("tar", ["-x", "-C", folder], { input: bytes });
  await updateRegistry(modelsDir, (registry) => {
    const added = addVersion(registry, identity);
    if (as === "known") return added;
    return (as === "live" ? useVersion : loadVersion)(added, name, version);
  });
  return identity;
}

/** A host's frontend whose runtime is in the test's own process: the real models, the real registry, no sockets between. */
export interface InProcess {
  host: Host;
  context: FrontendContext;
  close(): Promise<void>;
}

/** Prepares one that serves what `fill` puts into the registry. At most 8 rows a request, of `affine` 4. */
export async function inProcess(fill: (modelsDir: string) => Promise<unknown>): Promise<InProcess> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-inference-"));
  const bounds = { requestRows: 8, deadlineMs: 1000 };
  const host = await prepareHost(folder, { limits: bounds, models: { affine: { requestRows: 4 } } });
  await fill(host.modelsDir);
  const limits = limitsOf({ limits: bounds });
  const set = new ModelSet({
    load: ({ digest }) => loadPackage(modelFolder(host.modelsDir, digest)),
    limits: (model) => modelLimitsOf(host.config, model),
    log: pino({ enabled: false }),
  });
  const sync = async () => set.sync(loadedVersions(await readRegistry(host.modelsDir)));
  await sync();
  const known = new Map<string, ServedModel>();
  const servedOf = ({ model, card }: (typeof set.models)[number]): ServedModel => {
    const key = JSON.stringify(model);
    const served = known.get(key) ?? { model, card, onnxruntime: "test" };
    known.set(key, served);
    return served;
  };
  const find = (name?: string, version?: string) => {
    const found = set.models.find(({ model, live, default: standard }) => {
      if (name === undefined) return standard;
      return model.name === name && (version === undefined ? live : model.version === version);
    });
    return found && servedOf(found);
  };
  return {
    host,
    context: {
      config: host.config,
      limits,
      workers: noWorkers(host.config),
      jobs: undefined,
      router: {
        find,
        findConnected: find,
        findLast: find,
        standInFor: () => undefined,
        trialBeside: () => undefined,
        get models() {
          return set.models.map((one) => ({ ...servedOf(one), live: one.live, default: one.default }));
        },
        runtimes: [{ id: "test", group: "default", onnxruntime: "test", provider: "cpu", batchRows: 1024, rows: 0 }],
        predict: async (served, inputs) => {
          const slot = set.models.find(({ model }) => model.digest === served.model.digest)?.slot ?? 0;
          try {
            const computed = await set.find(slot)?.batcher.submit({ inputs, rows: rowsIn(served.card, inputs) });
            if (!computed) throw new Error("the model is gone");
            return { ...computed, served };
          } catch (error) {
            // as a runtime's refusal arrives
            throw error instanceof RejectedInputError ? new RuntimeError("rejected", error.message) : error;
          }
        },
        sync,
      },
    },
    close: async () => {
      await set.drain();
      await rm(folder, { recursive: true });
    },
  };
}
