import { z } from "zod";
import { type AnyLayerKind, layerKind } from "../layer-kind.ts";
import {
  dataFormat,
  paddingAttribute,
  perAxis,
  spatialAxes,
  type Window,
  windowPlaces,
  withChannelsFirst,
} from "./layout.ts";

function pooling(op: "MaxPool" | "AveragePool", axes: 1 | 2): AnyLayerKind {
  return layerKind(
    {
      pool_size: perAxis(axes).default(new Array<number>(axes).fill(2)),
      strides: perAxis(axes).nullish(),
      padding: z.enum(["valid", "same"]).default("valid"),
      data_format: dataFormat,
    },
    {
      mask: "ends",
      convert: (call, x) => {
        const { pool_size, padding } = call.options;
        const strides = call.options.strides ?? pool_size;
        const windows = pool_size.map(
          (size, axis): Window => ({
            size,
            stride: strides[axis] as number,
            dilation: 1,
            padding,
          }),
        );
        return withChannelsFirst(call, x, axes, (first) => {
          const [channels = null, ...lengths] = first.shape;
          const tensor = call.graph.add(op, [first.tensor], {
            kernel_shape: pool_size,
            strides,
            ...paddingAttribute(call, windows, lengths),
          });
          const places = windows.map((window, axis) => windowPlaces(call, lengths[axis] ?? null, window));
          return { tensor, shape: [channels, ...places], type: "FP32" };
        });
      },
    },
  );
}

function globalPooling(op: "ReduceMax" | "ReduceMean", axes: 1 | 2, mask: "counts" | "ends"): AnyLayerKind {
  return layerKind(
    { data_format: dataFormat, keepdims: z.boolean().default(false) },
    {
      mask,
      convert: (call, x) => {
        const { keepdims } = call.options;
        const spatial = spatialAxes(call, x.shape, axes);
        const tensor = call.graph.add(op, [x.tensor], {
          axes: spatial.map((axis) => axis + 1),
          keepdims: keepdims ? 1 : 0,
        });
        const shape = x.shape.map((length, axis) => (spatial.includes(axis) ? 1 : length));
        return { tensor, shape: keepdims ? shape : shape.filter((_, axis) => !spatial.includes(axis)), type: "FP32" };
      },
    },
  );
}

export const poolingLayerKinds: Record<string, AnyLayerKind> = {
  MaxPooling1D: pooling("MaxPool", 1),
  MaxPooling2D: pooling("MaxPool", 2),
  AveragePooling1D: pooling("AveragePool", 1),
  AveragePooling2D: pooling("AveragePool", 2),
  GlobalMaxPooling1D: globalPooling("ReduceMax", 1, "ends"),
  GlobalMaxPooling2D: globalPooling("ReduceMax", 2, "ends"),
  // the only one that leaves masked steps out
  GlobalAveragePooling1D: globalPooling("ReduceMean", 1, "counts"),
  GlobalAveragePooling2D: globalPooling("ReduceMean", 2, "ends"),
};
