import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { FrontendContext } from "../../../src/serving/frontend/context.ts";
import { addVersion, type ModelIdentity, rollBack, useVersion } from "../../../src/serving/models/registry.ts";
import { updateRegistry } from "../../../src/serving/models/registry-file.ts";
import { RuntimeError } from "../../../src/serving/routing/question.ts";
import type { RowModel } from "../../../src/serving/routing/rows.ts";
import type { Host } from "../support.ts";
import { asJson, asPage, golden, injectInto, prepareSurroundings, row, type Surroundings } from "./injected.ts";

let surroundings: Surroundings;
let host: Host;
let served: RowModel;
let context: FrontendContext;

beforeAll(async () => {
  surroundings = await prepareSurroundings();
  ({ host, served } = surroundings);
});
afterAll(() => surroundings.remove());
beforeEach(() => {
  context = contextWith({});
});

const contextWith: Surroundings["contextWith"] = (router, jobs) => surroundings.contextWith(router, jobs);
const inject = (method: "GET" | "POST", url: string, body?: unknown, headers?: Record<string, string>) =>
  injectInto(context, method, url, body, headers);

describe("POST /v1/predict", () => {
  it("answers probability and class of every row, and the model", async () => {
    const answer = await inject("POST", "/v1/predict", { rows: golden.rows.slice(0, 2) });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({
      model: served.model,
      predictions: golden.outputs.slice(0, 2).map((output) => ({
        probability: expect.closeTo(output, 5),
        class: output > 0.5 ? 1 : 0,
      })),
    });
  });

  it.each([
    ["no JSON", "{rows", 400, /JSON/],
    ["an empty body", "", 400, /empty/],
    ["no rows", {}, 400, /the body must be/],
    ["a list", [], 400, /the body must be/],
    ["null", "null", 400, /the body must be/],
    ["rows that are none", { rows: "all" }, 400, /the body must be/],
    ["zero rows", { rows: [] }, 400, /no rows/],
    ["a row that is none", { rows: [row, 7] }, 400, /^row 2 is not a list/],
    ["a short row", { rows: [row, row.slice(1)] }, 400, /^row 2 has 7 numbers, the model takes 8$/],
    ["a long row", { rows: [[...row, 1]] }, 400, /^row 1 has 9 numbers/],
    ["text", { rows: [row, [...row.slice(0, 4), "148", ...row.slice(5)]] }, 400, /^row 2, column 5: "148" is not/],
    ["a missing number", { rows: [[...row.slice(0, 7), null]] }, 400, /^row 1, column 8: null/],
    ["a number beyond float32", { rows: [[1e39, ...row.slice(1)]] }, 400, /^row 1, column 1: 1e\+39/],
    ["a number beyond float64", '{"rows": [[1e999,2,3,4,5,6,7,8]]}', 400, /^row 1, column 1/],
    ["more rows than it takes", { rows: [row, row, row, row] }, 413, /4 rows; at most 3/],
    ["more bytes than it takes", `{"rows": [[${"1,".repeat(1_100_000)}1]]}`, 413, /too large/],
  ])("refuses %s", async (_what, body, status, message) => {
    const answer = await inject("POST", "/v1/predict", body);
    expect(answer.statusCode).toBe(status);
    expect(answer.json()).toEqual({
      error: {
        code: expect.stringMatching(/^[A-Z_]+$/),
        message: expect.stringMatching(message),
        requestId: answer.headers["x-request-id"],
      },
    });
  });

  it("cuts the caller's own text short in its message", async () => {
    const answer = await inject("POST", "/v1/predict", { rows: [["x".repeat(10_000), ...row.slice(1)]] });
    expect(answer.json().error.message.length).toBeLessThan(120);
  });

  it("refuses what is not JSON by its type", async () => {
    const answer = await inject("POST", "/v1/predict", "a,b", { "content-type": "application/xml" });
    expect(answer.statusCode).toBe(415);
  });

  it.each([
    ["unavailable", 503, "RUNTIME_UNAVAILABLE", "1"],
    ["overloaded", 503, "OVERLOADED", "1"],
    ["changed", 503, "MODEL_CHANGED", "1"],
    ["invalid", 400, "INPUT_INVALID", undefined],
    ["rejected", 422, "INPUT_REJECTED", undefined],
    ["deadline", 504, "DEADLINE", undefined],
    ["failed", 500, "INFERENCE_FAILED", undefined],
  ] as const)("says when the runtime's answer is: %s", async (reason, status, code, retryAfter) => {
    context = contextWith({ predict: () => Promise.reject(new RuntimeError(reason, "as it is")) });
    const answer = await inject("POST", "/v1/predict", { rows: [row] });
    expect(answer.statusCode).toBe(status);
    expect(answer.json().error.code).toBe(code);
    expect(answer.headers["retry-after"]).toBe(retryAfter);
  });

  it("keeps what went wrong inside to itself", async () => {
    context = contextWith({ predict: () => Promise.reject(new Error("secret path /root/x")) });
    const answer = await inject("POST", "/v1/predict", { rows: [row] });
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain("secret");
  });

  it("takes as many rows as the model's own bound says, which the source's route does, too", async () => {
    const models = { diabetes: { durable: false, requestRows: 2 } };
    context = { ...context, config: { ...context.config, models } };
    const ask = (path: string, count: number) => {
      const rows = golden.rows.slice(0, count);
      return inject("POST", path, path === "/v1/predict" ? { rows } : { modelId: "diabetes", data: { rows } });
    };
    for (const path of ["/v1/predict", "/v1/AI_model/predict"]) {
      expect((await ask(path, 3)).json(), path).toMatchObject({
        error: { code: "ROWS_TOO_MANY", message: expect.stringContaining("3 rows; at most 2") },
      });
      expect((await ask(path, 2)).statusCode, path).toBe(200);
    }
  });
});

