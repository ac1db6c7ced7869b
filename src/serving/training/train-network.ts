import { digestOf } from "../../common/digest.ts";
import type { TrainRequest, TrainResult } from "./contract.ts";
import { parseNumbers, readData } from "./data/csv.ts";
import { type Split, splitRows } from "./data/split.ts";
import { samplesOf, tableOf } from "./data/table-rows.ts";
import { invalid } from "./errors.ts";
import { judge, type Metrics, verdictLines } from "./gate.ts";
import type { Journal } from "./journal.ts";
import { measure } from "./measure.ts";
import { type Fitted, fitNetwork } from "./mlp/fit.ts";
import { buildNetwork, describeNetwork, readBlueprint } from "./mlp/keras-json.ts";
import { type LossName, losses } from "./mlp/losses.ts";
import { lastActivation, type Mlp, parameterCount } from "./mlp/network.ts";
import { type Samples, selectRows } from "./mlp/samples.ts";
import { noScaling, type Scaling, scaled, scalingOf } from "./network/scaling.ts";
import { describeServable, type ServableNetwork, servedOutputs, singlePrecision } from "./network/servable.ts";
import { packageNetwork, type Task } from "./package-model.ts";
import { type Parent, parentNetwork, withWeightsOf } from "./parent.ts";
import type { NetworkSpec } from "./spec.ts";
import { checkTargets, classWeights } from "./targets.ts";

/** Trains a Keras Sequential network in process. Throws SlipwayError E_TRAINING_INVALID, E_TRAINING_FAILED; the signal's reason. */
export async function trainNetwork(
  spec: NetworkSpec,
  data: TrainRequest["data"],
  parent: Parent | undefined,
  journal: Journal,
  signal: AbortSignal | undefined,
): Promise<TrainResult> {
  const text = await readData(data);
  const table = parseNumbers(text);
  const samples = samplesOf(table, spec.targets);
  const origin = parent && parentNetwork(parent);
  const blueprint = readBlueprint(spec.network ?? (parent && origin && descriptionOf(parent, origin)) ?? missing());
  const built = buildNetwork(blueprint, samples.width, spec.seed);
  requireLossFits(spec, built);
  checkTargets(spec.loss, samples, built.outputs);
  requireGateFits(spec, samples, parent);

  const split = splitRows(samples.count, spec.seed, spec.holdOut, spec.validationSplit);
  const training = selectRows(samples, split.training);
  const scaling = spec.standardize ? scalingOf(training.inputs, training.width) : origin?.scaling;
  const start = origin ? withWeightsOf(origin, built, scalings(origin, scaling)) : built;
  journal.log(
    `${split.training.length} rows to train on, ${split.validation.length} to validate, ${split.holdOut.length} held out; ` +
      `${parameterCount(start)} parameters${parent ? `, those of ${parent.digest}` : ""}`,
  );

  const fitted = await fitNetwork(
    start,
    { ...withScaledInputs(training, scaling), weights: classWeights(spec.classWeights, spec.loss, training) },
    split.validation.length > 0 ? withScaledInputs(selectRows(samples, split.validation), scaling) : undefined,
    { ...spec, earlyStopping: spec.earlyStopping },
    { onEpoch: (figures) => journal.epoch(figures, spec.epochs), signal },
  );
  journal.log(
    `${fitted.epochs} epochs in ${journal.seconds().toFixed(2)} s; the weights are those of epoch ${fitted.figures.epoch}`,
  );

  const trained = singlePrecision({ scaling, network: fitted.network });
  const judgedRows = split.holdOut.length > 0 ? split.holdOut : split.training;
  const judged = selectRows(samples, judgedRows);
  const metrics = { ...(await figures(spec, trained, origin, judged)), ...ofTraining(fitted) };
  const verdict = judge(spec.gate, metrics);
  for (const line of verdictLines(verdict)) journal.log(line);
  const record = {
    schemaVersion: 1 as const,
    kind: spec.kind,
    seed: spec.seed,
    dataDigest: digestOf(text),
    rows: rowCounts(split),
    ...(parent && { parent: parent.digest }),
    epochs: fitted.epochs,
    epoch: fitted.figures.epoch,
    metrics,
    verdict,
    spec: hyperParameters(spec),
    network: describeServable(trained),
  };
  return {
    package: await packageNetwork(trained, taskOf(spec.loss), tableOf(table, judgedRows), record),
    metrics,
    verdict,
    parent: parent?.digest,
    seconds: journal.seconds(),
  };
}

