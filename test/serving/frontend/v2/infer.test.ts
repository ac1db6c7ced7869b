import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildFrontend } from "../../../../src/serving/frontend/app.ts";
import { DATATYPES, type Datatype } from "../../../../src/serving/tensors/datatypes.ts";
import { addModel, fibModel, fixtureModel, type InProcess, inProcess } from "../../inference/in-process.ts";

let host: InProcess;
let app: ReturnType<typeof buildFrontend>;

beforeAll(async () => {
  host = await inProcess(async (modelsDir) => {
    await addModel(modelsDir, "every", "1", await fixtureModel("every"));
    await addModel(modelsDir, "affine", "1", await fixtureModel("affine"));
    await addModel(modelsDir, "affine", "2", await fixtureModel("affine-2"), "loaded");
    await addModel(modelsDir, "product", "1", await fixtureModel("product"));
    await addModel(modelsDir, "fib", "1", await fibModel());
  });
  app = buildFrontend(host.context, pino({ enabled: false }));
});
afterAll(async () => {
  await app.close();
  await host.close();
});

const get = (url: string) => app.inject({ method: "GET", url });
const post = (url: string, payload: unknown, headers: Record<string, string> = {}) =>
  app.inject({
    method: "POST",
    url,
    payload: typeof payload === "string" || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload),
    headers,
  });

/** A request with bytes behind its JSON. */
function withBytes(request: object, ...bytes: Uint8Array[]) {
  const json = Buffer.from(JSON.stringify(request));
  const headers = {
    "inference-header-content-length": String(json.length),
    "content-type": "application/octet-stream",
  };
  return [Buffer.concat([json, ...bytes]), headers] as const;
}

/** An answer's JSON, and the bytes of the outputs that came as such. */
function parts(answer: { rawPayload: Buffer; headers: Record<string, unknown>; statusCode: number }) {
  expect(answer.statusCode).toBe(200);
  expect(answer.headers["content-type"]).toBe("application/octet-stream");
  const length = Number(answer.headers["inference-header-content-length"]);
  const json = JSON.parse(answer.rawPayload.subarray(0, length).toString());
  let at = length;
  const bytes: Record<string, Buffer> = {};
  for (const { name, parameters } of json.outputs) {
    if (parameters?.binary_data_size === undefined) continue;
    bytes[name] = answer.rawPayload.subarray(at, at + parameters.binary_data_size);
    at += parameters.binary_data_size;
  }
  expect(at).toBe(answer.rawPayload.length);
  return { json, bytes };
}

const samples: Record<Datatype, unknown[]> = {
  BOOL: [true, false, false],
  UINT8: [0, 7, 255],
  UINT16: [0, 7, 65_535],
  UINT32: [0, 7, 4_294_967_295],
  UINT64: [0, 7, "18446744073709551615"],
  INT8: [-128, 7, 127],
  INT16: [-32_768, 7, 32_767],
  INT32: [-2_147_483_648, 7, 2_147_483_647],
  INT64: ["-9223372036854775808", 7, "9223372036854775807"],
  FP16: [-1.5, 0, 65_504],
  FP32: [-1.5, 0, 0.5],
  FP64: [-1.5, 0, 0.1],
  BYTES: ["", "zwei", "三"],
};
const input = (datatype: Datatype) => ({ name: `x_${datatype}`, datatype, shape: [1, 3], data: samples[datatype] });
const everyInput = DATATYPES.map(input);

