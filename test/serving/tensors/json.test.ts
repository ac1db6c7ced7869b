import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Datatype } from "../../../src/serving/tensors/datatypes.ts";
import { jsonElements, tensorFromJson } from "../../../src/serving/tensors/json.ts";
import { elementsIn, joinRows, splitRows, TensorError } from "../../../src/serving/tensors/raw-tensor.ts";

const elements: Record<Datatype, fc.Arbitrary<unknown>> = {
  BOOL: fc.boolean(),
  UINT8: fc.integer({ min: 0, max: 255 }),
  UINT16: fc.integer({ min: 0, max: 65_535 }),
  UINT32: fc.integer({ min: 0, max: 4_294_967_295 }),
  UINT64: fc.oneof(fc.maxSafeNat(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }).map(String)),
  INT8: fc.integer({ min: -128, max: 127 }),
  INT16: fc.integer({ min: -32_768, max: 32_767 }),
  INT32: fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }),
  INT64: fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }).map(String)),
  FP16: fc.integer({ min: -2048, max: 2048 }),
  FP32: fc.float({ noNaN: true, noDefaultInfinity: true }),
  FP64: fc.double({ noNaN: true, noDefaultInfinity: true }),
  BYTES: fc.string({ unit: "grapheme" }),
};
const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });

/** A flat list nested as a shape says. */
function nested(flat: unknown[], shape: number[]): unknown[] {
  const [size = 0, ...inner] = shape;
  if (inner.length === 0) return flat;
  const step = flat.length / size;
  return Array.from({ length: size }, (_, at) => nested(flat.slice(at * step, (at + 1) * step), inner));
}

describe("tensors in JSON", () => {
  it.each(Object.keys(elements) as Datatype[])("of %s come out as they went in, flat or nested", (datatype) => {
    const cases = shapes.chain((shape) => {
      const length = elementsIn(shape);
      return fc.tuple(fc.constant(shape), fc.array(elements[datatype], { minLength: length, maxLength: length }));
    });
    fc.assert(
      fc.property(cases, ([shape, flat]) => {
        // -0 is 0 in JSON's own numbers and stays -0 in a float's
        const same = (list: unknown[]) => list.map((value) => (Object.is(value, -0) ? 0 : value));
        expect(same(jsonElements(tensorFromJson(datatype, shape, flat)))).toEqual(same(flat));
        expect(tensorFromJson(datatype, shape, nested(flat, shape))).toEqual(tensorFromJson(datatype, shape, flat));
      }),
    );
  });

  it("are cut along the first axis and joined again", () => {
    const cases = fc.tuple(fc.constantFrom<Datatype>("FP32", "INT64", "BYTES"), shapes).chain(([datatype, shape]) => {
      const length = elementsIn(shape);
      return fc.tuple(
        fc.constant(shape),
        fc
          .array(elements[datatype], { minLength: length, maxLength: length })
          .map((flat) => tensorFromJson(datatype, shape, flat)),
      );
    });
    fc.assert(
      fc.property(cases, ([[rows = 0], tensor]) => {
        const parts = splitRows(tensor, new Array<number>(rows).fill(1));
        expect(parts.every(({ shape }) => shape[0] === 1)).toBe(true);
        const whole = joinRows(parts);
        expect(whole.shape).toEqual(tensor.shape);
        expect(Buffer.from(whole.bytes).equals(Buffer.from(tensor.bytes))).toBe(true);
      }),
    );
  });

  it.each([
    ["FP32", [1], ["1"], /element 1 is "1", which is no FP32/],
    ["FP32", [2], [1, 1e39], /element 2/],
    ["FP16", [1], [65_520], /no FP16/],
    ["INT8", [1], [128], /no INT8/],
    ["INT32", [1], [1.5], /no INT32/],
    ["UINT64", [1], [-1], /no UINT64/],
    ["INT64", [1], ["9223372036854775808"], /no INT64/],
    ["INT64", [1], [2 ** 60], /no INT64/],
    ["BOOL", [1], ["yes"], /no BOOL/],
    ["BYTES", [1], [7], /no BYTES/],
    ["FP32", [2], [1], /has 2 elements, data has 1/],
    ["FP32", [2, 2], [[1, 2], [3]], /not nested as its shape/],
    ["FP32", [1], "1", /no list/],
  ] as const)("are refused: %s %j %j", (datatype, shape, data, message) => {
    const parse = () => tensorFromJson(datatype, [...shape], data);
    expect(parse).toThrow(TensorError);
    expect(parse).toThrow(message);
  });
});
