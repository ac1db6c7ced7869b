import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bodyOf,
  encodeFrame,
  type Frame,
  FrameError,
  FrameReader,
  floatsIn,
  jsonIn,
  MAX_FRAME_BYTES,
} from "../../../src/serving/runtime/frames.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const frames = fc.array(fc.record({ kind: u32, id: u32, rows: u32, body: fc.uint8Array({ maxLength: 300 }) }));

/** The bytes, cut at the given places. */
function cut(bytes: Uint8Array, places: number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

describe("frames", () => {
  it("come out as they went in, however the stream was cut", () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat()), (sent, places) => {
        const reader = new FrameReader();
        const received = cut(Buffer.concat(sent.map(encodeFrame)), places).flatMap((chunk) => reader.push(chunk));
        const plain = (list: Frame[]) => list.map(({ body, ...rest }) => ({ ...rest, body: [...body] }));
        expect(plain(received)).toEqual(plain(sent));
      }),
    );
  });

  it("carry float32 numbers bit by bit, also from an odd offset", () => {
    fc.assert(
      fc.property(fc.float32Array({ maxLength: 64 }), fc.integer({ min: 0, max: 7 }), (values, offset) => {
        const shifted = new Uint8Array(values.byteLength + offset);
        shifted.set(bodyOf(values), offset);
        const received = floatsIn(shifted.subarray(offset));
        expect(Buffer.from(received.buffer).equals(Buffer.from(bodyOf(values)))).toBe(true);
      }),
    );
  });

  it.each([
    ["longer than allowed", MAX_FRAME_BYTES + 1],
    ["shorter than their header", 11],
  ])("are refused when %s, before anything is kept for them", (_what, length) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(length);
    expect(() => new FrameReader().push(bytes)).toThrow(FrameError);
  });

  it("are not written longer than they are read", () => {
    const body = new Uint8Array(MAX_FRAME_BYTES);
    expect(() => encodeFrame({ kind: 2, id: 1, rows: 1, body })).toThrow(FrameError);
  });

  it("say so when their body is not the JSON that it should be", () => {
    expect(() => jsonIn(Buffer.from("{"))).toThrow(FrameError);
  });
});