/** Little-endian bytes of an element, by Node's own writers. */
const bytesOf: Record<Datatype, (values: unknown[]) => Buffer> = {
  BOOL: (values) => Buffer.from(values.map(Number)),
  UINT8: (values) => Buffer.from(values as number[]),
  UINT16: (values) => written(values, 2, (buffer, value, at) => buffer.writeUInt16LE(Number(value), at)),
  UINT32: (values) => written(values, 4, (buffer, value, at) => buffer.writeUInt32LE(Number(value), at)),
  UINT64: (values) => written(values, 8, (buffer, value, at) => buffer.writeBigUInt64LE(BigInt(value as string), at)),
  INT8: (values) => written(values, 1, (buffer, value, at) => buffer.writeInt8(Number(value), at)),
  INT16: (values) => written(values, 2, (buffer, value, at) => buffer.writeInt16LE(Number(value), at)),
  INT32: (values) => written(values, 4, (buffer, value, at) => buffer.writeInt32LE(Number(value), at)),
  INT64: (values) => written(values, 8, (buffer, value, at) => buffer.writeBigInt64LE(BigInt(value as string), at)),
  // -1.5 is 0xbe00, 0 is 0, 65504 is 0x7bff
  FP16: (values) =>
    written(values, 2, (buffer, value, at) =>
      buffer.writeUInt16LE({ "-1.5": 0xbe00, 0: 0, 65504: 0x7bff }[String(value)] as number, at),
    ),
  FP32: (values) => written(values, 4, (buffer, value, at) => buffer.writeFloatLE(Number(value), at)),
  FP64: (values) => written(values, 8, (buffer, value, at) => buffer.writeDoubleLE(Number(value), at)),
  BYTES: (values) =>
    Buffer.concat(
      (values as string[]).map((text) => {
        const bytes = Buffer.from(text);
        const length = Buffer.alloc(4);
        length.writeUInt32LE(bytes.length);
        return Buffer.concat([length, bytes]);
      }),
    ),
};
function written(values: unknown[], size: number, write: (buffer: Buffer, value: unknown, at: number) => void): Buffer {
  const buffer = Buffer.alloc(values.length * size);
  for (const [index, value] of values.entries()) write(buffer, value, index * size);
  return buffer;
}
/** JSON with whole numbers beyond 2⁵³ as texts. */
const exact = (json: string) => JSON.parse(json.replace(/(?<=[[,])-?\d{17,}(?=[\],])/g, '"$&"'));
const backwards = (list: unknown[]) => [...list].reverse();

describe("metadata", () => {
  it("describes the server by what is served", async () => {
    expect((await get("/v2")).json()).toEqual({
      name: "slipway",
      version: "sha256:payload",
      extensions: ["binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics"],
    });
  });

  it("describes models and their versions", async () => {
    const affine = (await get("/v2/models/affine")).json();
    expect(affine).toMatchObject({ name: "affine", versions: ["1", "2"], platform: "onnx_onnxv1" });
    expect(affine.inputs[0]).toEqual({ name: "x_INT32", datatype: "INT32", shape: [-1, 2] });
    expect((await get("/v2/models/affine/versions/2")).json()).toEqual(affine);
    expect((await get("/v2/models/product")).json().outputs).toEqual([
      { name: "c", datatype: "FP32", shape: [-1, -1] },
      { name: "total", datatype: "FP32", shape: [] },
    ]);
    expect((await get("/v2/models/affine/versions/2/ready")).json()).toEqual({ name: "affine", ready: true });
  });

  it("has a configuration as Triton's clients read it", async () => {
    expect((await get("/v2/models/affine/config")).json()).toMatchObject({
      name: "affine",
      max_batch_size: 4,
      input: [{ name: "x_INT32", data_type: "TYPE_INT32", dims: [2] }, {}, {}, {}],
    });
    expect((await get("/v2/models/product/config")).json()).toMatchObject({
      max_batch_size: 0,
      input: [{ name: "a", dims: [-1, -1] }, {}],
    });
  });

  it.each([
    "/v2/models/none",
    "/v2/models/affine/versions/3",
    "/v2/models/none/ready",
    "/v2/models/constructor",
    "/v2/models/none/stats",
  ])("is 404 for what is not there: %s", async (url) => {
    const answer = await get(url);
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toEqual({ error: expect.stringMatching(/serve/) });
  });
});

