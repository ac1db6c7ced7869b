import { z } from "zod";
import type { Value } from "../builder.ts";
import { type AnyLayerKind, type LayerCall, layerKind, lengthOf } from "../layer-kind.ts";
import { activated, activationOption } from "./activation.ts";
import { dataFormat, paddingAttribute, perAxis, type Window, windowPlaces, withChannelsFirst } from "./layout.ts";

const positive = z.number().int().positive();

function windowOptions(axes: 1 | 2) {
  return {
    kernel_size: perAxis(axes),
    strides: perAxis(axes).default(new Array<number>(axes).fill(1)),
    padding:
      axes === 1 ? z.enum(["valid", "same", "causal"]).default("valid") : z.enum(["valid", "same"]).default("valid"),
    dilation_rate: perAxis(axes).default(new Array<number>(axes).fill(1)),
    data_format: dataFormat,
    use_bias: z.boolean().default(true),
    activation: activationOption,
  };
}

interface WindowOptions {
  kernel_size: number[];
  strides: number[];
  padding: "valid" | "same" | "causal";
  dilation_rate: number[];
}

/** What a convolution multiplies with, in ONNX' order: outputs, inputs of a group, then the window's axes. */
interface Kernel {
  values: Float32Array;
  dims: number[];
  groups: number;
}

/** A convolution of a tensor in ONNX' layout. */
function convolved(
  call: LayerCall<unknown>,
  x: Value,
  kernel: Kernel,
  bias: Float32Array | undefined,
  options: WindowOptions,
): Value {
  const { graph } = call;
  const { kernel_size, strides, dilation_rate, padding } = options;
  const windows = kernel_size.map(
    (size, axis): Window => ({
      size,
      stride: strides[axis] as number,
      dilation: dilation_rate[axis] as number,
      padding,
    }),
  );
  const inputs = [x.tensor, graph.floats(kernel.values, kernel.dims, "kernel")];
  if (bias) inputs.push(graph.floats(bias, [bias.length], "bias"));
  const tensor = graph.add("Conv", inputs, {
    kernel_shape: kernel_size,
    strides,
    dilations: dilation_rate,
    group: kernel.groups,
    ...paddingAttribute(call, windows, x.shape.slice(1)),
  });
  const places = windows.map((window, axis) => windowPlaces(call, x.shape[axis + 1] as number | null, window));
  return { tensor, shape: [kernel.dims[0] as number, ...places], type: "FP32" };
}

/** An array with its axes in another order. */
function permuted(values: Float32Array, dims: number[], order: number[]): Float32Array {
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((product, length) => product * length, 1));
  const target = order.map((axis) => ({ length: dims[axis] as number, stride: strides[axis] as number }));
  const result = new Float32Array(values.length);
  const index = target.map(() => 0);
  let from = 0;
  for (let to = 0; to < result.length; to++) {
    result[to] = values[from] as number;
    for (let axis = target.length - 1; axis >= 0; axis--) {
      const { length, stride } = target[axis] as { length: number; stride: number };
      index[axis] = (index[axis] as number) + 1;
      from += stride;
      if ((index[axis] as number) < length) break;
      from -= length * stride;
      index[axis] = 0;
    }
  }
  return result;
}

/** Keras: window, inputs of a group, outputs. */
function kernelOf(values: Float32Array, window: number[], inputs: number, outputs: number, groups: number): Kernel {
  const axes = window.length;
  const order = [axes + 1, axes, ...window.map((_, axis) => axis)];
  return { values: permuted(values, [...window, inputs, outputs], order), dims: [outputs, inputs, ...window], groups };
}

/** Keras: window, inputs, outputs of each input. Every input is a group of its own. */
function depthwiseKernelOf(values: Float32Array, window: number[], inputs: number, multiplier: number): Kernel {
  const axes = window.length;
  const order = [axes, axes + 1, ...window.map((_, axis) => axis)];
  const dims = [inputs * multiplier, 1, ...window];
  return { values: permuted(values, [...window, inputs, multiplier], order), dims, groups: inputs };
}

