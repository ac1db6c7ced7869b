import { appendFileSync, writeFileSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { JobFailure } from "../jobs/children.ts";
import { packageTar } from "../models/package.ts";
import { deleteVersion, digestsIn, type ModelIdentity, type Registry } from "../models/registry.ts";
import { modelFolder, readRegistry, updateRegistry } from "../models/registry-file.ts";
import { publishPackage } from "../models/shelf.ts";
import { trainReply } from "../training/plan-cost/figures.ts";
import type { PlanCostOptions } from "../training/plan-cost/options.ts";
import { parsePlans } from "../training/plan-cost/plans.ts";
import type { PlanCostSpec } from "../training/spec.ts";
import { trainModel } from "../training/train-model.ts";
import { isForPlans, readPlanOptions, versionToServe } from "./plan-models.ts";
import { epochLine, failureLine, isTold } from "./training-log.ts";

/** A training as the process that does it is told it. */
export interface TrainingTask {
  name: string;
  spec: PlanCostSpec;
  dataFile: string;
  logFile: string;
  modelsDir: string;
  keepVersions: number;
}

/** What `/train` answers, and the model that came of it. */
export interface Trained {
  reply: ReturnType<typeof trainReply>;
  model: ModelIdentity;
}

/**
 * Trains a plan-cost model, on from the last one of its name where that has the same form, and takes it into service.
 * @throws JobFailure, final where the file is not right or the name is another model's
 */
export async function trainPlanModel(task: TrainingTask, signal: AbortSignal): Promise<Trained> {
  const { name, spec, dataFile, logFile, modelsDir, keepVersions } = task;
  writeFileSync(logFile, "", { mode: 0o600 });
  try {
    const parent = await parentOf(task);
    const { metrics, package: model } = await trainModel(
      { spec, data: { path: dataFile }, ...(parent && { parent }) },
      {
        signal,
        // a line in a hundred epochs: what is written is there when somebody looks
        onProgress: ({ epoch, epochs, loss }) => {
          if (isTold(epoch, epochs)) appendFileSync(logFile, epochLine(name, epoch, epochs, loss));
        },
      },
    );
    const { bytes, digest } = await packageTar(model);
    const published = await publishPackage(modelsDir, bytes, digest, name);
    await removeOldVersions(modelsDir, name, keepVersions);
    return { reply: trainReply(metrics), model: published };
  } catch (error) {
    appendFileSync(logFile, failureLine(name, messageOf(error)));
    throw new JobFailure(messageOf(error), error instanceof SlipwayError && error.code === "E_TRAINING_INVALID");
  }
}

/** The model to go on from. Throws SlipwayError E_TRAINING_INVALID for a name that another kind of model has. */
async function parentOf({ name, spec, dataFile, modelsDir }: TrainingTask) {
  const registry = await readRegistry(modelsDir);
  if (!(await isForPlans(modelsDir, registry, name))) {
    throw new SlipwayError("E_TRAINING_INVALID", `${name} is a model of another kind`);
  }
  const last = versionToServe(registry, name);
  if (last === undefined) return undefined;
  const options = await readPlanOptions(modelsDir, last.digest);
  if (!goesOn(options, spec, await encodingOf(dataFile))) return undefined;
  return { digest: last.digest, folder: modelFolder(modelsDir, last.digest) };
}

/** Whether a model has the form that the next training's has: the engine starts anew where it has not. */
function goesOn(
  { labels, encoding, hiddenUnits, dimRed }: PlanCostOptions,
  spec: PlanCostSpec,
  length: number,
): boolean {
  return (
    labels.length === spec.labels.length &&
    labels.every((label) => spec.labels.includes(label)) &&
    encoding === length &&
    hiddenUnits === spec.hiddenUnits &&
    dimRed === spec.dimRed
  );
}

/** Longer than the longest line of a file that is right. */
const FIRST_BYTES = 1024 * 1024;

/** How many numbers the first encoding of a file has. Throws SlipwayError E_TRAINING_INVALID. */
async function encodingOf(path: string): Promise<number> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(FIRST_BYTES), 0, FIRST_BYTES, 0);
    const [first = ""] = buffer.toString("utf8", 0, bytesRead).trimStart().split("\n", 1);
    return parsePlans(first)[0]?.encoding.length ?? 0;
  } finally {
    await file.close();
  }
}

/** Removes versions of a model that are in no memory, but for the youngest. */
async function removeOldVersions(modelsDir: string, name: string, keep: number): Promise<void> {
  let left: ModelIdentity["digest"][] = [];
  const registry = await updateRegistry(modelsDir, (before: Registry) => {
    const versions = before.models[name]?.versions ?? [];
    const old = versions.slice(0, -keep).filter(({ loaded }) => !loaded);
    left = old.map(({ digest }) => digest);
    return old.reduce((registry, { version }) => deleteVersion(registry, name, version), before);
  });
  const named = digestsIn(registry);
  for (const digest of left) {
    if (!named.has(digest)) await rm(modelFolder(modelsDir, digest), { recursive: true, force: true });
  }
}