describe("inference", () => {
  it("takes and answers every datatype as JSON", async () => {
    const answer = await post("/v2/models/every/infer", { id: "7", inputs: everyInput });
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(answer.body).toContain("[18446744073709551615,7,0]");
    expect(exact(answer.body)).toEqual({
      model_name: "every",
      model_version: "1",
      id: "7",
      outputs: DATATYPES.map((datatype) => ({
        name: `y_${datatype}`,
        datatype,
        shape: [1, 3],
        data: backwards(samples[datatype]),
      })),
    });
  });

  it("reads whole numbers with all their digits", async () => {
    const body = JSON.stringify({ inputs: everyInput }).replace(/"(-?\d+)"/g, "$1");
    expect(body).toContain("[0,7,18446744073709551615]");
    const answer = await post("/v2/models/every/infer", body.replace("0.5", "100000000000000000000"));
    expect(answer.body).toContain("[18446744073709551615,7,0]");
    expect(answer.body).toContain("[9223372036854775807,7,-9223372036854775808]");
    expect(answer.body).toContain("[100000002004087730000,0,-1.5]"); // the float32 next to it
  });

  it("takes and answers every datatype as bytes", async () => {
    const inputs = DATATYPES.map((datatype) => {
      const { data, ...rest } = input(datatype);
      return { ...rest, parameters: { binary_data_size: bytesOf[datatype](data).length } };
    });
    const request = { inputs, parameters: { binary_data_output: true } };
    const bytes = DATATYPES.map((datatype) => bytesOf[datatype](samples[datatype]));
    const answer = parts(await post("/v2/models/every/infer", ...withBytes(request, ...bytes)));
    for (const datatype of DATATYPES) {
      const expected = bytesOf[datatype](backwards(samples[datatype]));
      expect(answer.bytes[`y_${datatype}`]?.equals(expected), datatype).toBe(true);
    }
  });

  it("mixes JSON and bytes, in both directions, and answers the outputs that are asked for in their order", async () => {
    const inputs = everyInput.map(({ data, ...rest }) =>
      rest.datatype === "FP64" || rest.datatype === "BYTES"
        ? { ...rest, parameters: { binary_data_size: bytesOf[rest.datatype](data).length } }
        : { ...rest, data },
    );
    const outputs = [
      { name: "y_BYTES" },
      { name: "y_INT64", parameters: { binary_data: true } },
      { name: "y_FP32", parameters: { binary_data: false } },
    ];
    const [body, headers] = withBytes({ inputs, outputs }, bytesOf.FP64(samples.FP64), bytesOf.BYTES(samples.BYTES));
    const { json, bytes } = parts(
      await post("/v2/models/every/infer", body, { ...headers, "content-type": "application/json" }),
    );
    expect(json.outputs.map(({ name }: { name: string }) => name)).toEqual(["y_BYTES", "y_INT64", "y_FP32"]);
    expect(json.outputs[0].data).toEqual(backwards(samples.BYTES));
    expect(json.outputs[2].data).toEqual(backwards(samples.FP32));
    expect(bytes.y_INT64?.equals(bytesOf.INT64(backwards(samples.INT64)))).toBe(true);
  });

  it("computes what another way of writing it does", async () => {
    const rows = [
      [1.5, -2],
      [0.25, 4],
    ];
    const numbers = ["INT32", "INT64", "FP32", "FP64"] as const;
    const whole = (datatype: string, value: number) => (datatype.startsWith("INT") ? Math.trunc(value) : value);
    const inputs = numbers.map((datatype) => ({
      name: `x_${datatype}`,
      datatype,
      shape: [2, 2],
      data: rows.map((row) => row.map((value) => whole(datatype, value))),
    }));
    for (const [version, offset] of [
      ["1", 1],
      ["2", 2],
    ] as const) {
      const answer = await post(`/v2/models/affine/versions/${version}/infer`, { inputs });
      expect(answer.json()).toMatchObject({ model_version: version });
      for (const [at, datatype] of numbers.entries()) {
        const expected = rows.flat().map((value) => 3 * whole(datatype, value) + offset);
        expect(answer.json().outputs[at].data).toEqual(expected);
      }
    }
  });

  it("asks models that know no rows, of free shapes, with an output without dimensions", async () => {
    const inputs = [
      { name: "b", datatype: "FP32", shape: [3, 1], data: [[1], [10], [100]] },
      { name: "a", datatype: "FP32", shape: [2, 3], data: [1, 2, 3, 4, 5, 6] },
    ];
    expect((await post("/v2/models/product/infer", { inputs })).json().outputs).toEqual([
      { name: "c", datatype: "FP32", shape: [2, 1], data: [321, 654] },
      { name: "total", datatype: "FP32", shape: [], data: [975] },
    ]);
  });

  it("calls functions: each element is the JSON of a call's arguments, or the body is", async () => {
    expect((await get("/v2/models/fib")).json()).toMatchObject({
      platform: "slipway_function",
      inputs: [{ name: "arguments", datatype: "BYTES", shape: [-1] }],
      outputs: [{ name: "result", datatype: "BYTES", shape: [-1] }],
    });
    const inputs = [{ name: "arguments", datatype: "BYTES", shape: [2], data: ['{"n":10}', '{"n":20}'] }];
    const answer = await post("/v2/models/fib/infer", { inputs });
    expect(answer.json().outputs, answer.body).toMatchObject([{ name: "result", shape: [2] }]);
    expect(answer.json().outputs[0].data.map(JSON.parse)).toEqual([55, 6765]);
    const bare = parts(await post("/v2/models/fib/infer", '{"n":10}', { "inference-header-content-length": "0" }));
    expect(bare.bytes.result?.subarray(4).toString()).toBe("55");
    expect(bare.json.outputs[0].shape).toEqual([1]);
    const refused = await post("/v2/models/fib/infer", '{"n":-1}', { "inference-header-content-length": "0" });
    expect(refused.statusCode).toBe(422);
    expect(refused.json()).toEqual({ error: expect.stringMatching(/arguments\/n must be >= 0/) });
  });

  it("answers the largest values with their places", async () => {
    const outputs = [
      { name: "y_INT16", parameters: { classification: 2 } },
      { name: "y_FP64", parameters: { classification: 9 } },
    ];
    expect((await post("/v2/models/every/infer", { inputs: everyInput, outputs })).json().outputs).toEqual([
      { name: "y_INT16", datatype: "BYTES", shape: [1, 2], data: ["32767:0", "7:1"] },
      { name: "y_FP64", datatype: "BYTES", shape: [1, 3], data: ["0.1:0", "0:1", "-1.5:2"] },
    ]);
    const texts = { inputs: everyInput, outputs: [{ name: "y_BYTES", parameters: { classification: 1 } }] };
    expect((await post("/v2/models/every/infer", texts)).statusCode).toBe(400);
  });

  it("takes packed bodies, up to as many bytes as others", async () => {
    const body = gzipSync(JSON.stringify({ inputs: everyInput }));
    expect((await post("/v2/models/every/infer", body, { "content-encoding": "gzip" })).statusCode).toBe(200);
    const bomb = gzipSync(Buffer.alloc(33 * 1024 * 1024, 32));
    expect((await post("/v2/models/every/infer", bomb, { "content-encoding": "gzip" })).statusCode).toBe(413);
    expect((await post("/v2/models/every/infer", "x", { "content-encoding": "gzip" })).statusCode).toBe(400);
    expect((await post("/v2/models/every/infer", "x", { "content-encoding": "br" })).statusCode).toBe(415);
  });

  it("takes as many rows as the host's bound, and no more", async () => {
    const rows = (count: number) => ({
      inputs: everyInput.map(({ data, ...rest }) => ({
        ...rest,
        shape: [count, 3],
        data: Array.from({ length: count }, () => data),
      })),
    });
    expect((await post("/v2/models/every/infer", rows(8))).json().outputs[0].shape).toEqual([8, 3]);
    const refused = await post("/v2/models/every/infer", rows(9));
    expect(refused.statusCode).toBe(413);
    expect(refused.json()).toEqual({ error: expect.stringMatching(/9 rows; at most 8/) });
  });

  it("takes a body that is the one input of its model", async () => {
    const answer = await post("/v2/models/product/infer", Buffer.alloc(4), { "inference-header-content-length": "0" });
    expect(answer.json()).toEqual({ error: expect.stringMatching(/this one has 2/) });
  });
});

