import { digestOf } from "../../../common/digest.ts";
import type { TrainRequest, TrainResult } from "../contract.ts";
import { readData } from "../data/csv.ts";
import { splitRows } from "../data/split.ts";
import { invalid } from "../errors.ts";
import { judge, type Metrics, verdictLines } from "../gate.ts";
import type { Journal } from "../journal.ts";
import { fitNetwork } from "../mlp/fit.ts";
import { buildNetwork, readBlueprint } from "../mlp/keras-json.ts";
import type { DenseLayer, Mlp, MlpLayer } from "../mlp/network.ts";
import { type Samples, selectRows } from "../mlp/samples.ts";
import { noScaling, type Scaling, scaled, scalingOf } from "../network/scaling.ts";
import { describeServable, type ServableNetwork, servedOutputs, singlePrecision } from "../network/servable.ts";
import { packageNetwork } from "../package-model.ts";
import { type Parent, parentNetwork, withWeightsOf } from "../parent.ts";
import type { TrainingRecord } from "../record.ts";
import type { PlanCostSpec } from "../spec.ts";
import { encodingLength, featureCount, planFeatures } from "./features.ts";
import { planCostFigures } from "./figures.ts";
import { orderedLabels, type PlanCostOptions, planCostOptions } from "./options.ts";
import { type PlanLabel, type PlanNode, parsePlans, planLabels } from "./plans.ts";
import { PROJECTION, project, projectionLayer } from "./projection.ts";

/** The share of nodes that the ratio errors are measured on: the engine's. */
const HOLD_OUT = 0.1;

/** Of all kernels: without it a network that is small beside a workload's plans learns the noise of their times by heart. */
const WEIGHT_PENALTY = 1e-3;

/**
 * Trains a plan-cost model: features of a node and its subtree → ln(1 + cost) of each label.
 * @throws SlipwayError E_TRAINING_INVALID, E_TRAINING_FAILED; the signal's reason
 */
