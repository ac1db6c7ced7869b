import { invalid } from "./errors.ts";
import type { KerasLayer, KerasModel, TensorRef } from "./graph.ts";

/**
 * Makes calls count from 0 in all references, and checks that these lead to calls that there are.
 *
 * Keras counts the calls of a model that is used as a layer from 1 or from 0, as its version has it: the call that made the model
 * is one or is none. Every call in a description is there because somebody takes its result, so the highest number tells which.
 * @throws SlipwayError E_MODEL_INVALID
 */
export function withCallNumbers(
  what: string,
  layers: KerasLayer[],
  inputs: TensorRef[],
  outputs: TensorRef[],
): Pick<KerasModel, "inputs" | "outputs"> {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  const highest = new Map<string, number>();
  const all = [...inputs, ...outputs, ...layers.flatMap(({ calls }) => calls.flat())];
  for (const { layer, call } of all) highest.set(layer, Math.max(call, highest.get(layer) ?? 0));
  const renumbered = (ref: TensorRef): TensorRef => {
    const layer = byName.get(ref.layer);
    if (layer === undefined) throw invalid(`${what} has no layer ${ref.layer}, whose output it takes`);
    const first = Math.max(0, (highest.get(ref.layer) ?? 0) - (layer.calls.length - 1));
    const call = ref.call - (layer.model === undefined ? 0 : Math.min(first, 1));
    const width = layer.model?.outputs.length ?? 1;
    if (call < 0 || call >= layer.calls.length || ref.output >= width) {
      throw invalid(`${what} takes output ${ref.output} of call ${ref.call} of layer ${ref.layer}, which there is not`);
    }
    return { ...ref, call };
  };
  for (const layer of layers) layer.calls = layer.calls.map((call) => call.map(renumbered));
  return { inputs: inputs.map(renumbered), outputs: outputs.map(renumbered) };
}

/**
 * All calls in an order in which each comes after those whose outputs it takes.
 * @throws SlipwayError E_MODEL_INVALID for a circle
 */
export function callOrder(what: string, layers: KerasLayer[]): KerasModel["order"] {
  const key = (layer: string, call: number) => `${call}:${layer}`;
  const calls = layers.flatMap((layer) =>
    layer.calls.map((taken, call) => ({ layer, call, missing: new Set(taken.map((ref) => key(ref.layer, ref.call))) })),
  );
  const waiting = new Map<string, typeof calls>();
  for (const call of calls) {
    for (const needed of call.missing) {
      const others = waiting.get(needed);
      if (others === undefined) waiting.set(needed, [call]);
      else others.push(call);
    }
  }
  const ready = calls.filter(({ missing }) => missing.size === 0);
  const order: KerasModel["order"] = [];
  for (const { layer, call } of ready) {
    order.push({ layer, call });
    const done = key(layer.name, call);
    for (const next of waiting.get(done) ?? []) {
      next.missing.delete(done);
      if (next.missing.size === 0) ready.push(next); // the loop comes to it
    }
  }
  if (order.length < calls.length) throw invalid(`${what} has layers that wait for each other`);
  return order;
}