const bare = { name: "a", datatype: "FP32", shape: [1, 2], data: [1, 2] };
const other = { name: "b", datatype: "FP32", shape: [2, 1], data: [1, 2] };
const product = (first: object) => ({ inputs: [{ ...bare, ...first }, other] });
const deep = `${"[".repeat(100_000)}1${"]".repeat(100_000)}`;

describe("what is wrong is said in the protocol's form, and names the tensor", () => {
  it.each<[string, unknown, RegExp]>([
    ["no JSON", "{", /not JSON/],
    ["nothing", "", /not JSON/],
    ["NaN, which JSON has not", '{"inputs":[{"name":"a","datatype":"FP32","shape":[1],"data":[NaN]}]}', /not JSON/],
    ["a list", [], /no JSON object/],
    ["no inputs", { inputs: [] }, /no inputs/],
    ["an id that is none", { id: 7, inputs: [bare, other] }, /id/],
    ["an input without a name", { inputs: [{ ...bare, name: 7 }] }, /no name/],
    ["an input that is missing", { inputs: [other] }, /"a" is missing/],
    ["an input too many", { inputs: [bare, other, { ...bare, name: "c" }] }, /no input "c"; the model has "a", "b"/],
    ["an input twice", { inputs: [bare, other, bare] }, /"a" is there twice/],
    [
      "an input called as a prototype's",
      { inputs: [bare, other, { ...bare, name: "__proto__" }] },
      /no input "__proto__"/,
    ],
    ["another datatype", product({ datatype: "FP64" }), /input a is of FP32, not of FP64/],
    ["no datatype", product({ datatype: "FP8" }), /"a": "FP8" is no datatype/],
    ["a datatype that is nested", `{"inputs":[{"name":"a","shape":[1],"datatype":${deep}}]}`, /no datatype/],
    ["another rank", product({ shape: [2] }), /input a is of shape \[-1,-1\], not \[2\]/],
    ["a shape that is none", product({ shape: "2" }), /"a": the shape is no list/],
    ["a negative dimension", product({ shape: [-1, 2] }), /"a": the shape has a dimension that is none/],
    ["half a dimension", product({ shape: [1.5, 2] }), /"a": the shape/],
    ["a dimension beyond 32 bits", product({ shape: [2 ** 32, 0], data: [] }), /"a": the shape/],
    [
      "a product beyond everything",
      product({ shape: new Array(16).fill(2 ** 31 - 1) }),
      /"a": .* has .* elements, data has 2/,
    ],
    ["too many dimensions", product({ shape: new Array(17).fill(1) }), /"a": 17 dimensions/],
    ["too few elements", product({ data: [1] }), /"a": \[1,2\] has 2 elements, data has 1/],
    ["no data", product({ data: undefined }), /"a": data is no list/],
    ["data that is nested otherwise", product({ data: [[1], [2]] }), /"a": data is not nested as its shape/],
    [
      "data that is nested deeper than a stack",
      `{"inputs":[{"name":"a","shape":[1,2],"datatype":"FP32","data":${deep}}]}`,
      /"a"/,
    ],
    [
      "an element that is nested",
      `{"inputs":[{"name":"a","shape":[1,2],"datatype":"FP32","data":[1,${deep}]}]}`,
      /"a": element 2 is a list/,
    ],
    ["a null", product({ data: [1, null] }), /"a": element 2 is null/],
    ["a number beyond float32", product({ data: [1, 1e39] }), /"a": element 2 is 1e\+39/],
    ["parameters that are none", product({ parameters: [] }), /"a": the parameters/],
    ["shared memory", product({ parameters: { shared_memory_region: "r" } }), /"shared_memory_region"/],
    [
      "an output in shared memory",
      { ...product({}), outputs: [{ name: "c", parameters: { shared_memory_region: "r" } }] },
      /"shared_memory_region"/,
    ],
    ["a sequence", { ...product({}), parameters: { sequence_id: 3 } }, /"sequence_id"/],
    [
      "an output that there is not",
      { ...product({}), outputs: [{ name: "d" }] },
      /no output "d"; the model has "c", "total"/,
    ],
    ["an output twice", { ...product({}), outputs: [{ name: "c" }, { name: "c" }] }, /"c" is asked for twice/],
    ["outputs that are none", { ...product({}), outputs: "c" }, /outputs are no list/],
    [
      "bytes that are not there",
      product({ data: undefined, parameters: { binary_data_size: 8 } }),
      /"a": 0 bytes are left for its 8/,
    ],
  ])("%s", async (_what, body, message) => {
    const answer = await post("/v2/models/product/infer", body);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toEqual({ error: expect.stringMatching(message) });
    expect(answer.body.length).toBeLessThan(400);
  });

  const binary = (size: unknown, shape = [1, 2], datatype = "FP32") => ({
    inputs: [{ name: "a", datatype, shape, parameters: { binary_data_size: size } }, other],
  });
  it.each<[string, object, number, RegExp]>([
    ["fewer bytes than the shape", binary(4), 4, /"a": \[1,2\] of FP32 is 8 bytes, not 4/],
    ["fewer bytes than announced", binary(8), 4, /"a": 4 bytes are left for its 8/],
    ["more bytes than announced", binary(8), 12, /4 bytes belong to no input/],
    ["a size beyond everything", binary(2 ** 52, [2 ** 26, 2 ** 24]), 8, /"a": 8 bytes are left/],
    ["a negative size", binary(-8), 8, /"a": binary_data_size/],
    ["a size that is a text", binary("8"), 8, /"a": binary_data_size/],
    [
      "data and bytes",
      { inputs: [{ ...bare, parameters: { binary_data_size: 8 } }, other] },
      8,
      /"a" has data and binary_data_size/,
    ],
    ["a BOOL that is neither", binary(2, [1, 2], "BOOL"), 2, /"a": element 1 is 170, which is no BOOL/],
    ["BYTES that end within an element", binary(8, [1, 2], "BYTES"), 8, /"a": a BYTES tensor ends within/],
  ])("bytes: %s", async (_what, request, count, message) => {
    const answer = await post("/v2/models/product/infer", ...withBytes(request, Buffer.alloc(count, 0xaa)));
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toEqual({ error: expect.stringMatching(message) });
  });

  it("bytes: texts that are not UTF-8", async () => {
    const request = {
      inputs: [{ name: "x_BYTES", datatype: "BYTES", shape: [1], parameters: { binary_data_size: 5 } }],
    };
    const answer = await post("/v2/models/every/infer", ...withBytes(request, Buffer.from([1, 0, 0, 0, 0xff])));
    expect(answer.json()).toEqual({ error: expect.stringMatching(/"x_BYTES": an element is not UTF-8/) });
    // "é" in halves: each element is cut, the bytes together would not be
    const inputs = [{ name: "x_BYTES", datatype: "BYTES", shape: [2], parameters: { binary_data_size: 10 } }];
    const halves = Buffer.from([1, 0, 0, 0, 0xc3, 1, 0, 0, 0, 0xa9]);
    const cut = await post("/v2/models/every/infer", ...withBytes({ inputs }, halves));
    expect(cut.json()).toEqual({ error: expect.stringMatching(/"x_BYTES": an element is not UTF-8/) });
  });

  it.each(["-1", "x", "99999999", "1e3", "0x10", "9".repeat(20)])("a JSON length that is none: %s", async (length) => {
    const answer = await post("/v2/models/product/infer", product({}), { "inference-header-content-length": length });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toEqual({ error: expect.stringMatching(/Inference-Header-Content-Length/) });
  });
});

