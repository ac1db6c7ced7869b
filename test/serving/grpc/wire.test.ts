import fc from "fast-check";
import jspb from "google-protobuf";
import { describe, expect, it } from "vitest";
import { Gathered } from "../../../src/serving/grpc/codec.ts";
import { contentsOf, hasContents, tensorFromContents } from "../../../src/serving/grpc/contents.ts";
import { inferAnswer, inferQuestion, modelMetadata } from "../../../src/serving/grpc/messages.ts";
import { WireError, WireReader, WireType, WireWriter } from "../../../src/serving/grpc/wire.ts";
import { DATATYPES } from "../../../src/serving/tensors/datatypes.ts";
import { tensorFromJson } from "../../../src/serving/tensors/json.ts";

// Google's own implementation is the reference.

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

describe("the wire format", () => {
  it("reads what Google's writer writes", () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        int64,
        uint64,
        fc.string({ unit: "grapheme" }),
        fc.double(),
        fc.uint8Array(),
        (whole, long, unsigned, text, number, bytes) => {
          const writer = new jspb.BinaryWriter();
          writer.writeUint64(1, whole);
          writer.writeInt64String(2, String(long));
          writer.writeUint64String(300, String(unsigned));
          writer.writeString(4, text);
          writer.writeDouble(5, number);
          writer.writeFloat(6, 1.5);
          writer.writeBytes(7, bytes);
          const reader = new WireReader(writer.getResultBuffer());
          expect([reader.nextField(), reader.varint()]).toEqual([1, whole]);
          expect([reader.nextField(), BigInt.asIntN(64, reader.bigint())]).toEqual([2, long]);
          expect([reader.nextField(), reader.bigint()]).toEqual([300, unsigned]);
          expect([reader.nextField(), reader.text()]).toEqual([4, text]);
          expect([reader.nextField(), reader.double()]).toEqual([5, number]);
          expect([reader.nextField(), reader.type, reader.value().length]).toEqual([6, WireType.fixed32, 4]);
          expect([reader.nextField(), [...reader.bytes()]]).toEqual([7, [...bytes]]);
          expect(reader.nextField()).toBe(0);
        },
      ),
    );
  });

  it("writes what Google's reader reads", () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        int64,
        fc.uint8Array({ maxLength: 2000 }),
        fc.double(),
        (whole, long, bytes, number) => {
          const writer = new WireWriter();
          writer.key(1, WireType.varint);
          writer.varint(whole);
          writer.key(2, WireType.varint);
          writer.bigint(long);
          writer.bytes(3000, bytes);
          writer.key(4, WireType.fixed64);
          writer.double(number);
          const reader = new jspb.BinaryReader(new Uint8Array(writer.finish()));
          reader.nextField();
          expect(reader.readUint64()).toBe(whole);
          reader.nextField();
          expect(reader.readInt64String()).toBe(String(long));
          reader.nextField();
          expect(reader.getFieldNumber()).toBe(3000);
          expect(Buffer.from(reader.readBytes() as Uint8Array).equals(Buffer.from(bytes))).toBe(true);
          reader.nextField();
          expect(reader.readDouble()).toBe(number);
          expect(reader.nextField()).toBe(false);
        },
      ),
    );
  });

  it("reads a list that is written in one piece, in several, and element by element", () => {
    const writer = new jspb.BinaryWriter();
    writer.writePackedInt64(3, [-1, 2]);
    writer.writeInt64(3, 300);
    writer.writePackedInt64(3, [2 ** 40]);
    const message = modelMetadata.decode(
      (() => {
        const outer = new jspb.BinaryWriter();
        outer.writeBytes(4, writer.getResultBuffer());
        return outer.getResultBuffer();
      })(),
    );
    expect(message.inputs[0]?.shape).toEqual([-1, 2, 300, 2 ** 40]);
    const floats = new jspb.BinaryWriter();
    floats.writeFloat(6, 1);
    floats.writePackedFloat(6, [2, 3]);
    floats.writeFloat(6, 4);
    const tensor = new jspb.BinaryWriter();
    tensor.writeBytes(5, floats.getResultBuffer());
    const question = new jspb.BinaryWriter();
    question.writeBytes(5, tensor.getResultBuffer());
    const contents = inferQuestion.decode(question.getResultBuffer()).inputs[0]?.contents;
    expect(new Float32Array(contents?.fp32?.bytes.slice().buffer as ArrayBuffer)).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  it("reads noise as a message or as none, and nothing else, in bounded room", () => {
    const messages = [inferQuestion, inferAnswer, modelMetadata];
    fc.assert(
      fc.property(fc.constantFrom(...messages), fc.uint8Array({ maxLength: 300 }), (message, bytes) => {
        try {
          message.decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("does not read lists that no message of ours has", () => {
    const many = (field: number, count: number) =>
      Buffer.concat(new Array<Buffer>(count).fill(Buffer.from([field * 8 + 2, 0])));
    expect(() => inferQuestion.decode(many(5, 1025))).toThrow(WireError);
    expect(() => inferQuestion.decode(many(7, 1025))).toThrow(WireError);
    expect(inferQuestion.decode(many(5, 1024)).inputs).toHaveLength(1024);
    const element = new Gathered();
    for (let one = 0; one < 100_000; one++) element.append(Uint8Array.of(one & 0x7f));
    expect(element.bytes).toHaveLength(100_000);
    expect(element.bytes[1234]).toBe(1234 & 0x7f);
  });
});

describe("tensors as contents", () => {
  const samples: Record<string, unknown[]> = {
    BOOL: [true, false],
    UINT64: [0, "18446744073709551615"],
    INT64: ["-9223372036854775808", 5],
    INT8: [-128, 127],
    UINT32: [0, 4_294_967_295],
    INT32: [-2_147_483_648, 2_147_483_647],
    BYTES: ["", "zwölf"],
  };
  it.each(DATATYPES.filter(hasContents))("of %s come back as they were", (datatype) => {
    const tensor = tensorFromJson(datatype, [2, 1], samples[datatype] ?? [1, 2]);
    const bytes = inferAnswer.encode({ outputs: [{ contents: contentsOf(tensor) }] });
    const contents = inferAnswer.decode(new Uint8Array(bytes)).outputs[0]?.contents ?? {};
    const back = tensorFromContents(datatype, [2, 1], contents);
    expect(back.shape).toEqual([2, 1]);
    expect(Buffer.from(back.bytes).equals(Buffer.from(tensor.bytes))).toBe(true);
  });

  it("are refused where they are too few, out of range, or another datatype's", () => {
    const ints = contentsOf(tensorFromJson("INT32", [2], [-129, 4]));
    expect(() => tensorFromContents("INT32", [3], ints)).toThrow(/3 elements, the contents 2/);
    expect(() => tensorFromContents("INT8", [2], ints)).toThrow(/element 1 is -129, which is no INT8/);
    expect(() => tensorFromContents("FP32", [2], ints)).toThrow(/FP32 is not read from int_contents/);
    expect(() => tensorFromContents("FP16", [2], {})).toThrow(/FP16 has no contents/);
  });
});
