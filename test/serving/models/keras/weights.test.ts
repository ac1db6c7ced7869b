import { describe, expect, it } from "vitest";
import { convertNetwork } from "../../../../src/serving/models/keras/convert.ts";
import { parseKerasModel } from "../../../../src/serving/models/keras/description.ts";
import type { StoredPlace } from "../../../../src/serving/models/keras/weights/stored.ts";
import { convert, layer, sequential, weights } from "./networks.ts";

const refused = (message: RegExp) =>
  expect.objectContaining({ code: "E_MODEL_MISMATCH", message: expect.stringMatching(message) });

describe("weights by layer that are not the description's are refused", () => {
  const dense = (name: string, units: number) => layer("Dense", { name, units });
  const network = sequential([4], dense("a", 3), layer("Dropout"), dense("b", 2));
  const a = weights("a", { kernel: [4, 3], bias: [3] });
  const b = weights("b", { kernel: [3, 2], bias: [2] });

  it("and those that are, are taken", () => {
    expect(convert(network, [a, b]).outputs).toMatchObject([{ shape: [2] }]);
    expect(convert(network, [a, weights("dropout", {}), b]).outputs).toHaveLength(1);
  });

  it.each([
    ["another name", [a, { ...b, layer: "c" }], /layers with weights are a, b, the weights are for a, c/],
    ["another order", [b, a], /layers with weights are a, b, the weights are for b, a/],
    ["a layer too few", [a], /are a, b, the weights are for a$/],
    ["a layer too many", [a, b, { ...b, layer: "c" }], /are a, b, the weights are for a, b, c/],
    ["none at all", [], /the weights are for none/],
    [
      "another shape",
      [a, weights("b", { kernel: [4, 2], bias: [2] })],
      /b needs kernel 3×2, bias 2; its weights are kernel 4×2, bias 2/,
    ],
    [
      "an array too few",
      [a, weights("b", { kernel: [3, 2] })],
      /b needs kernel 3×2, bias 2; its weights are kernel 3×2$/,
    ],
    [
      "an array too many",
      [a, weights("b", { kernel: [3, 2], bias: [2], gamma: [2] })],
      /its weights are kernel 3×2, bias 2, gamma 2/,
    ],
    ["arrays in another order", [a, weights("b", { bias: [2], kernel: [3, 2] })], /its weights are bias 2, kernel 3×2/],
  ])("%s", (_, stored, message) => {
    expect(() => convert(network, stored)).toThrow(refused(message));
  });

  const nested = sequential([4], { ...sequential([4], dense("a", 3), layer("BatchNormalization"), dense("b", 2)) });
  const path = (name: string, ...shapes: [string, number[]][]): [string, number[]][] =>
    shapes.map(([array, shape]) => [`${name}/${array}:0`, shape]);
  const arrays = [
    ...path("a", ["kernel", [4, 3]], ["bias", [3]]),
    ...path("batchnormalization", ["gamma", [3]], ["beta", [3]]),
    ...path("b", ["kernel", [3, 2]], ["bias", [2]]),
    ...path("batchnormalization", ["moving_mean", [3]], ["moving_variance", [3]]),
  ];
  const stored = (list: typeof arrays) => [weights("s", Object.fromEntries(list))];
  it("of nested models too: what layers keep comes after all that training changes", () => {
    expect(convert(nested, stored(arrays)).outputs).toMatchObject([{ shape: [2] }]);
    const inPlace = [...arrays.slice(0, 4), ...arrays.slice(6), ...arrays.slice(4, 6)];
    expect(() => convert(nested, stored(inPlace))).toThrow(refused(/b in the model s needs kernel as number 5/));
    expect(() => convert(nested, stored(arrays.slice(0, -1)))).toThrow(refused(/there is none/));
    expect(() => convert(nested, stored([...arrays, ...path("c", ["kernel", [2, 2]])]))).toThrow(
      refused(/the model s has 9 weights, not 8/),
    );
    const others = arrays.map(([name, shape]): [string, number[]] => [name.replace(/^a\//, "b/"), shape]);
    expect(() => convert(nested, stored(others))).toThrow(refused(/a in the model s needs kernel as number 1/));
  });
});

describe("weights by place that are not the description's are refused", () => {
  const network = parseKerasModel(
    sequential(
      [5, 4],
      layer("LSTM", { name: "reader", units: 2 }),
      layer("Dense", { name: "a", units: 3 }),
      layer("Dense", { name: "b", units: 2 }),
    ),
    "3.15.1",
  );
  const place = (name: string | undefined, ...shapes: number[][]): StoredPlace => ({
    name,
    arrays: weights("x", Object.fromEntries(shapes.map((shape, index) => [`${index}`, shape]))).tensors,
  });
  const places: [string, StoredPlace][] = [
    ["layers/lstm", place("reader")],
    ["layers/lstm/cell", place("lstm_cell", [4, 8], [2, 8], [8])],
    ["layers/dense", place("a", [2, 3], [3])],
    ["layers/dense_1", place(undefined, [3, 2], [2])],
  ];
  const paired = (changed: [string, StoredPlace][]) => () =>
    convertNetwork(network, { layout: "by-place", places: new Map([...places, ...changed]) });

  it("and those that are, are taken", () => {
    expect(paired([])().outputs).toMatchObject([{ shape: [2] }]);
  });

  it.each<[string, [string, StoredPlace][], RegExp]>([
    [
      "another name",
      [["layers/dense", place("c", [2, 3], [3])]],
      /at layers\/dense are of the layer c, the description has a/,
    ],
    [
      "another shape",
      [["layers/dense", place("a", [3, 3], [3])]],
      /a needs kernel 2×3, bias 3; its weights are kernel 3×3, bias 3/,
    ],
    ["an array too few", [["layers/dense", place("a", [2, 3])]], /no layers\/dense\/vars\/1/],
    ["an array too many", [["layers/dense", place("a", [2, 3], [3], [3])]], /a has 2 arrays, the weights have 3/],
    ["none for a cell", [["layers/lstm/cell", place(undefined)]], /no layers\/lstm\/cell\/vars\/0/],
    [
      "a layer too many",
      [["layers/dense_2", place(undefined, [1])]],
      /arrays at layers\/dense_2, for which the description has no layer/,
    ],
  ])("%s", (_, changed, message) => {
    expect(paired(changed)).toThrow(refused(message));
  });
});
