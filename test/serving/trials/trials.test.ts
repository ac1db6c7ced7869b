import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import type { Traffic } from "../../../src/guest/release-terms.ts";
import { runtimeSockets } from "../../../src/serving/config.ts";
import { type VersionFigures, versionFigures } from "../../../src/serving/frontend/releases/version-figures.ts";
import * as messages from "../../../src/serving/grpc/messages.ts";
import { deviation } from "../../../src/serving/models/golden.ts";
import { importAnyModel } from "../../../src/serving/models/import-any.ts";
import { setTrial, useAsDefault } from "../../../src/serving/models/registry.ts";
import { updateRegistry } from "../../../src/serving/models/registry-file.ts";
import { Router } from "../../../src/serving/routing/router.ts";
import { floatRows } from "../../../src/serving/tensors/raw-tensor.ts";
import { assemble } from "../../support/assemble.ts";
import { freePort } from "../../support/tcp.ts";
import { addModel } from "../inference/in-process.ts";
import { samplesIn } from "../metrics/prometheus.ts";
import {
  ask,
  exampleModel,
  goldenRows,
  type Host,
  prepareHost,
  startServing,
  type TestProcess,
  untilReady,
} from "../support.ts";

const models = {
  1: await importAnyModel(exampleModel("production")),
  2: await importAnyModel(exampleModel("development")),
};
const golden = { 1: goldenRows(models[1]), 2: goldenRows(models[2]) };
const rows = golden[1].rows;

/** A function whose version 2 has a fault of its own for each thousand of numbers. */
const well = "export function predict(n) { return n + 1; }";
const faults = { failing: 1000, late: 2000, slow: 3000, deadly: 4000 };
const faulty = `
  const answerIn = (ms, n) => new Promise((resolve) => setTimeout(resolve, ms, n + 1));
  export function predict(n) {
    if (n >= ${faults.deadly}) process.kill(process.pid, "SIGKILL");
    if (n >= ${faults.slow}) return answerIn(30, n);
    if (n >= ${faults.late}) return answerIn(2000, n);
    if (n >= ${faults.failing}) throw new Error("broken");
    return n + 1;
  }`;
const functions = { adding: faulty, doing: `export const pure = false; ${faulty}` };

let host: Host;
let grpc: Client;
let router: Router;
let runtimes: TestProcess[];
let end: (() => Promise<void>) | undefined;

beforeAll(async () => {
  ({ end } = await assemble(async (undo) => {
    const folder = await mkdtemp(join(tmpdir(), "slipway-trials-"));
    undo(() => rm(folder, { recursive: true }));
    const port = await freePort();
    host = await prepareHost(folder, { runtimes: [{ name: "default", replicas: 2 }], grpc: { port } });
    const config = {
      ...host.config,
      limits: { deadlineMs: 3000 },
      frontend: { ...host.config.frontend, processes: 1 },
    };
    await writeFile(join(folder, "serving.json"), JSON.stringify(config));
    await addModel(host.modelsDir, "diabetes", "1", models[1]);
    await addModel(host.modelsDir, "diabetes", "2", models[2], "loaded");
    // the same weights once more, under a version of their own
    await addModel(host.modelsDir, "diabetes", "3", models[1], "loaded");
    for (const [name, fault] of Object.entries(functions)) {
      for (const [at, source] of [well, fault].entries()) {
        const file = join(folder, name, `${at}`);
        await mkdir(file, { recursive: true });
        await writeFile(join(file, "model.mjs"), source);
        await addModel(host.modelsDir, name, `${at + 1}`, await importAnyModel(file), at === 0 ? "live" : "loaded");
      }
    }
    await updateRegistry(host.modelsDir, (registry) => useAsDefault(registry, "diabetes"));
    runtimes = [0, 1].map((replica) => startServing("runtime", host, replica));
    const frontend = startServing("frontend", host);
    undo(() => Promise.all([frontend, ...runtimes].map((one) => one.end("SIGKILL"))));
    router = new Router({ sockets: runtimeSockets(host.config), deadlineMs: 3000, inFlightRows: 1000 });
    undo(() => router.close());
    // two processes that load six models each, on a machine that may be busy
    await waitFor("both runtimes", async () => router.runtimes.length === 2 || undefined, { timeoutMs: 60_000 });
    await untilReady(host);
    grpc = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    undo(() => grpc.close());
  }));
});
afterAll(() => end?.());

