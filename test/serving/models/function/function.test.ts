import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { functionFormSchema } from "../../../../src/serving/models/function/form.ts";
import { openFunctionModel } from "../../../../src/serving/models/function/function-model.ts";
import { importAnyModel } from "../../../../src/serving/models/import-any.ts";
import type { LoadedModel } from "../../../../src/serving/models/onnx-model.ts";
import type { FunctionPackage } from "../../../../src/serving/models/package.ts";
import { RejectedInputError } from "../../../../src/serving/runtime/rejected-input.ts";
import { jsonElements } from "../../../../src/serving/tensors/json.ts";
import { textTensor } from "../../../../src/serving/tensors/raw-tensor.ts";

const fibFolder = fileURLToPath(new URL("../../../../models/fib", import.meta.url));
const zod = fileURLToPath(import.meta.resolve("zod"));
let folder: string;
let made = 0;
const open: LoadedModel[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-functions-"));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((model) => model.close()));
});
afterAll(() => rm(folder, { recursive: true }));

/** Writes a user's files into a folder of their own. */
async function written(files: Record<string, string>): Promise<string> {
  const path = join(folder, String(made++));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
  }
  return path;
}

const imported = async (files: Record<string, string>) =>
  (await importAnyModel(await written(files))) as FunctionPackage;

/** The function as a host has it: from its package alone. */
async function loaded({ card, code }: FunctionPackage, limits: object = {}, onLine?: (line: string) => void) {
  const path = await written({ "function.mjs": Buffer.from(code).toString("utf8") });
  const form = functionFormSchema.parse({ ...card.function, ...limits });
  const model = await openFunctionModel(join(path, "function.mjs"), { form, ...(onLine && { onLine }) });
  open.push(model);
  const call = async (...calls: unknown[]) => {
    const [results] = await model.run([textTensor(calls.map((one) => JSON.stringify(one)))]);
    return results ? jsonElements(results).map((text) => JSON.parse(text as string)) : [];
  };
  return { model, call };
}

const serve = async (source: string, limits?: object, onLine?: (line: string) => void) =>
  loaded(await imported({ "model.mjs": source }), limits, onLine);

