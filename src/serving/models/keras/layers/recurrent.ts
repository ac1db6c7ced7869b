import { z } from "zod";
import type { OnnxAttribute } from "../../onnx-writer.ts";
import type { Value } from "../builder.ts";
import type { Generation, WeightArray } from "../graph.ts";
import {
  type AnyLayerKind,
  type LayerCall,
  layerCall,
  layerKind,
  lengthOf,
  optionsOf,
  type WeightName,
} from "../layer-kind.ts";
import { activationOption, requireActivation } from "./activation.ts";

const recurrentOptions = {
  units: z.number().int().positive(),
  activation: activationOption.default("tanh"),
  use_bias: z.boolean().default(true),
  return_sequences: z.boolean().default(false),
  go_backwards: z.boolean().default(false),
  return_state: z.literal(false).default(false),
  stateful: z.literal(false).default(false),
  time_major: z.literal(false).default(false),
};
const gatedOptions = { ...recurrentOptions, recurrent_activation: activationOption.default("sigmoid") };
const gruOptions = { ...gatedOptions, reset_after: z.boolean().optional() };

interface RecurrentOptions {
  units: number;
  activation: unknown;
  recurrent_activation?: unknown;
  use_bias: boolean;
  return_sequences: boolean;
  go_backwards: boolean;
  reset_after?: boolean | undefined;
}

/** What distinguishes one kind of cell from another, in Keras and in ONNX. */
interface Cell {
  op: "RNN" | "GRU" | "LSTM";
  /** Keras' gates, by their place, in ONNX' order. */
  gates: number[];
  /** Whether the cell has gates with an activation of their own, and how often ONNX wants the other one. */
  gated: boolean;
  activations: 1 | 2;
  /** Whether the recurrent product has a bias of its own. */
  twoBiases: (call: LayerCall<RecurrentOptions>) => boolean;
}

const WEIGHTS = ["kernel", "recurrent_kernel", "bias"];
/** What matters in training only, or only for how fast Keras computes. */
const IGNORED = [
  "dropout",
  "recurrent_dropout",
  "implementation",
  "unroll",
  "unit_forget_bias",
  "seed",
  "zero_output_for_mask",
  "input_dim",
  "input_length",
  "use_cudnn",
];

function recurrent(options: z.core.$ZodLooseShape, cell: Cell): AnyLayerKind {
  return layerKind(options, {
    ignored: IGNORED,
    mask: "counts",
    weights: ({ use_bias }) => WEIGHTS.slice(0, use_bias ? 3 : 2).map((name) => ({ name, place: "cell" })),
    convert: (call, x) => unrolled(call as unknown as LayerCall<RecurrentOptions>, x, cell),
  });
}

/** A recurrent layer's result: its last state, or the states of all steps in the order in which it took them. */
function unrolled(call: LayerCall<RecurrentOptions>, x: Value, cell: Cell): Value {
  const { graph, options } = call;
  const { units, use_bias, return_sequences, go_backwards } = options;
  if (x.shape.length !== 2) throw call.impossible(`takes rows of 2 dimensions, not of ${x.shape.length}`);
  const width = lengthOf(call, x.shape, 1);
  const columns = cell.gates.length * units;
  const two = cell.twoBiases(call);
  const [kernel = new Float32Array(), recurrentKernel = new Float32Array(), bias] = call.weights([
    [width, columns],
    [units, columns],
    two ? [2, columns] : [columns],
  ]);
  const steps = graph.add("Transpose", [go_backwards ? reversed(call, x.tensor, 1) : x.tensor], { perm: [1, 0, 2] });
  const inputs = [
    steps,
    graph.floats(byGate(kernel, width, units, cell), [1, columns, width], "kernel"),
    graph.floats(byGate(recurrentKernel, units, units, cell), [1, columns, units], "recurrent_kernel"),
    ...(use_bias && bias ? [graph.floats(biases(bias, units, cell, two), [1, 2 * columns], "bias")] : []),
  ];
  const attributes = {
    hidden_size: units,
    ...activationAttributes(call, cell),
    ...(cell.op === "GRU" && { linear_before_reset: two ? 1 : 0 }),
  };
  if (!return_sequences) {
    const last = graph.addForOutput(1, cell.op, inputs, attributes);
    return { tensor: graph.add("Squeeze", [last, graph.integers([0])]), shape: [units], type: "FP32" };
  }
  const all = graph.add("Squeeze", [graph.addForOutput(0, cell.op, inputs, attributes), graph.integers([1])]);
  return {
    tensor: graph.add("Transpose", [all], { perm: [1, 0, 2] }),
    shape: [x.shape[0] as number | null, units],
    type: "FP32",
  };
}

/** Keras' `rows × (gates × units)` as ONNX' `(gates × units) × rows`. */
function byGate(values: Float32Array, rows: number, units: number, { gates }: Cell): Float32Array {
  const columns = gates.length * units;
  const result = new Float32Array(values.length);
  for (const [place, gate] of gates.entries()) {
    for (let unit = 0; unit < units; unit++) {
      for (let row = 0; row < rows; row++) {
        result[(place * units + unit) * rows + row] = values[row * columns + gate * units + unit] as number;
      }
    }
  }
  return result;
}

/** ONNX wants a bias for the input's product and one for the recurrent product. */
function biases(values: Float32Array, units: number, cell: Cell, two: boolean): Float32Array {
  const columns = cell.gates.length * units;
  const result = new Float32Array(2 * columns);
  result.set(byGate(values.subarray(0, columns), 1, units, cell));
  if (two) result.set(byGate(values.subarray(columns), 1, units, cell), columns);
  return result;
}