const get = async (path: string) => (await ask(`${host.url}${path}`)).body;
const figures = async () => versionFigures.parse(await get("/v1/release/figures"));
const page = async (path: string) => (await fetch(`${host.url}${path}`, { headers: { accept: "text/html" } })).text();

/** Has a version tried, or none, and waits until the frontend knows. */
async function tryOut(name: string, version: string, traffic: Traffic | undefined): Promise<void> {
  await updateRegistry(host.modelsDir, (registry) => setTrial(registry, name, traffic && { version, ...traffic }));
  await router.sync();
  const way = traffic ? `${traffic.mode} ${traffic.percent}` : "beside";
  const known = async () =>
    (await figures()).serves.some((one) => one.name === name && one.version === version && one.way === way) ||
    undefined;
  await waitFor(`${name} ${version} as ${way}`, known, { timeoutMs: 10_000, intervalMs: 20 });
}

const conductOf = ({ asked }: VersionFigures, name: string, version: string) =>
  asked.find((one) => one.name === name && one.version === version) ?? { answered: 0, failed: 0 };
const trialOf = ({ trials }: VersionFigures, name: string, version = "2") =>
  trials.find((one) => one.name === name && one.version === version);

interface Answered {
  model: { version: string };
  predictions: { probability: number }[];
}

const predict = async (body: unknown, headers: Record<string, string> = {}) => {
  const answer = await ask(`${host.url}/v1/predict`, body, headers);
  return { status: answer.status, ...(answer.body as unknown as Answered & { error?: { code: string } }) };
};
/** A function's answer, and the version that gave it. */
const call = async (name: string, n: number, headers: Record<string, string> = {}) => {
  const answer = await ask(`${host.url}/v1/AI_model/predict`, { modelId: name, data: { n } }, headers);
  return { status: answer.status, version: answer.headers.get("slipway-model")?.split(/[/@]/)[1], body: answer.body };
};

function callGrpc(question: object, canary?: string): Promise<{ modelVersion: string }> {
  const metadata = new Metadata();
  if (canary !== undefined) metadata.set("x-slipway-canary", canary);
  const same = (bytes: Buffer) => bytes;
  const bytes = messages.inferQuestion.encode(question);
  return new Promise((resolve, reject) => {
    const path = "/inference.GRPCInferenceService/ModelInfer";
    grpc.makeUnaryRequest(path, same, same, bytes, metadata, {}, (error, answer) =>
      error ? reject(error) : resolve(messages.inferAnswer.decode(new Uint8Array(answer as Buffer))),
    );
  });
}

const input = floatRows(Float32Array.from(rows[0] ?? []), 1);
const tensor = { name: models[1].card.inputs[0]?.name ?? "", shape: [1, 8], datatype: "FP32" };
const csv = `${rows.map((row) => row.join(",")).join("\n")}\n`;

/** The version that answers one request, by each way in. */
const waysIn: Record<string, (headers: Record<string, string>) => Promise<string>> = {
  "JSON rows": async (headers) => (await predict({ rows }, headers)).model.version,
  "a table": async (headers) => {
    const answer = await fetch(`${host.url}/v1/predict`, {
      method: "POST",
      body: csv,
      headers: { "content-type": "text/csv", ...headers },
    });
    await answer.text();
    return answer.headers.get("slipway-model")?.split(/[/@]/)[1] ?? "";
  },
  "a table as a form's file": async (headers) => {
    const body = new FormData();
    body.set("file", new Blob([csv]), "rows.csv");
    const answer = await fetch(`${host.url}/v1/predict`, { method: "POST", body, headers });
    await answer.text();
    return answer.headers.get("slipway-model")?.split(/[/@]/)[1] ?? "";
  },
  "the form": async (headers) => {
    const body = new URLSearchParams((rows[0] ?? []).map((value): [string, string] => ["value", `${value}`]));
    const answer = await fetch(`${host.url}/predict`, { method: "POST", body, headers });
    return /version (\d)/.exec(await answer.text())?.[1] ?? "";
  },
  "v2 JSON": async (headers) => {
    const question = { inputs: [{ ...tensor, data: rows[0] }] };
    return `${(await ask(`${host.url}/v2/models/diabetes/infer`, question, headers)).body.model_version}`;
  },
  "v2 bytes": async (headers) => {
    const json = JSON.stringify({ inputs: [{ ...tensor, parameters: { binary_data_size: input.bytes.length } }] });
    const answer = await fetch(`${host.url}/v2/models/diabetes/infer`, {
      method: "POST",
      body: Buffer.concat([Buffer.from(json), input.bytes]),
      headers: { "inference-header-content-length": `${json.length}`, ...headers },
    });
    return ((await answer.json()) as { model_version: string }).model_version;
  },
  gRPC: async (headers) => {
    const question = { modelName: "diabetes", inputs: [tensor], rawInputContents: [input.bytes] };
    return (await callGrpc(question, headers["x-slipway-canary"])).modelVersion;
  },
  "the source system's route": async (headers) => {
    const answer = await ask(`${host.url}/v1/AI_model/predict`, { modelId: "diabetes", data: { rows } }, headers);
    expect(answer.headers.get("slipway-model")).toContain("diabetes/");
    return (answer.body as unknown as Answered).model.version;
  },
};