export async function trainPlanCost(
  spec: PlanCostSpec,
  data: TrainRequest["data"],
  parent: Parent | undefined,
  journal: Journal,
  signal: AbortSignal | undefined,
): Promise<TrainResult> {
  const { minAccuracy, maxLoss, betterThanParent } = spec.gate;
  if (minAccuracy !== undefined || maxLoss !== undefined || betterThanParent) {
    throw invalid("gate: a plan-cost model is judged by maxMeanRatioError alone");
  }
  const text = await readData(data);
  const nodes = parsePlans(text);
  const labels = orderedLabels(spec.labels);
  const costs = costsOf(nodes, labels);
  const features = planFeatures(nodes);
  const encoding = (nodes[0] as PlanNode).encoding.length;
  const samples = {
    count: features.rows,
    width: features.width,
    inputs: features.values,
    targetWidth: labels.length,
    targets: costs.map(Math.log1p),
    weights: undefined,
  };
  const split = splitRows(nodes.length, spec.seed, HOLD_OUT, spec.validationSplit);
  const training = selectRows(samples, split.training);

  const origin = parent && parentNetwork(parent);
  if (parent && origin) requireSameKind(spec, labels, encoding, parent);
  const front = origin ? frontOf(origin) : newFront(training.inputs, encoding, spec.dimRed);
  const targetScaling = scalingOf(training.targets, labels.length);
  const built = buildNetwork(blueprintOf(spec, labels), front.width, spec.seed);
  const start = origin ? goingOn(origin, built, targetScaling) : built;
  const behindFront = (rows: Samples): Samples => ({
    ...rows,
    width: front.width,
    inputs: front.apply(rows.inputs),
    targets: scaled(rows.targets, targetScaling),
  });
  journal.log(
    `${split.training.length} nodes to train on, ${split.holdOut.length} held out; encodings of ${encoding} numbers` +
      (front.projection ? `, reduced to ${front.featureLength(encoding)}` : ""),
  );
  const fitted = await fitNetwork(
    start,
    behindFront(training),
    split.validation.length > 0 ? behindFront(selectRows(samples, split.validation)) : undefined,
    {
      loss: "mse",
      optimizer: { name: "adadelta", learningRate: spec.learningRate, rho: 0.95, epsilon: 1e-7 },
      epochs: spec.maxEpoch,
      batchSize: spec.batchSize,
      seed: spec.seed,
      shuffle: true,
      earlyStopping: spec.earlyStopping,
    },
    { onEpoch: (figures) => journal.epoch(figures, spec.maxEpoch), signal },
  );

  const network = unscaledOutputs(fitted.network, targetScaling);
  const trained = singlePrecision(front.before(network));
  const options: PlanCostOptions = {
    labels,
    encoding,
    featureLength: front.featureLength(encoding),
    hiddenUnits: spec.hiddenUnits,
    dimRed: spec.dimRed,
    maxima: maximaOf(nodes),
  };
  const judged = selectRows({ ...samples, targets: costs }, split.holdOut);
  const figures = async (model: ServableNetwork) =>
    planCostFigures(options, await servedOutputs(model, judged.inputs), judged.targets);
  const metrics: Metrics = { ...(await figures(trained)), trainingLoss: fitted.figures.loss };
  if (origin) metrics.parentMeanRatioError = (await figures(origin)).meanRatioError as number;
  const verdict = judge(spec.gate, metrics);
  for (const line of verdictLines(verdict)) journal.log(line);
  const record: TrainingRecord = {
    schemaVersion: 1,
    kind: spec.kind,
    seed: spec.seed,
    dataDigest: digestOf(text),
    rows: {
      training: split.training.length,
      validation: split.validation.length,
      holdOut: split.holdOut.length,
    },
    ...(parent && { parent: parent.digest }),
    epochs: fitted.epochs,
    epoch: fitted.figures.epoch,
    metrics,
    verdict,
    spec,
    network: describeServable(trained),
    options,
  };
  const rows = { columns: undefined, rows: judged.count, width: judged.width, values: judged.inputs };
  return {
    package: await packageNetwork(trained, "values", rows, record),
    metrics,
    verdict,
    parent: parent?.digest,
    seconds: journal.seconds(),
  };
}

/** What comes before the trained layers: computed from the data, or the parent's. */
interface Front {
  /** Numbers of a row behind it. */
  width: number;
  projection: DenseLayer | undefined;
  apply(inputs: Float64Array): Float64Array;
  before(network: Mlp): ServableNetwork;
  featureLength(encoding: number): number;
}

function newFront(inputs: Float64Array, encoding: number, dimRed: number): Front {
  if (dimRed !== -1) return projectingFront(projectionLayer(inputs, encoding, dimRed));
  return scalingFront(scalingOf(inputs, featureCount(encoding)));
}

function frontOf({ scaling, network }: ServableNetwork): Front {
  const [first] = network.layers;
  if (first?.kind === "dense" && first.name === PROJECTION) return projectingFront(first);
  return scalingFront(scaling ?? noScaling(network.features));
}

function scalingFront(scaling: Scaling): Front {
  return {
    width: scaling.means.length,
    projection: undefined,
    apply: (inputs) => scaled(inputs, scaling),
    before: (network) => ({ scaling, network }),
    featureLength: (encoding) => encoding,
  };
}

function projectingFront(projection: DenseLayer): Front {
  return {
    width: projection.outputs,
    projection,
    apply: (inputs) => project(projection, inputs),
    before: (network) => ({
      scaling: undefined,
      network: { ...network, features: projection.inputs, layers: [projection, ...network.layers] },
    }),
    featureLength: () => encodingLength(projection.outputs),
  };
}

/** The trained layers alone. */
function bodyOf({ network }: ServableNetwork): Mlp {
  const [first, ...others] = network.layers;
  if (first?.kind !== "dense" || first.name !== PROJECTION) return network;
  return { ...network, features: first.outputs, layers: others };
}