function activationAttributes(call: LayerCall<RecurrentOptions>, cell: Cell): Record<string, OnnxAttribute> {
  const named = (option: "activation" | "recurrent_activation") => {
    const { recurrent } = requireActivation(call, call.options[option], option);
    if (recurrent) return recurrent;
    throw call.refuse(
      `has the ${option} ${JSON.stringify(call.options[option])?.slice(0, 200)} inside of its recurrence`,
    );
  };
  const functions = [
    ...(cell.gated ? [named("recurrent_activation")] : []),
    ...Array.from({ length: cell.activations }, () => named("activation")),
  ];
  return {
    activations: { strings: functions.map(({ name }) => name) },
    // in the order of the functions that take some
    activation_alpha: { floats: functions.flatMap(({ alpha }) => alpha ?? []) },
    activation_beta: { floats: functions.flatMap(({ beta }) => beta ?? []) },
  };
}

/** A tensor with the steps of a row the other way round. */
function reversed(call: LayerCall<unknown>, tensor: string, axis: number): string {
  const bounds = [[-1], [Number.MIN_SAFE_INTEGER], [axis], [-1]];
  return call.graph.add("Slice", [tensor, ...bounds.map((values) => call.graph.integers(values))]);
}

const cells = {
  SimpleRNN: recurrent(recurrentOptions, {
    op: "RNN",
    gates: [0],
    gated: false,
    activations: 1,
    twoBiases: () => false,
  }),
  // Keras: input, forget, candidate, output; ONNX: input, output, forget, candidate
  LSTM: recurrent(gatedOptions, {
    op: "LSTM",
    gates: [0, 3, 1, 2],
    gated: true,
    activations: 2,
    twoBiases: () => false,
  }),
  GRU: recurrent(gruOptions, {
    op: "GRU",
    gates: [0, 1, 2],
    gated: true,
    activations: 1,
    // Keras before 2.2 did not write the option, and computed without
    twoBiases: ({ options, generation }) => options.reset_after ?? generation === 3,
  }),
};

const cellSchema = z.object({
  class_name: z.enum(["SimpleRNN", "LSTM", "GRU"]),
  config: z.record(z.string(), z.unknown()),
});

interface Direction {
  kind: AnyLayerKind;
  className: string;
  config: Record<string, unknown>;
}

function direction({ class_name, config }: z.infer<typeof cellSchema>): Direction {
  return { kind: cells[class_name], className: class_name, config };
}

/** The layer that takes the steps from the last to the first: one of its own, or the other one the other way round. */
function backwardOf({
  layer,
  backward_layer: own,
}: {
  layer: z.infer<typeof cellSchema>;
  backward_layer?: z.infer<typeof cellSchema> | null | undefined;
}): Direction {
  return direction(own ?? { ...layer, config: { ...layer.config, go_backwards: layer.config.go_backwards !== true } });
}

function namesOf({ kind, className, config }: Direction, generation: Generation, place: string): WeightName[] {
  const options = optionsOf(kind, className, config);
  return (kind.weights?.(options, generation) ?? []).map((weight) => ({
    ...weight,
    place: `${place}/${weight.place}`,
  }));
}

const bidirectional = layerKind(
  {
    layer: cellSchema,
    backward_layer: cellSchema.nullish(),
    merge_mode: z.enum(["concat", "sum", "mul", "ave"]).default("concat"),
  },
  {
    mask: "counts",
    weights: (options, generation) => [
      ...namesOf(direction(options.layer), generation, "forward_layer"),
      ...namesOf(backwardOf(options), generation, "backward_layer"),
    ],
    convert: (call, x) => {
      const { graph, options, generation } = call;
      const forward = direction(options.layer);
      const count = namesOf(forward, generation, "forward_layer").length;
      const there = oneWay(call, x, forward, call.tensors.slice(0, count));
      const back = oneWay(call, x, backwardOf(options), call.tensors.slice(count));
      if (there.shape.length !== back.shape.length)
        throw call.refuse("has directions of which only one returns sequences");
      const sequences = there.shape.length === 2;
      const inOrder = sequences ? reversed(call, back.tensor, 1) : back.tensor;
      const [a = 0, b = 0] = [there.shape.at(-1), back.shape.at(-1)] as number[];
      const merge = options.merge_mode;
      if (merge === "concat") {
        const tensor = graph.add("Concat", [there.tensor, inOrder], { axis: -1 });
        return { ...there, tensor, shape: [...there.shape.slice(0, -1), a + b] };
      }
      if (a !== b) throw call.impossible(`cannot join directions of ${a} and ${b} units number by number`);
      const op = { sum: "Sum", mul: "Mul", ave: "Mean" }[merge];
      return { ...there, tensor: graph.add(op, [there.tensor, inOrder]) };
    },
  },
);

function oneWay(
  call: LayerCall<unknown>,
  x: Value,
  { kind, className, config }: Direction,
  tensors: WeightArray[],
): Value {
  const layer = { name: call.name, className: `${call.className} of ${className}`, generation: call.generation };
  const options = optionsOf(kind, `layer ${layer.name} (${layer.className})`, config);
  return kind.convert(layerCall(kind, layer, call.graph, options, tensors), x, [x]);
}

export const recurrentLayerKinds: Record<string, AnyLayerKind> = { ...cells, Bidirectional: bidirectional };