describe("a canary", () => {
  beforeEach(() => tryOut("diabetes", "2", { mode: "canary", percent: 50 }));

  it.each(Object.entries(waysIn))(
    "answers by %s every second time, and as a request says it",
    async (_way, versionOf) => {
      const forced = async (canary: string) => versionOf({ "x-slipway-canary": canary });
      expect([await forced("always"), await forced("always"), await forced("never"), await forced("never")]).toEqual([
        "2",
        "2",
        "1",
        "1",
      ]);
      const two = [await versionOf({}), await versionOf({})].sort();
      expect(two).toEqual(["1", "2"]);
    },
  );

  it("gives its own answers, the live version its own", async () => {
    for (const [canary, version] of [
      ["never", 1],
      ["always", 2],
    ] as const) {
      const { rows, outputs } = golden[version];
      const answer = await predict({ rows }, { "x-slipway-canary": canary });
      expect(answer.model.version).toBe(`${version}`);
      for (const [at, { probability }] of answer.predictions.entries()) {
        expect(deviation(probability, outputs[at] ?? Number.NaN)).toBeLessThan(1e-5);
      }
    }
  });

  it("is no matter for who names a version, and none for a job's checks of the live one", async () => {
    const question = { inputs: [{ ...tensor, data: rows[0] }] };
    const always = { "x-slipway-canary": "always" };
    const named = await ask(`${host.url}/v2/models/diabetes/versions/1/infer`, question, always);
    expect(named.body.model_version).toBe("1");
    const byGrpc = { modelName: "diabetes", modelVersion: "1", inputs: [tensor], rawInputContents: [input.bytes] };
    expect((await callGrpc(byGrpc, "always")).modelVersion).toBe("1");
    expect((await get("/accuracy")).model).toMatchObject({ version: "1" });
  });

  it("answers exactly its share of many requests at a time", async () => {
    await tryOut("diabetes", "2", { mode: "canary", percent: 7 });
    const answers = await Promise.all(Array.from({ length: 400 }, () => predict({ rows: [rows[0]] })));
    expect(answers.filter(({ model }) => model.version === "2").length).toBe(28);
    await tryOut("diabetes", "2", { mode: "canary", percent: 0 });
    const none = await Promise.all(Array.from({ length: 50 }, () => predict({ rows: [rows[0]] })));
    expect(new Set(none.map(({ model }) => model.version))).toEqual(new Set(["1"]));
    expect((await predict({ rows: [rows[0]] }, { "x-slipway-canary": "always" })).model.version).toBe("2");
  });

  it("answers the whole of a long table, or none of it", async () => {
    const long = csv.repeat(Math.ceil(3000 / rows.length));
    const count = long.split("\n").length - 1;
    const answers = await Promise.all(
      [1, 2].map(async () => {
        const answer = await fetch(`${host.url}/v1/predict`, {
          method: "POST",
          body: long,
          headers: { "content-type": "text/csv" },
        });
        const lines = (await answer.text()).trimEnd().split("\n").slice(1);
        return { model: answer.headers.get("slipway-model") ?? "", lines };
      }),
    );
    const [one, other] = answers.sort((a, b) => (a.model < b.model ? -1 : 1));
    expect([one?.model, other?.model].map((model) => model?.split(/[/@]/)[1])).toEqual(["1", "2"]);
    for (const { lines } of answers) {
      expect(lines.length).toBe(count);
      // the same row has the same answer, from the first chunk to the last
      expect(new Set(lines.filter((_, at) => at % rows.length === 0)).size).toBe(1);
    }
    expect(one?.lines[0]).not.toBe(other?.lines[0]);
  });

  it("refuses a header that says something else, however it is written", async () => {
    const text = fc
      .string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)) })
      .filter((value) => value !== "always" && value !== "never");
    const question = { modelName: "diabetes", inputs: [tensor], rawInputContents: [input.bytes] };
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(text, fc.constantFrom("Always", "always, never", "always,always", "1")),
        async (value) => {
          const answer = await predict({ rows: [rows[0]] }, { "x-slipway-canary": value });
          expect([answer.status, answer.error?.code]).toEqual([400, "CANARY_INVALID"]);
          const error = await callGrpc(question, value).catch((reason: ServiceError) => reason);
          expect(error).toMatchObject({ code: status.INVALID_ARGUMENT });
        },
      ),
      { numRuns: 30 },
    );
    expect((await predict({ rows: [rows[0]] }, { "x-slipway-canary": "never" })).status).toBe(200);
  });

  it("is shown with its figures on the model's card, on /live, and to programs", async () => {
    expect(await page("/model")).toMatch(/On trial beside it[\s\S]*Version 2 answers 50 %/);
    expect(await page("/live")).toContain("version 2, answers 50 %");
    const { models: listed } = (await get("/v1/models")) as {
      models: { name: string; version: string; trial?: object }[];
    };
    expect(listed.filter(({ trial }) => trial).map(({ version, trial }) => [version, trial])).toEqual([
      ["2", { mode: "canary", percent: 50 }],
    ]);
  });
});

