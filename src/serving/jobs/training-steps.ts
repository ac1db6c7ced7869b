import { readFile } from "node:fs/promises";
import { type Digest, digestOf } from "../../common/digest.ts";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { packageTar } from "../models/package.ts";
import type { ModelIdentity } from "../models/registry.ts";
import { modelFolder } from "../models/registry-file.ts";
import type { LogLine, TrainOptions, TrainRequest, TrainResult } from "../training/contract.ts";
import type { Metrics, Verdict } from "../training/gate.ts";
import type { JobSurroundings } from "./child.ts";
import type { ChildTask } from "./child-messages.ts";
import { JobFailure } from "./children.ts";
import { epochLine } from "./epoch-lines.ts";
import type { PublishOrder, TrainingJob } from "./requests.ts";
import type { Spool } from "./spool.ts";

/** Trains; see the contract. */
type TrainModel = (request: TrainRequest, options: TrainOptions) => Promise<TrainResult>;

/** Where trained models go. */
interface ModelShelf {
  /** Puts a packed model into service under a name. The same digest under the same name is the same version, however often it is told. */
  publish(tar: Uint8Array, digest: Digest, name: string): Promise<ModelIdentity>;
}

/** What the steps of a training work with. */
export interface TrainingTools {
  train: TrainModel;
  trainers?: TrainOptions["trainers"];
  /** Opens a packed model as a host would, golden rows included; throws what is wrong with it. */
  verify: (tar: Uint8Array) => Promise<void>;
  shelf: ModelShelf;
  modelsDir: string;
  spool: Pick<Spool, "get" | "path" | "publish" | "size">;
}

/** What a training leaves for the steps after it. */
interface Trained {
  step: "train";
  /** The packed model in the spool. */
  file: string;
  digest: Digest;
  metrics: Metrics;
  verdict: Verdict;
  /** How long the training took. */
  seconds: number;
  parent?: Digest;
}

interface Validated extends Omit<Trained, "step"> {
  step: "validate";
}

/** Trains and leaves the model in the spool: once for a training, also when the worker dies right after. */
export async function trainStep(task: ChildTask, tools: TrainingTools, around: JobSurroundings): Promise<Trained> {
  const data = task.data as TrainingJob;
  const earlier = await trainedBefore(data.root, tools.spool);
  if (earlier) return earlier;
  const request = trainRequestOf(data, tools);
  around.onLog(`training ${data.root} begins`);
  let result: TrainResult;
  try {
    result = await tools.train(request, {
      signal: around.signal,
      ...(tools.trainers && { trainers: tools.trainers }),
      onProgress: (progress) => {
        const { epoch, epochs, ...figures } = progress;
        around.onLog(epochLine(progress, new Date()));
        around.onProgress({ done: epoch, total: epochs, ...figures });
      },
      onLog: (line) => around.onLog(plainLine(line)),
    });
  } catch (error) {
    // what the user asked for does not become right by asking again
    const final = error instanceof SlipwayError && error.code !== "E_TIMEOUT";
    throw new JobFailure(messageOf(error), final);
  }
  const { bytes, digest } = await packageTar(result.package);
  const { file } = await tools.spool.publish(`${data.root}-model`, pieces(bytes));
  const { metrics, verdict, parent, seconds } = result;
  const trained: Trained = { step: "train", file, digest, metrics, verdict, seconds, ...(parent && { parent }) };
  await tools.spool.publish(`${data.root}-trained`, pieces(Buffer.from(JSON.stringify(trained))));
  return (await trainedBefore(data.root, tools.spool)) ?? trained; // an earlier run's stands
}

/** The quality gate: passed by the trainer's own measures, and by the model itself as a host would load it. */
export async function validateStep(task: ChildTask, tools: TrainingTools): Promise<Validated> {
  const trained = task.before.train as Trained | undefined;
  if (!trained) throw new JobFailure("there is no trained model to validate", true);
  if (!trained.verdict.passed) {
    const missed = trained.verdict.checks.filter(({ passed }) => !passed);
    const reasons = missed.map(
      ({ metric, value, bound, limit }) => `${metric} is ${value}, ${bound} ${limit} is asked for`,
    );
    throw new JobFailure(`the gate is not passed: ${reasons.join("; ")}`, true);
  }
  try {
    await tools.verify(await packedModel(trained, tools));
  } catch (error) {
    if (error instanceof JobFailure) throw error;
    throw new JobFailure(`the trained model does not work: ${messageOf(error)}`, true);
  }
  return { ...trained, step: "validate" };
}

/** Adds the model to those of the host. */
export async function publishStep(task: ChildTask, tools: TrainingTools): Promise<unknown> {
  const validated = task.before.validate as Validated | undefined;
  if (!validated) throw new JobFailure("there is no validated model to publish", true);
  const { name } = (task.data as TrainingJob).publish as PublishOrder;
  const { digest, metrics, verdict, seconds, parent } = validated;
  const model = await tools.shelf.publish(await packedModel(validated, tools), digest, name);
  return { step: "publish", model, metrics, verdict, seconds, ...(parent && { parent }) };
}

async function packedModel(
  { file, digest }: Pick<Trained, "file" | "digest">,
  { spool }: TrainingTools,
): Promise<Uint8Array> {
  const bytes = await readFile(spool.path(file)).catch((error: unknown) => {
    throw new JobFailure(`the trained model is not in the spool: ${messageOf(error)}`, true);
  });
  if (digestOf(bytes) !== digest)
    throw new JobFailure("the trained model in the spool is not the one that was trained", true);
  return bytes;
}

async function trainedBefore(root: string, spool: TrainingTools["spool"]): Promise<Trained | undefined> {
  const file = `out-${root}-trained`;
  if ((await spool.size(file)) === undefined) return undefined;
  return JSON.parse(await readFile(spool.path(file), "utf8")) as Trained;
}

/** The trainer's request: what the user asked for, with this host's paths. */
function trainRequestOf(
  { training, spooled }: { training: unknown; spooled?: string },
  tools: TrainingTools,
): TrainRequest {
  const { spec, parent } = training as { spec: TrainRequest["spec"]; parent?: Digest };
  if (spooled === undefined) throw new JobFailure("the training has no rows", true);
  return {
    spec,
    data: { path: tools.spool.path(spooled) },
    ...(parent && { parent: { digest: parent, folder: modelFolder(tools.modelsDir, parent) } }),
  };
}

function plainLine({ time, source, text }: LogLine): string {
  return `${time} ${source === "trainer" ? "" : `${source}: `}${text}`;
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const size = 1024 * 1024;
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}