describe("any request", () => {
  const scalar = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom(
      -1,
      0,
      1,
      2,
      2 ** 31,
      2 ** 53,
      1e300,
      "__proto__",
      "constructor",
      "a",
      "b",
      "c",
      "FP32",
      "BYTES",
      "INT64",
    ),
  );
  const keys = fc.constantFrom(
    "id",
    "inputs",
    "outputs",
    "parameters",
    "name",
    "shape",
    "datatype",
    "data",
    "binary_data_size",
    "__proto__",
    "toString",
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6 },
      scalar,
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.array(fc.tuple(keys, tie("tree")), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
    ),
  }));
  const valid = { inputs: [bare, other], outputs: [{ name: "c", parameters: { binary_data: true } }], parameters: {} };
  /** A valid request with one value exchanged for another. */
  const changed = fc.tuple(fc.nat(30), tree).map(([place, value]) => {
    let at = 0;
    return JSON.stringify(valid, (_key, old) => (at++ === place ? value : old)) ?? "null";
  });
  const bodies = fc.oneof(
    fc.tuple(changed, fc.uint8Array({ maxLength: 40 })).map(([json, bytes]) => ({ json: Buffer.from(json), bytes })),
    fc
      .tuple(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 40 }))
      .map(([json, bytes]) => ({ json: Buffer.from(json), bytes })),
  );
  const lengths = fc.option(
    fc.oneof(
      fc.constant("right"),
      fc.nat(300).map(String),
      fc.string({ unit: "binary-ascii", maxLength: 5 }).filter((text) => /^[ -~]*$/.test(text)),
    ),
  );

  it("is answered, or refused as the caller's mistake", async () => {
    const statuses = new Set<number>();
    await fc.assert(
      fc.asyncProperty(bodies, lengths, async ({ json, bytes }, length) => {
        const headers: Record<string, string> =
          length === null
            ? {}
            : { "inference-header-content-length": length === "right" ? String(json.length) : length };
        const answer = await post("/v2/models/product/infer", Buffer.concat([json, bytes]), headers);
        statuses.add(answer.statusCode);
        expect(answer.statusCode === 200 || (answer.statusCode >= 400 && answer.statusCode < 500), answer.body).toBe(
          true,
        );
      }),
      { numRuns: 600 },
    );
    expect([...statuses]).toContain(400);
  });

  it("takes no more room than its bytes do, whatever it claims", async () => {
    const elements = Buffer.alloc(16 * 1024 * 1024 - 64); // four million texts of nothing
    const request = {
      inputs: [
        {
          name: "a",
          datatype: "BYTES",
          shape: [elements.length / 4],
          parameters: { binary_data_size: elements.length },
        },
        other,
      ],
    };
    const claims = product({ shape: [2 ** 31 - 1, 2 ** 31 - 1] });
    await post("/v2/models/product/infer", claims);
    const before = process.memoryUsage();
    const [body, headers] = withBytes(request, elements);
    expect((await post("/v2/models/product/infer", body, headers)).statusCode).toBe(400);
    for (let one = 0; one < 20; one++) expect((await post("/v2/models/product/infer", claims)).statusCode).toBe(400);
    const after = process.memoryUsage();
    expect(after.heapUsed - before.heapUsed).toBeLessThan(64 * 1024 * 1024);
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(96 * 1024 * 1024);
  });
});