describe("a canary that does not answer", () => {
  it.each(["failing", "late"] as const)("costs no request where it only answers: %s", async (fault) => {
    await tryOut("adding", "2", { mode: "canary", percent: 100 });
    const before = await figures();
    const numbers = fault === "late" ? [faults.late] : [1, 2, 3].map((n) => faults.failing + n);
    const answers = await Promise.all(numbers.map((n) => call("adding", n)));
    expect(answers).toEqual(numbers.map((n) => ({ status: 200, version: "1", body: n + 1 })));
    const after = await figures();
    const failures = (seen: VersionFigures) => conductOf(seen, "adding", "2").failed;
    expect(failures(after) - failures(before)).toBe(numbers.length);
    const reasked = (seen: VersionFigures) => trialOf(seen, "adding")?.reasked ?? 0;
    expect(reasked(after) - reasked(before)).toBe(numbers.length);
    expect(conductOf(after, "adding", "1")).toMatchObject({ failed: 0 });
    await tryOut("adding", "2", undefined);
  });

  it("is not made up for where it may have done something", async () => {
    await tryOut("doing", "2", { mode: "canary", percent: 100 });
    expect(await call("doing", 1)).toMatchObject({ status: 200, version: "2" });
    expect((await call("doing", faults.failing)).status).toBe(500);
    expect((await call("doing", faults.failing, { "x-slipway-canary": "never" })).status).toBe(200);
    await tryOut("doing", "2", undefined);
  });
});

