import { z } from "zod";
import type { OnnxAttribute } from "../../onnx-writer.ts";
import type { Shape, Value } from "../builder.ts";
import type { LayerCall } from "../layer-kind.ts";

/** Where an image's or a sequence's channels are; Keras' default is last. */
export const dataFormat = z.enum(["channels_last", "channels_first"]).nullish();

export function isChannelsFirst({ data_format }: { data_format?: unknown }): boolean {
  return data_format === "channels_first";
}

/** The axes of a row that are no channels. */
export function spatialAxes(call: LayerCall<{ data_format?: unknown }>, shape: Shape, count: number): number[] {
  if (shape.length !== count + 1)
    throw call.impossible(`takes rows of ${count + 1} dimensions, not of ${shape.length}`);
  return Array.from({ length: count }, (_, index) => (isChannelsFirst(call.options) ? index + 1 : index));
}

/** Computes something in ONNX' layout, the channels before the other axes, whatever the layer's is. */
export function withChannelsFirst(
  call: LayerCall<{ data_format?: unknown }>,
  x: Value,
  axes: number,
  compute: (x: Value) => Value,
): Value {
  spatialAxes(call, x.shape, axes);
  if (isChannelsFirst(call.options)) return compute(x);
  const order = Array.from({ length: axes }, (_, index) => index + 1);
  const first = call.graph.add("Transpose", [x.tensor], { perm: [0, axes + 1, ...order] });
  const made = compute({ ...x, tensor: first, shape: [x.shape[axes] as number | null, ...x.shape.slice(0, axes)] });
  const last = call.graph.add("Transpose", [made.tensor], { perm: [0, ...order.map((axis) => axis + 1), 1] });
  return { ...made, tensor: last, shape: [...made.shape.slice(1), made.shape[0] as number | null] };
}

const positive = z.number().int().positive();

/** A number for each spatial axis; one number stands for all. */
export function perAxis(axes: number) {
  return z.union([
    positive.transform((n): number[] => new Array<number>(axes).fill(n)),
    z.array(positive).length(axes),
  ]);
}

/** How a window slides along an axis. */
export interface Window {
  size: number;
  stride: number;
  dilation: number;
  padding: "valid" | "same" | "causal";
}

/** How far a window reaches, from its first value to its last. */
function reachOf({ size, dilation }: Window): number {
  return dilation * (size - 1) + 1;
}

/**
 * The padding of some axes as ONNX has it: numbers before and after each, or left to ONNX Runtime where the length of an axis is open.
 * Where the padding is odd, Keras puts the one more at the end.
 */
export function paddingAttribute(
  call: LayerCall<unknown>,
  windows: Window[],
  lengths: Shape,
): Record<string, OnnxAttribute> {
  const pads = windows.map((window, axis) => padsOf(window, lengths[axis] ?? null));
  const known = pads.filter((both) => both !== undefined);
  if (known.length === pads.length)
    return { pads: [0, 1].flatMap((side) => known.map((both) => both[side] as number)) };
  // ONNX Runtime works it out for windows that leave nothing out
  if (windows.every(({ size, stride, dilation }) => dilation === 1 && size >= stride))
    return { auto_pad: "SAME_UPPER" };
  throw call.refuse("has the padding same and windows with gaps on an axis of open length");
}

function padsOf(window: Window, length: number | null): number[] | undefined {
  const { stride, padding } = window;
  const reach = reachOf(window);
  if (padding === "valid") return [0, 0];
  if (padding === "causal") return [reach - 1, 0];
  if (stride === 1 || reach === 1) return [Math.floor((reach - 1) / 2), Math.ceil((reach - 1) / 2)];
  if (length === null) return undefined;
  const missing = Math.max(0, (Math.ceil(length / stride) - 1) * stride + reach - length);
  return [Math.floor(missing / 2), Math.ceil(missing / 2)];
}

/** How many places a window finds along an axis. */
export function windowPlaces(call: LayerCall<unknown>, length: number | null, window: Window): number | null {
  if (length === null) return null;
  const reach = reachOf(window);
  const places =
    window.padding === "same"
      ? Math.ceil(length / window.stride)
      : Math.floor((length + (window.padding === "causal" ? reach - 1 : 0) - reach) / window.stride) + 1;
  if (places > 0) return places;
  throw call.impossible(`has a window of ${reach} on an axis of length ${length}`);
}