const biasName = (options: { use_bias: boolean }) => (options.use_bias ? [{ name: "bias" }] : []);

function conv(axes: 1 | 2): AnyLayerKind {
  return layerKind(
    { filters: positive, groups: positive.default(1), ...windowOptions(axes) },
    {
      ignored: ["lora_rank", "lora_alpha", "quantization_config"],
      mask: "ends",
      weights: (options) => [{ name: "kernel" }, ...biasName(options)],
      convert: (call, x) => {
        const { filters, groups, kernel_size, activation } = call.options;
        const sum = withChannelsFirst(call, x, axes, (first) => {
          const channels = lengthOf(call, first.shape, 0);
          if (channels % groups !== 0 || filters % groups !== 0) {
            throw call.impossible(`cannot divide ${channels} channels and ${filters} filters into ${groups} groups`);
          }
          const [kernel = new Float32Array(), bias] = call.weights([
            [...kernel_size, channels / groups, filters],
            [filters],
          ]);
          return convolved(
            call,
            first,
            kernelOf(kernel, kernel_size, channels / groups, filters, groups),
            bias,
            call.options,
          );
        });
        return activated(call, sum, activation);
      },
    },
  );
}

function depthwise(axes: 1 | 2): AnyLayerKind {
  return layerKind(
    { depth_multiplier: positive.default(1), ...windowOptions(axes) },
    {
      mask: "ends",
      // options of the convolution that this is a special case of
      ignored: ["filters", "groups"],
      weights: (options, generation) => [
        { name: generation === 2 ? "depthwise_kernel" : "kernel" },
        ...biasName(options),
      ],
      convert: (call, x) => {
        const { depth_multiplier: multiplier, kernel_size, activation } = call.options;
        const sum = withChannelsFirst(call, x, axes, (first) => {
          const channels = lengthOf(call, first.shape, 0);
          const [kernel = new Float32Array(), bias] = call.weights([
            [...kernel_size, channels, multiplier],
            [channels * multiplier],
          ]);
          return convolved(
            call,
            first,
            depthwiseKernelOf(kernel, kernel_size, channels, multiplier),
            bias,
            call.options,
          );
        });
        return activated(call, sum, activation);
      },
    },
  );
}

function separable(axes: 1 | 2): AnyLayerKind {
  const pointwise: WindowOptions = {
    kernel_size: new Array<number>(axes).fill(1),
    strides: new Array<number>(axes).fill(1),
    dilation_rate: new Array<number>(axes).fill(1),
    padding: "valid",
  };
  return layerKind(
    { filters: positive, depth_multiplier: positive.default(1), ...windowOptions(axes) },
    {
      mask: "ends",
      ignored: ["groups"],
      weights: (options) => [{ name: "depthwise_kernel" }, { name: "pointwise_kernel" }, ...biasName(options)],
      convert: (call, x) => {
        const { filters, depth_multiplier: multiplier, kernel_size, activation } = call.options;
        const sum = withChannelsFirst(call, x, axes, (first) => {
          const channels = lengthOf(call, first.shape, 0);
          const [depth = new Float32Array(), point = new Float32Array(), bias] = call.weights([
            [...kernel_size, channels, multiplier],
            [...pointwise.kernel_size, channels * multiplier, filters],
            [filters],
          ]);
          const deep = convolved(
            call,
            first,
            depthwiseKernelOf(depth, kernel_size, channels, multiplier),
            undefined,
            call.options,
          );
          return convolved(
            call,
            deep,
            kernelOf(point, pointwise.kernel_size, channels * multiplier, filters, 1),
            bias,
            pointwise,
          );
        });
        return activated(call, sum, activation);
      },
    },
  );
}

export const convolutionLayerKinds: Record<string, AnyLayerKind> = {
  Conv1D: conv(1),
  Conv2D: conv(2),
  DepthwiseConv1D: depthwise(1),
  DepthwiseConv2D: depthwise(2),
  SeparableConv1D: separable(1),
  SeparableConv2D: separable(2),
};