describe("health and version", () => {
  it("is live without a runtime, and not ready", async () => {
    context = contextWith({ find: () => undefined, findConnected: () => undefined, runtimes: [] });
    expect((await inject("GET", "/v2/health/live")).json()).toEqual({ live: true });
    const ready = await inject("GET", "/v2/health/ready");
    expect(ready.statusCode).toBe(503);
    expect(ready.headers["retry-after"]).toBe("1");
    expect(ready.json()).toEqual({ error: expect.any(String) });
    expect((await inject("GET", "/version")).json()).toMatchObject({ model: null, onnxruntime: null });
  });

  it("is ready with the current model", async () => {
    const ready = await inject("GET", "/v2/health/ready");
    expect(ready.statusCode).toBe(200);
    expect(ready.json()).toEqual({ ready: true, model: served.model });
  });

  it("is not ready while the runtime serves another model than the registry names", async () => {
    const next: ModelIdentity = { ...served.model, version: "2", digest: `sha256:${"0".repeat(64)}` };
    await updateRegistry(host.modelsDir, (registry) => useVersion(addVersion(registry, next), next.name, "2"));
    const ready = await inject("GET", "/v2/health/ready");
    await updateRegistry(host.modelsDir, (registry) => rollBack(registry, next.name));
    expect(ready.statusCode).toBe(503);
    expect(ready.json().error).toContain(next.digest);
  });

  it("tells what runs where", async () => {
    expect((await inject("GET", "/version")).json()).toEqual({
      payload: "sha256:payload",
      stack: "production",
      host: "server-g1",
      generation: "g1",
      model: served.model,
      node: process.version,
      onnxruntime: "1.30.0",
      provider: "cpu",
      providerNote: null,
    });
  });
});

