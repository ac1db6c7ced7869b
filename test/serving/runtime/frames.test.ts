import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeTensors,
  FrameError,
  FrameKind,
  FrameReader,
  HEADER_BYTES,
  jsonIn,
  MAX_FRAME_BYTES,
  tensorsIn,
} from "../../../src/serving/runtime/frames.ts";
import { DATATYPES, elementBytes } from "../../../src/serving/tensors/datatypes.ts";
import { elementsIn, type RawTensor, textTensor } from "../../../src/serving/tensors/raw-tensor.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const numeric = fc
  .tuple(fc.constantFrom(...DATATYPES.filter((datatype) => datatype !== "BYTES")), shape)
  .chain(([datatype, shape]) => {
    const length = elementsIn(shape) * (elementBytes(datatype) ?? 0);
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((bytes): RawTensor => ({ datatype, shape, bytes }));
  });
const texts = fc.array(fc.string({ unit: "binary" }), { maxLength: 5 }).map(textTensor);
const tensors = fc.array(fc.oneof(numeric, texts), { maxLength: 4 });
const timing = fc.record({ batchRows: u32, queueMicros: u32, computeMicros: u32 });
const questions = fc.array(fc.record({ kind: u32, id: u32, slot: u32, tensors, timing }), { maxLength: 6 });

/** The bytes, cut at the given places. */
function cut(bytes: Uint8Array, places: number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

describe("frames", () => {
  it("come out as they went in, however the stream was cut", () => {
    fc.assert(
      fc.property(questions, fc.array(fc.nat()), (sent, places) => {
        const reader = new FrameReader();
        const bytes = sent.map(({ kind, id, slot, tensors, timing }) => encodeTensors(kind, id, slot, tensors, timing));
        const received = cut(Buffer.concat(bytes), places).flatMap((chunk) => reader.push(chunk));
        const plain = (list: RawTensor[]) => list.map(({ bytes, ...rest }) => ({ ...rest, bytes: [...bytes] }));
        expect(received.map(({ body, ...rest }) => ({ ...rest, tensors: plain(tensorsIn(body)) }))).toEqual(
          sent.map(({ tensors, ...rest }) => ({ ...rest, tensors: plain(tensors) })),
        );
      }),
    );
  });

  it("lay tensors so that their numbers can be read where they lie", () => {
    fc.assert(
      fc.property(tensors, fc.integer({ min: 0, max: 7 }), (sent, offset) => {
        const frame = encodeTensors(FrameKind.predict, 1, 1, sent).subarray(HEADER_BYTES);
        const shifted = new Uint8Array(frame.length + offset);
        shifted.set(frame, offset);
        for (const { bytes } of tensorsIn(shifted.subarray(offset))) expect(bytes.byteOffset % 8).toBe(0);
      }),
    );
  });

  it("of tensors that are none are refused, whatever they hold", () => {
    fc.assert(
      fc.property(tensors, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1 }), (sent, changes) => {
        const body = encodeTensors(FrameKind.predict, 1, 1, sent).subarray(HEADER_BYTES);
        for (const [place, value] of changes) body[place % body.length] = value;
        try {
          for (const { shape, bytes } of tensorsIn(body))
            expect(bytes.length).toBeLessThanOrEqual(body.length + shape.length);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }),
    );
  });

  it.each([
    ["longer than allowed", MAX_FRAME_BYTES + 1],
    ["shorter than their header", 27],
  ])("are refused when %s, before anything is kept for them", (_what, length) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(length);
    expect(() => new FrameReader().push(bytes)).toThrow(FrameError);
  });

  it("are not written longer than they are read", () => {
    const bytes = new Uint8Array(MAX_FRAME_BYTES);
    const tensor: RawTensor = { datatype: "UINT8", shape: [bytes.length], bytes };
    expect(() => encodeTensors(FrameKind.predict, 1, 1, [tensor])).toThrow(FrameError);
  });

  it("say so when their body is not the JSON that it should be", () => {
    expect(() => jsonIn(Buffer.from("{"))).toThrow(FrameError);
  });
});
