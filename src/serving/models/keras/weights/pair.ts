import { mismatch } from "../errors.ts";
import type { Generation, KerasLayer, KerasModel, LayerWeights, WeightArray } from "../graph.ts";
import type { WeightName } from "../layer-kind.ts";
import type { StoredWeights } from "./stored.ts";

/** Which arrays a layer keeps, in Keras' order; none for a model used as a layer. */
export type WeightNames = (layer: KerasLayer, generation: Generation) => WeightName[];

/** Each layer's arrays; layers in nested models among them. */
export type PairedWeights = Map<KerasLayer, WeightArray[]>;

/**
 * Finds the weights of each layer.
 * @throws SlipwayError E_MODEL_MISMATCH when names, order or number do not fit the description; the shapes are left to the layers
 */
export function pairWeights(model: KerasModel, stored: StoredWeights, namesOf: WeightNames): PairedWeights {
  return stored.layout === "by-layer"
    ? pairByLayer(model, stored.layers, namesOf)
    : pairByPlace(model, stored, namesOf);
}

function pairByLayer(model: KerasModel, stored: LayerWeights[], namesOf: WeightNames): PairedWeights {
  const described = model.layers.filter((layer) => leavesOf(layer, model.generation, namesOf).length > 0);
  const found = stored.filter(({ tensors }) => tensors.length > 0);
  const names = described.map(({ name }) => name);
  if (names.join("\n") !== found.map(({ layer }) => layer).join("\n")) {
    throw mismatch(
      `the description's layers with weights are ${list(names)}, the weights are for ${list(found.map(({ layer }) => layer))}`,
    );
  }
  const paired: PairedWeights = new Map();
  for (const [index, layer] of described.entries()) {
    const tensors = found[index]?.tensors ?? [];
    if (layer.model === undefined)
      paired.set(
        layer,
        tensors.map((tensor) => ({ ...tensor, name: plainName(tensor.name) })),
      );
    else pairNested(layer, tensors, leavesOf(layer, model.generation, namesOf), paired);
  }
  return paired;
}

interface Leaf {
  layer: KerasLayer;
  weight: WeightName;
  trained: boolean;
}

/** The arrays of a layer, or of all layers of a nested model. */
function leavesOf(layer: KerasLayer, generation: Generation, namesOf: WeightNames, trainable = true): Leaf[] {
  const trained = trainable && layer.trainable;
  if (layer.model === undefined) {
    return namesOf(layer, generation).map((weight) => ({ layer, weight, trained: trained && weight.kept !== true }));
  }
  return layer.model.layers.flatMap((inner) => leavesOf(inner, generation, namesOf, trained));
}

/** A nested model's arrays lie in one list: first all that training changes, then those that layers keep or that are frozen. */
function pairNested(outer: KerasLayer, tensors: WeightArray[], leaves: Leaf[], paired: PairedWeights): void {
  const ordered = [...leaves.filter(({ trained }) => trained), ...leaves.filter(({ trained }) => !trained)];
  const layerNames = new Set(leaves.map(({ layer }) => layer.name));
  const byLayer = new Map<KerasLayer, { weight: WeightName; tensor: WeightArray }[]>();
  for (const [index, { layer, weight }] of ordered.entries()) {
    const tensor = tensors[index];
    const folders = tensor?.name.split("/").slice(0, -1) ?? [];
    const others = folders.some((folder) => layerNames.has(folder)) && !folders.includes(layer.name);
    if (tensor === undefined || plainName(tensor.name) !== weight.name || others) {
      throw mismatch(
        `${layer.name} in the model ${outer.name} needs ${weight.name} as number ${index + 1} of the model's weights; ` +
          `there is ${tensor?.name ?? "none"}`,
      );
    }
    const known = byLayer.get(layer) ?? [];
    known.push({ weight, tensor: { ...tensor, name: weight.name } });
    byLayer.set(layer, known);
  }
  if (tensors.length > ordered.length)
    throw mismatch(`the model ${outer.name} has ${tensors.length} weights, not ${ordered.length}`);
  // what training changes came first: back into the layer's own order
  for (const [layer, found] of byLayer) {
    const own = leaves.filter((leaf) => leaf.layer === layer).map(({ weight }) => weight);
    paired.set(
      layer,
      found.sort((a, b) => own.indexOf(a.weight) - own.indexOf(b.weight)).map(({ tensor }) => tensor),
    );
  }
}

/** The last part of `model/dense_1/kernel:0`, without TensorFlow's number of the output or of a second array of the name. */
function plainName(path: string): string {
  return (path.split("/").at(-1) ?? path).replace(/:\d+$/, "").replace(/_\d+$/, "");
}

function pairByPlace(
  model: KerasModel,
  { places }: Extract<StoredWeights, { layout: "by-place" }>,
  namesOf: WeightNames,
): PairedWeights {
  const paired: PairedWeights = new Map();
  const used = new Set<string>();
  const visit = (inner: KerasModel, at: string) => {
    const root = ["layers", "_layer_checkpoint_dependencies"]
      .map((folder) => join(at, folder))
      .find((folder) => hasBelow(places, folder));
    for (const { layer, folder } of foldersOf(inner)) {
      const place = join(root ?? join(at, "layers"), folder);
      if (layer.model !== undefined) {
        visit(layer.model, place);
        continue;
      }
      const noted = places.get(place)?.name;
      if (noted !== undefined && noted !== layer.name && layer.className !== "InputLayer") {
        throw mismatch(`the weights at ${place} are of the layer ${noted}, the description has ${layer.name} there`);
      }
      paired.set(layer, arraysAt(layer, namesOf(layer, inner.generation), place));
    }
  };
  const arraysAt = (layer: KerasLayer, names: WeightName[], at: string): WeightArray[] => {
    const next = new Map<string, number>();
    const arrays = names.map(({ name, place = "" }) => {
      const folder = join(at, place);
      const index = next.get(folder) ?? 0;
      next.set(folder, index + 1);
      const array = places.get(folder)?.arrays[index];
      if (array === undefined)
        throw mismatch(`layer ${layer.name} needs ${name}; the weights have no ${folder}/vars/${index}`);
      return { ...array, name };
    });
    for (const [folder, count] of next) {
      const found = places.get(folder)?.arrays.length ?? 0;
      if (found !== count) throw mismatch(`layer ${layer.name} has ${count} arrays, the weights have ${found} for it`);
      used.add(folder);
    }
    return arrays;
  };
  visit(model, "");
  const left = [...places].find(([place, { arrays }]) => arrays.length > 0 && !used.has(place));
  if (left) throw mismatch(`the weights have arrays at ${left[0]}, for which the description has no layer`);
  return paired;
}

/** Keras names the folder of a layer after its class, and numbers those of one class. */
function foldersOf(model: KerasModel): { layer: KerasLayer; folder: string }[] {
  const counts = new Map<string, number>();
  return model.layers.map((layer) => {
    const base = snakeCase(layer.className === "Model" ? "Functional" : layer.className);
    const count = counts.get(base) ?? 0;
    counts.set(base, count + 1);
    return { layer, folder: count === 0 ? base : `${base}_${count}` };
  });
}

/** `PReLU` is `p_re_lu`, `Conv2D` is `conv2d`. */
function snakeCase(name: string): string {
  return name
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}

function hasBelow(places: Map<string, unknown>, folder: string): boolean {
  for (const place of places.keys()) if (place.startsWith(`${folder}/`)) return true;
  return false;
}

function join(...parts: string[]): string {
  return parts.filter((part) => part !== "").join("/");
}

function list(names: string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}