function blueprintOf({ hiddenUnits }: PlanCostSpec, labels: PlanLabel[]) {
  const dense = (name: string, units: number, activation: string) => ({
    class_name: "Dense",
    config: { name, units, activation, kernel_regularizer: { class_name: "L2", config: { l2: WEIGHT_PENALTY } } },
  });
  const layers = [
    dense("hidden_1", hiddenUnits, "relu"),
    dense("hidden_2", hiddenUnits, "relu"),
    dense("costs", labels.length, "linear"),
  ];
  return readBlueprint({ class_name: "Sequential", config: { name: "plan_cost", layers } });
}

/** The network whose outputs are scaled, and back: the last layer is dense. */
function scaledOutputs(network: Mlp, { means, deviations }: Scaling): Mlp {
  return withLastLayer(
    network,
    (value, o) => value / (deviations[o] as number),
    (bias, o) => bias - (means[o] as number),
  );
}

function unscaledOutputs(network: Mlp, { means, deviations }: Scaling): Mlp {
  const grown = withLastLayer(
    network,
    (value, o) => value * (deviations[o] as number),
    (bias) => bias,
  );
  return withLastLayer(
    grown,
    (value) => value,
    (bias, o) => bias + (means[o] as number),
  );
}

/** Changes the last layer: first its biases are shifted, then all its numbers scaled. */
function withLastLayer(
  network: Mlp,
  scale: (value: number, output: number) => number,
  shift: (bias: number, output: number) => number,
): Mlp {
  const last = network.layers.at(-1);
  if (last?.kind !== "dense") throw invalid("the parent's network does not end with a dense layer");
  const bias = last.bias ?? new Float64Array(last.outputs);
  const changed: MlpLayer = {
    ...last,
    kernel: last.kernel.map((weight, index) => scale(weight, index % last.outputs)),
    bias: bias.map((value, o) => scale(shift(value, o), o)),
  };
  return { ...network, layers: [...network.layers.slice(0, -1), changed] };
}

/** The network with the parent's trained weights, its outputs scaled as the new targets are. */
function goingOn(origin: ServableNetwork, network: Mlp, targets: Scaling): Mlp {
  const none = noScaling(network.features);
  const body = { scaling: undefined, network: scaledOutputs(bodyOf(origin), targets) };
  return withWeightsOf(body, network, { from: none, to: none });
}

/** The costs of the labels, row-major. Throws for one that was not measured. */
function costsOf(nodes: readonly PlanNode[], labels: PlanLabel[]): Float64Array {
  const costs = new Float64Array(nodes.length * labels.length);
  nodes.forEach((node, row) => {
    labels.forEach((label, o) => {
      const cost = node.costs[label];
      if (cost < 0) {
        throw invalid(`node ${node.nodeId} of query ${node.queryId} has the ${label} ${cost}: nothing was measured`);
      }
      costs[row * labels.length + o] = cost;
    });
  });
  return costs;
}

function maximaOf(nodes: readonly PlanNode[]): Record<PlanLabel, number> {
  const largest = { S: 1, T: 1, R: 1, M: 1 };
  for (const { costs } of nodes)
    for (const label of planLabels) largest[label] = Math.max(largest[label], costs[label]);
  return largest;
}

function requireSameKind(spec: PlanCostSpec, labels: PlanLabel[], encoding: number, { model }: Parent): void {
  const other = planCostOptions(model);
  const differ = [
    other.labels.join("") !== labels.join("") && `labels ${other.labels.join("")}, not ${labels.join("")}`,
    other.encoding !== encoding && `encodings of ${other.encoding} numbers, not ${encoding}`,
    other.hiddenUnits !== spec.hiddenUnits && `${other.hiddenUnits} hidden units, not ${spec.hiddenUnits}`,
    other.dimRed !== spec.dimRed && `dimRed ${other.dimRed}, not ${spec.dimRed}`,
  ].filter((difference) => difference !== false);
  if (differ.length > 0) throw invalid(`the parent's model has ${differ.join("; ")}`);
}