describe("a function as a model", () => {
  it("is what a user writes for Fibonacci numbers: keywords, a schema, golden calls", async () => {
    const fib = (await importAnyModel(fibFolder)) as FunctionPackage;
    expect(fib.card).toMatchObject({
      platform: "function",
      inputs: [{ name: "arguments", datatype: "BYTES", shape: [-1] }],
      outputs: [{ name: "result", datatype: "BYTES", shape: [-1] }],
      batching: false,
      pure: true,
      function: { parameters: [{ name: "n", optional: false }] },
      source: { format: "function", files: [{ name: "fib.ts" }] },
    });
    const { call } = await loaded(fib);
    expect(await call({ n: 10 }, { n: 30 })).toEqual([55, 832_040]);
    await expect(call({ n: -1 })).rejects.toThrow("arguments/n must be >= 0");
    await expect(call({ n: 1.5 })).rejects.toThrow(RejectedInputError);
    await expect(call({ m: 1 })).rejects.toThrow(RejectedInputError);
  });

  it("travels with all that it imports, in files beside it and in packages", async () => {
    const { call } = await loaded(
      await imported({
        "index.ts":
          'import { n as factor } from "scale";\nimport words from "./words.json";\nconst n = 3;\nenum Never { A }\nexport default function scale(n: number, by = factor) { return { words, scaled: n * by, n: Never.A }; }',
        "words.json": '["a", "b"]',
        "node_modules/scale/package.json": '{"name": "scale", "main": "main.js"}',
        "node_modules/scale/main.js": 'const path = require("node:path"); exports.n = path.sep.length * 2;',
      }),
    );
    expect(await call({ n: 21 })).toEqual([{ words: ["a", "b"], scaled: 42, n: 0 }]);
  });

  it("may name its parameters as what it imports names other things", async () => {
    const model = await imported({
      "model.js": 'import { n } from "./other.js"; export const predict = async (x, y = n) => x + y; ',
      "other.js": "export const n = 1; export const x = 2; console.log(x);",
    });
    expect(model.card.function?.parameters).toEqual([
      { name: "x", optional: false },
      { name: "y", optional: true },
    ]);
    const { call } = await loaded(model);
    expect(await call({ x: 1 }, { x: 1, y: 5 })).toEqual([2, 6]);
  });

  it("may have its schema from zod, load first what it needs, and be asynchronous", async () => {
    const { call } = await serve(`
      import { z } from ${JSON.stringify(zod)};
      let ready = 0;
      export async function load() { await new Promise((resolve) => setTimeout(resolve, 20)); ready = 7; }
      export const schema = { arguments: z.object({ word: z.string().max(5) }), result: z.number() };
      export async function predict({ word }) { return ready * word.length; }
    `);
    expect(await call({ word: "abc" })).toEqual([21]);
    await expect(call({ word: "abcdef" })).rejects.toThrow("must NOT have more than 5 characters");
  });

  it("says whose mistake it is when it throws, and goes on", async () => {
    const { call } = await serve(`
      export function predict({ kind }) {
        if (kind === "user") throw Object.assign(new Error("no such city"), { status: 404 });
        if (kind === "own") throw new TypeError("cannot divide");
        if (kind === "loop") { const loop = {}; loop.loop = loop; return loop; }
        if (kind === "function") return () => 1;
        return kind;
      }`);
    await expect(call({ kind: "user" })).rejects.toEqual(new RejectedInputError("no such city"));
    await expect(call({ kind: "own" })).rejects.toThrow("TypeError: cannot divide");
    await expect(call({ kind: "loop" })).rejects.toThrow("circular");
    await expect(call({ kind: "function" })).rejects.toThrow("which JSON has not");
    expect(await call({}, { kind: [1, null] })).toEqual([null, [1, null]]);
  });

  it("that answers what its schema does not allow has failed", async () => {
    const { call } = await serve(
      'export const schema = { result: { type: "number" } }; export const predict = ({ x }) => x;',
    );
    expect(await call({ x: 1 })).toEqual([1]);
    await expect(call({ x: "1" })).rejects.toThrow("result must be number");
  });

  it("is stopped when it blocks; what had not begun is asked again of the next thread", async () => {
    const { call } = await serve(
      "let calls = 0; export function predict({ block }) { calls++; while (block); return calls; }",
      { timeoutMs: 300 },
    );
    const [blocked, ...others] = await Promise.allSettled([call({ block: true }), call({}), call({})]);
    expect(blocked).toMatchObject({
      status: "rejected",
      reason: { message: expect.stringContaining("longer than 300 ms") },
    });
    // the count is that of a new thread
    expect(others).toMatchObject([{ value: [1] }, { value: [2] }]);
  });

  it("is stopped when a promise of its never settles, without harm to what waits beside it", async () => {
    const { call } = await serve(
      "export const concurrency = 4; export const predict = ({ wait }) => wait < 0 ? new Promise(() => {}) : new Promise((resolve) => setTimeout(resolve, wait, wait));",
      { timeoutMs: 250 },
    );
    const results = await Promise.allSettled([call({ wait: 5 }), call({ wait: -1 }), call({ wait: 10 })]);
    expect(results).toMatchObject([{ value: [5] }, { status: "rejected" }, { value: [10] }]);
    expect(await call({ wait: 1 })).toEqual([1]);
  });

  it("is replaced when it takes too much memory, on the heap or beside it, or ends its thread", async () => {
    const { call } = await serve(
      `const kept = []; let calls = 0;
       export function predict({ what }) {
         calls++;
         if (what === "heap") for (;;) kept.push(new Array(1000).fill({}));
         if (what === "buffers") kept.push(new Uint8Array(64 * 1024 * 1024).fill(1));
         if (what === "exit") process.exit(3);
         if (what === "late") setTimeout(() => { throw new Error("later"); }, 500);
         return calls;
       }`,
      { memoryMiB: 32, timeoutMs: 5000 },
    );
    // close to its limit V8 may collect garbage for so long that the time is over before the memory is
    await expect(call({ what: "heap" })).rejects.toThrow(/more than 32 MiB|took longer than 5000 ms/);
    expect(await call({ what: "buffers" })).toEqual([1]);
    expect(await call({})).toEqual([1]);
    await expect(call({ what: "exit" })).rejects.toThrow("ended its thread with 3");
    expect(await call({ what: "late" })).toEqual([1]);
    // whatever is under way when the thread ends over it fails, and then there is another thread
    await sleep(600);
    await expect.poll(() => call({}).catch(() => undefined)).toEqual([1]);
  });

  it("is not loaded where it takes more beside its heap than it may, before it has taken all that there is", async () => {
    // what it may take is known once it was imported
    const greedy = `export const memoryMiB = 16;
      const kept = []; for (let taken = 0; taken < 128; taken += 4) kept.push(new Uint8Array(4 << 20).fill(1));
      export async function load() { const end = Date.now() + 500; while (Date.now() < end); }
      export const predict = () => kept.length;`;
    await expect(serve(greedy)).rejects.toThrow("it takes more than 32 MiB beside its heap to load");
  });

  it("sees no environment, and what it prints is told line by line", async () => {
    const lines: string[] = [];
    const { call } = await serve(
      'export function predict(args) { console.log("asked\\nfor", args); return Object.keys(process.env).length; }',
      {},
      (line) => lines.push(line),
    );
    expect(await call(1)).toEqual([0]);
    await expect.poll(() => lines).toEqual(["asked", "for 1"]);
  });

  it.each([
    ["exports nothing", "const a = 1;", "exports no function predict"],
    ["exports several functions", "export function a() {} export function b() {}", "it exports a, b"],
    ["throws", 'throw new Error("no licence");', "no licence"],
    ["cannot be parsed", "export function (", "cannot be packed"],
    ["imports what is not there", 'import x from "nowhere"; export default x;', "nowhere"],
    [
      "has a schema that is none",
      'export const schema = { type: "nonsense" }; export default (a) => a;',
      "schema of the arguments",
    ],
    ["has limits that are none", "export const timeoutMs = -1; export default (a) => a;", "export timeoutMs"],
    ["has parameters without names", "export default (...rest) => rest;", "has no name"],
    ["ends itself", "process.exit(0);", "ended its thread"],
  ])("that %s is refused", async (_what, source, reason) => {
    await expect(imported({ "model.mjs": source })).rejects.toMatchObject({
      code: "E_MODEL_INVALID",
      message: expect.stringContaining(reason),
    });
  });

  it("is refused when it fails its golden calls, those it exports and those beside it", async () => {
    const source = "export const predict = ({ x }) => ({ twice: 2 * x, x });";
    const close = JSON.stringify([{ arguments: { x: 1 }, result: { x: 1, twice: 2.000001 } }]);
    const good = await imported({ "model.mjs": source, "golden.json": close });
    expect(good.golden).toMatchObject({ source: "golden.json" });
    const wrong = JSON.stringify({ calls: [{ arguments: { x: 1 }, result: { x: 1, twice: 3 } }], source: "by hand" });
    await expect(imported({ "model.mjs": source, "golden.json": wrong })).rejects.toMatchObject({
      code: "E_MODEL_MISMATCH",
      message: expect.stringContaining("by hand"),
    });
    const own = `${source} export const golden = [{ arguments: { x: 2 }, result: { x: 2 } }];`;
    await expect(imported({ "model.mjs": own })).rejects.toMatchObject({ code: "E_MODEL_MISMATCH" });
  });

  it("comes to the same bytes wherever its folder lies", async () => {
    const files = { "model.ts": await readFile(join(fibFolder, "fib.ts"), "utf8") };
    const [one, other] = [await imported(files), await imported(files)];
    expect(Buffer.from(one.code).equals(other.code)).toBe(true);
  });
});