/** What is trained where the specification says nothing: what the parent was, with its dropout and penalties where they are known. */
function descriptionOf(parent: Parent, { network }: ServableNetwork): Record<string, unknown> {
  return withoutScaling(parent.record?.network) ?? describeNetwork(network);
}

function withoutScaling(description: Record<string, unknown> | undefined): Record<string, unknown> | undefined {
  if (description === undefined) return undefined;
  const { layers, ...config } = description.config as { layers: { class_name: string }[] };
  const others = layers.filter(({ class_name }) => class_name !== "Normalization");
  return { ...description, config: { ...config, layers: others } };
}

function missing(): never {
  throw invalid("network: a training without a parent needs the network's description");
}

function requireLossFits({ loss, targets }: NetworkSpec, network: Mlp): void {
  const { activation, targetWidth } = losses[loss];
  const last = lastActivation(network);
  if (activation !== undefined && last !== activation) {
    throw invalid(`loss ${loss} needs a network that ends with ${activation}; this one ends with ${last}`);
  }
  const wanted = targetWidth(network.outputs);
  if (targets !== wanted) {
    throw invalid(`loss ${loss} of a network with ${network.outputs} outputs needs targets: ${wanted}, not ${targets}`);
  }
}

function requireGateFits({ gate, loss, targets }: NetworkSpec, samples: Samples, parent: Parent | undefined): void {
  const tellsClasses = taskOf(loss) !== "values";
  if (gate.minAccuracy !== undefined && !tellsClasses)
    throw invalid(`gate.minAccuracy: a model with loss ${loss} has no accuracy`);
  if (gate.maxMeanRatioError !== undefined && (tellsClasses || samples.targets.some((target) => target < 0))) {
    throw invalid(
      `gate.maxMeanRatioError: needs ${targets === 1 ? "a target" : "targets"} of numbers that are never negative`,
    );
  }
  if (gate.betterThanParent && parent === undefined) throw invalid("gate.betterThanParent: the training has no parent");
}

/** What the outputs of a network with this loss are. */
function taskOf(loss: LossName): Task {
  if (loss === "binary_crossentropy") return "binary";
  return loss === "mse" || loss === "mae" ? "values" : "classes";
}

function scalings(origin: ServableNetwork, to: Scaling | undefined): { from: Scaling; to: Scaling } {
  const none = noScaling(origin.network.features);
  return { from: origin.scaling ?? none, to: to ?? none };
}

function withScaledInputs(samples: Samples, scaling: Scaling | undefined): Samples {
  return scaling ? { ...samples, inputs: scaled(samples.inputs, scaling) } : samples;
}

async function figures(
  { loss }: NetworkSpec,
  trained: ServableNetwork,
  origin: ServableNetwork | undefined,
  judged: Samples,
): Promise<Metrics> {
  const over = async (network: ServableNetwork) =>
    measure(loss, { ...judged, outputs: await servedOutputs(network, judged.inputs), width: network.network.outputs });
  const own = await over(trained);
  if (origin === undefined) return own;
  const { loss: parentLoss, accuracy: parentAccuracy } = await over(origin);
  return {
    ...own,
    ...(parentLoss !== undefined && { parentLoss }),
    ...(parentAccuracy !== undefined && { parentAccuracy }),
  };
}

function ofTraining({ figures: { loss, accuracy, validation } }: Fitted): Metrics {
  return {
    trainingLoss: loss,
    ...(accuracy !== undefined && { trainingAccuracy: accuracy }),
    ...(validation && { validationLoss: validation.loss }),
    ...(validation?.accuracy !== undefined && { validationAccuracy: validation.accuracy }),
  };
}

function rowCounts({ training, validation, holdOut }: Split) {
  return { training: training.length, validation: validation.length, holdOut: holdOut.length };
}

function hyperParameters({ network: _network, ...others }: NetworkSpec): Record<string, unknown> {
  return others;
}
