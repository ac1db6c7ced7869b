import { type AnyPackage, type ModelPackage, parsed, readPackage } from "../models/package.ts";
import type { TrainRequest } from "./contract.ts";
import { invalid } from "./errors.ts";
import type { Mlp, MlpLayer } from "./mlp/network.ts";
import { importOnnx } from "./network/onnx-import.ts";
import { rescaledLayer, type Scaling } from "./network/scaling.ts";
import type { ServableNetwork } from "./network/servable.ts";
import { type TrainingRecord, trainingRecordSchema } from "./record.ts";

/** A model that a training goes on from. */
export interface Parent {
  digest: NonNullable<TrainRequest["parent"]>["digest"];
  folder: string;
  model: AnyPackage;
  /** Where it comes from, of a model that Slipway trained. */
  record: TrainingRecord | undefined;
}

/** Reads the request's parent. Throws SlipwayError E_MODEL_INVALID for a package that is torn. */
export async function readParent(parent: TrainRequest["parent"]): Promise<Parent | undefined> {
  if (parent === undefined) return undefined;
  const model = await readPackage(parent.folder);
  const record =
    model.training === undefined ? undefined : parsed(trainingRecordSchema, "training.json", model.training);
  return { ...parent, model, record };
}

/** The parent's network, which a training in process can go on from. Throws SlipwayError E_TRAINING_INVALID for other models. */
export function parentNetwork({ model }: Parent): ServableNetwork {
  return importOnnx(requireNetwork(model).onnx);
}

/** The package, which is one of a network. Throws SlipwayError E_TRAINING_INVALID for a function. */
export function requireNetwork(model: AnyPackage): ModelPackage {
  if ("onnx" in model) return model;
  throw invalid("the parent is a function, not a network");
}

/**
 * The network with the parent's weights, so changed for the new scaling that it computes what the parent does.
 * @throws SlipwayError E_TRAINING_INVALID when the networks differ in shape, naming the layer
 */
export function withWeightsOf(parent: ServableNetwork, network: Mlp, scaling: { from: Scaling; to: Scaling }): Mlp {
  const [own, theirs] = [computing(network.layers), computing(parent.network.layers)];
  if (own.length !== theirs.length || network.features !== parent.network.features) {
    throw invalid(`the parent's network is ${shapeOf(parent.network)}, the one to train is ${shapeOf(network)}`);
  }
  const weights = new Map<string, MlpLayer>();
  own.forEach((layer, index) => {
    const other = theirs[index] as MlpLayer;
    if (!isAlike(layer, other)) {
      throw invalid(`layer ${layer.name} is ${wordsFor(layer)}, in the parent it is ${wordsFor(other)}`);
    }
    if (layer.kind !== "dense" || other.kind !== "dense") return;
    const taken = { ...layer, kernel: other.kernel, bias: other.bias ?? layer.bias };
    weights.set(layer.name, index === 0 ? rescaledLayer(taken, scaling.from, scaling.to) : taken);
  });
  return { ...network, layers: network.layers.map((layer) => weights.get(layer.name) ?? layer) };
}

/** Layers that compute something when the network serves. */
function computing(layers: MlpLayer[]): Exclude<MlpLayer, { kind: "dropout" }>[] {
  return layers.filter(
    (layer) => layer.kind === "dense" || (layer.kind === "activation" && layer.activation !== "linear"),
  ) as Exclude<MlpLayer, { kind: "dropout" }>[];
}

function isAlike(one: MlpLayer, other: MlpLayer): boolean {
  if (one.kind === "dense")
    return other.kind === "dense" && one.inputs === other.inputs && one.outputs === other.outputs;
  return (
    one.kind === "activation" &&
    other.kind === "activation" &&
    sameFunction(one.activation) === sameFunction(other.activation)
  );
}

const sameFunction = (activation: string) => (activation === "silu" ? "swish" : activation);

function wordsFor(layer: MlpLayer): string {
  if (layer.kind === "dense") return `Dense ${layer.inputs}→${layer.outputs}`;
  return layer.kind === "activation" ? layer.activation : "Dropout";
}

function shapeOf({ features, layers }: Mlp): string {
  return [
    features,
    ...computing(layers).map((layer) => (layer.kind === "dense" ? layer.outputs : layer.activation)),
  ].join("-");
}