describe("the source system's routes", () => {
  it("welcomes with the model's card and a request to copy", async () => {
    const { body, headers } = await inject("GET", "/", undefined, asPage);
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(body).toContain("Welcome");
    expect(body).toContain(served.model.digest);
    expect(body).toContain("/v1/predict");
  });

  it.each(["/predictions", "/accuracy"])("asks before it computes: GET %s is a form", async (path) => {
    const { body } = await inject("GET", path, undefined, asPage);
    expect(body).toContain(`<form method="post" action="${path}">`);
  });

  it("shows every row that travels with the model", async () => {
    const form = { "content-type": "application/x-www-form-urlencoded", ...asPage };
    const { body, statusCode } = await inject("POST", "/predictions", "", form);
    expect(statusCode).toBe(200);
    expect(body.match(/<tr><th scope="row">/g)).toHaveLength(7);
    expect(body).toMatch(/Accuracy is \d\d\.\d\d %/);
  });

  it("tells the accuracy", async () => {
    const { body } = await inject("POST", "/accuracy", undefined, asPage);
    expect(body).toMatch(/The accuracy is \d\d\.\d\d %/);
  });

  it.each(["GET", "POST"] as const)("answers JSON where it is asked for: %s", async (method) => {
    const { predictions, accuracy } = (await inject(method, "/predictions", undefined, asJson)).json();
    expect(predictions).toHaveLength(7);
    expect(predictions[0]).toEqual({
      probability: expect.any(Number),
      class: expect.any(Number),
      label: expect.any(Number),
    });
    const right = predictions.filter((one: { class: number; label: number }) => one.class === one.label).length;
    expect(accuracy).toBeCloseTo((right / 7) * 100, 10);
    expect((await inject(method, "/accuracy", undefined, asJson)).json()).toEqual({
      model: served.model,
      accuracy,
      rows: 7,
    });
  });

  it("escapes names, loads nothing and runs no script", async () => {
    context = contextWith({
      find: () => ({ ...served, model: { ...served.model, name: "<script>alert(1)</script>" } }),
    });
    const { body, headers } = await inject("GET", "/", undefined, asPage);
    expect(body).not.toContain("<script");
    expect(body).toContain("&lt;script&gt;");
    expect(body).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
  });

  it("has pages for errors", async () => {
    context = contextWith({ find: () => undefined, findConnected: () => undefined, runtimes: [] });
    const { body, statusCode, headers } = await inject("GET", "/", undefined, asPage);
    expect(statusCode).toBe(503);
    expect(headers["content-type"]).toContain("text/html");
    expect(body).toContain("the model runtime is not there");
    expect((await inject("GET", "/<b>", undefined, asPage)).body).not.toContain("<b>");
  });

  it("has JSON for errors elsewhere", async () => {
    const answer = await inject("GET", "/nowhere");
    expect(answer.statusCode).toBe(404);
    expect(answer.json().error.code).toBe("NOT_FOUND");
  });
});

describe("the Open Inference Protocol", () => {
  const tensor = (data: unknown[], rows = 1) => ({
    id: "42",
    inputs: [{ name: "input", shape: [rows, 8], datatype: "FP32", data }],
  });

  it("describes the server and the model", async () => {
    expect((await inject("GET", "/v2")).json()).toMatchObject({ name: "slipway" });
    expect((await inject("GET", "/v2/models/diabetes")).json()).toEqual({
      name: "diabetes",
      versions: ["1"],
      platform: "onnx_onnxv1",
      inputs: [{ name: "input", datatype: "FP32", shape: [-1, 8] }],
      outputs: [{ name: "output", datatype: "FP32", shape: [-1, 1] }],
    });
    expect((await inject("GET", "/v2/models/diabetes/versions/1/ready")).json()).toEqual({
      name: "diabetes",
      ready: true,
    });
  });

  it.each([
    ["flat", golden.rows.slice(0, 2).flat()],
    ["nested", golden.rows.slice(0, 2)],
  ])("infers from %s data", async (_form, data) => {
    const answer = await inject("POST", "/v2/models/diabetes/infer", tensor(data, 2));
    expect(answer.json()).toEqual({
      model_name: "diabetes",
      model_version: "1",
      id: "42",
      outputs: [
        {
          name: "output",
          datatype: "FP32",
          shape: [2, 1],
          data: golden.outputs.slice(0, 2).map((output) => expect.closeTo(output, 5)),
        },
      ],
    });
  });

  it.each([
    ["another model", "/v2/models/cats/infer", tensor(row), 404],
    ["another version", "/v2/models/diabetes/versions/9/infer", tensor(row), 404],
    [
      "another shape",
      "/v2/models/diabetes/infer",
      { inputs: [{ name: "input", shape: [1, 7], datatype: "FP32", data: row }] },
      400,
    ],
    [
      "another type",
      "/v2/models/diabetes/infer",
      { inputs: [{ name: "input", shape: [1, 8], datatype: "BYTES", data: row }] },
      400,
    ],
    ["less data than its shape", "/v2/models/diabetes/infer", tensor(row, 2), 400],
    ["text", "/v2/models/diabetes/infer", tensor([...row.slice(1), "x"]), 400],
    ["more rows than it takes", "/v2/models/diabetes/infer", tensor([row, row, row, row], 4), 413],
  ])("refuses %s in its own form", async (_what, url, body, status) => {
    const answer = await inject("POST", url, body);
    expect(answer.statusCode).toBe(status);
    expect(answer.json()).toEqual({ error: expect.any(String) });
  });
});

describe("jobs", () => {
  it("are refused on a host without a queue", async () => {
    context = contextWith({}, undefined);
    const answer = await inject("POST", "/v1/jobs", { rows: [row] });
    expect(answer.statusCode).toBe(503);
    expect(answer.json().error.code).toBe("QUEUE_ABSENT");
  });
});
