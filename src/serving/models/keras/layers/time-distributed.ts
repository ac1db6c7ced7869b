import { z } from "zod";
import { unknown } from "../errors.ts";
import { type AnyLayerKind, layerCall, layerKind, lengthOf, lengthsOf, optionsOf } from "../layer-kind.ts";

/** Layers that work number by number or along the last axis alone: they do the same to a sequence as to each of its steps. */
const STEPWISE = new Set([
  "Dense",
  "Activation",
  "LeakyReLU",
  "ELU",
  "ReLU",
  "Dropout",
  "GaussianNoise",
  "GaussianDropout",
]);

/**
 * A layer that is applied to each step of a sequence.
 * @param kinds the layers that it may apply
 */
export function timeDistributed(kinds: Readonly<Record<string, AnyLayerKind>>): AnyLayerKind {
  const innerOf = (layer: { class_name: string; config: Record<string, unknown> }, what: string) => {
    const kind = Object.hasOwn(kinds, layer.class_name) ? kinds[layer.class_name] : undefined;
    if (kind === undefined || kind.inputs === "many") {
      throw unknown(`${what} applies a ${layer.class_name}, which is not converted`);
    }
    return { kind, options: optionsOf(kind, `${what} of ${layer.class_name}`, layer.config) };
  };
  return layerKind(
    { layer: z.object({ class_name: z.string(), config: z.record(z.string(), z.unknown()) }) },
    {
      mask: "counts",
      weights: ({ layer }, generation) => {
        const { kind, options } = innerOf(layer, "TimeDistributed");
        const weights = kind.weights?.(options, generation) ?? [];
        return weights.map((weight) => ({ ...weight, place: ["layer", weight.place].filter(Boolean).join("/") }));
      },
      convert: (call, x) => {
        const { graph, generation, tensors } = call;
        const { layer } = call.options;
        const { kind, options } = innerOf(layer, `layer ${call.name} (${call.className})`);
        const inner = layerCall(
          kind,
          { name: call.name, className: `${call.className} of ${layer.class_name}`, generation },
          graph,
          options,
          tensors,
        );
        if (STEPWISE.has(layer.class_name)) return kind.convert(inner, x, [x]);
        const steps = lengthOf(call, x.shape, 0);
        const shape = lengthsOf(call, x.shape).slice(1);
        const apart = graph.add("Reshape", [x.tensor, graph.integers([-1, ...shape])]);
        const step = { ...x, tensor: apart, shape };
        const made = kind.convert(inner, step, [step]);
        const madeShape = [steps, ...lengthsOf(call, made.shape)];
        return {
          ...made,
          tensor: graph.add("Reshape", [made.tensor, graph.integers([-1, ...madeShape])]),
          shape: madeShape,
        };
      },
    },
  );
}