describe("a shadow", () => {
  it("is asked what the live version answered, and compared with it, without a trace in callers' figures", async () => {
    await tryOut("diabetes", "2", { mode: "shadow", percent: 50 });
    const callersRows = async () => {
      const samples = samplesIn(await (await fetch(`${host.url}/metrics`)).text());
      return samples("slipway_predict_rows_sum")[0]?.value ?? 0;
    };
    const before = await callersRows();
    const answers = await Promise.all(rows.flatMap((row) => [1, 2].map(() => predict({ rows: [row] }))));
    expect(new Set(answers.map(({ model }) => model.version))).toEqual(new Set(["1"]));
    const asked = async () => {
      const { shadow } = trialOf(await figures(), "diabetes") ?? {};
      return shadow?.asked === rows.length ? shadow : undefined;
    };
    const shadow = await waitFor("the copies", asked, { timeoutMs: 10_000, intervalMs: 20 });
    expect(shadow).toMatchObject({ failed: 0, dropped: 0 });
    expect((await callersRows()) - before).toBe(2 * rows.length);
    expect(shadow.latency.counts.reduce((sum, count) => sum + count, 0)).toBe(rows.length);
    // what both versions say when they are asked by their names
    const outputs = await Promise.all(
      ["1", "2"].map(async (version) => {
        const question = { inputs: [{ ...tensor, shape: [rows.length, 8], data: rows }] };
        const { body } = await ask(`${host.url}/v2/models/diabetes/versions/${version}/infer`, question);
        return (body.outputs as { data: number[] }[])[0]?.data ?? [];
      }),
    );
    const far = rows.map((_, at) => deviation(outputs[1]?.[at] ?? 0, outputs[0]?.[at] ?? 0));
    expect(shadow.differing).toBeGreaterThan(0);
    expect(far.some((distance) => Math.abs(distance - (shadow.largestDifference ?? -1)) < 1e-5)).toBe(true);
    expect(shadow.largestDifference).toBeLessThan(Math.max(...far) + 1e-5);
    const samples = samplesIn(await (await fetch(`${host.url}/metrics`)).text());
    const copies = samples("slipway_shadow_requests_total").filter(({ labels }) => labels.version === "2");
    expect(copies.reduce((sum, { value }) => sum + value, 0)).toBe(rows.length);
    expect(await page("/model")).toMatch(/gets copies of 50 %: \d+ asked, \d+ answered otherwise/);
  });

  it("of the same weights answers the same", async () => {
    await tryOut("diabetes", "3", { mode: "shadow", percent: 100 });
    await Promise.all(rows.map((row) => predict({ rows: [row] })));
    const same = async () => {
      const { shadow } = trialOf(await figures(), "diabetes", "3") ?? {};
      return shadow?.asked === rows.length ? shadow : undefined;
    };
    const shadow = await waitFor("the copies", same, { timeoutMs: 10_000, intervalMs: 20 });
    expect(shadow.differing).toBe(0);
    expect(shadow.largestDifference).toBeLessThan(1e-5);
    await tryOut("diabetes", "3", undefined);
  });

  it("that fails or is too slow is told so, and no caller waits for it or hears of it", async () => {
    await tryOut("adding", "2", { mode: "shadow", percent: 100 });
    const seen = async () =>
      trialOf(await figures(), "adding")?.shadow ?? { asked: 0, dropped: 0, failed: 0, differing: 0 };
    for (const fault of ["failing", "slow"] as const) {
      const before = await seen();
      const numbers = Array.from({ length: 100 }, (_, at) => faults[fault] + at);
      const answers = await Promise.all(numbers.map((n) => call("adding", n)));
      expect(answers).toEqual(numbers.map((n) => ({ status: 200, version: "1", body: n + 1 })));
      const after = await waitFor(
        "the copies",
        async () => {
          const { asked, dropped, failed, differing } = await seen();
          if (asked + dropped - before.asked - before.dropped < 100) return undefined;
          return {
            asked: asked - before.asked,
            failed: failed - before.failed,
            differing: differing - before.differing,
          };
        },
        { timeoutMs: 60_000, intervalMs: 50 },
      );
      expect(after.asked).toBeGreaterThan(0);
      expect(after).toMatchObject({ failed: fault === "failing" ? after.asked : 0, differing: 0 });
      // one at a time takes 30 ms: they cannot all have been asked while the callers were answered
      if (fault === "slow") expect(after.asked).toBeLessThan(100);
    }
    await tryOut("adding", "2", undefined);
  });

  it("is not made of a function that does something", async () => {
    await tryOut("doing", "2", { mode: "shadow", percent: 100 });
    expect((await call("doing", 1)).version).toBe("1");
    const { models: listed } = (await get("/v1/models")) as {
      models: { name: string; trial?: { problem?: string } }[];
    };
    const problem = listed.find(({ name, trial }) => name === "doing" && trial)?.trial?.problem;
    expect(problem).toContain("does something besides answering");
    expect(trialOf(await figures(), "doing")).toBeUndefined();
    await tryOut("doing", "2", undefined);
  });
});

// the last one: it takes a runtime
describe("a canary that takes its runtime down", () => {
  it("takes one, and the live version answers by the other", async () => {
    await tryOut("adding", "2", { mode: "canary", percent: 100 });
    const n = faults.deadly;
    expect(await call("adding", n)).toEqual({ status: 200, version: "1", body: n + 1 });
    await waitFor("its end", async () => (router.runtimes.length === 1 ? true : undefined), { timeoutMs: 10_000 });
    expect((await predict({ rows })).status).toBe(200);
  });
});
