import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { storeOf } from "../../../src/serving/access/store.ts";
import { newToken } from "../../../src/serving/access/tokens.ts";
import { buildFrontend } from "../../../src/serving/frontend/app.ts";
import { localHub } from "../../../src/serving/frontend/processes/hub.ts";
import { Meter } from "../../../src/serving/metrics/meter.ts";
import { modelFolder, readRegistry } from "../../../src/serving/models/registry-file.ts";
import { addModel, fixtureModel, type InProcess, inProcess } from "./in-process.ts";

let host: InProcess;
let app: ReturnType<typeof buildFrontend>;
const deployer = newToken("d", "deploy");
const predictor = newToken("p", "predict");

beforeAll(async () => {
  host = await inProcess(async (modelsDir) => {
    await addModel(modelsDir, "affine", "1", await fixtureModel("affine"));
    await addModel(modelsDir, "affine", "2", await fixtureModel("affine-2"), "known");
    const torn = await addModel(modelsDir, "torn", "1", await fixtureModel("every"), "known");
    await writeFile(join(modelFolder(modelsDir, torn.digest), "model.onnx"), "no model");
  });
  const meter = new Meter();
  const tokens = storeOf([deployer.entry, predictor.entry]);
  app = buildFrontend(host.context, pino({ enabled: false }), {
    access: { tokens, sessionKey: new Uint8Array(32) },
    meter,
    hub: localHub(meter),
  });
});
afterAll(async () => {
  await app.close();
  await host.close();
});

const post = async (url: string, payload: unknown = "", token = deployer.token) => {
  const answer = await app.inject({
    method: "POST",
    url: `/v2/repository/${url}`,
    payload: typeof payload === "string" ? payload : JSON.stringify(payload),
    headers: { authorization: `Bearer ${token}` },
  });
  return { status: answer.statusCode, body: answer.json() };
};
const load = (name: string, parameters?: object) => post(`models/${name}/load`, parameters ? { parameters } : "");
const unload = (name: string, parameters?: object) => post(`models/${name}/unload`, parameters ? { parameters } : "");
const registry = () => readRegistry(host.host.modelsDir);

/** What the versions of affine answer for zeros, by path; undefined where they do not serve. */
async function offsets() {
  const inputs = ["INT32", "INT64", "FP32", "FP64"].map((datatype) => ({
    name: `x_${datatype}`,
    datatype,
    shape: [1, 2],
    data: [0, 0],
  }));
  const ask = async (path: string) => {
    const headers = { authorization: `Bearer ${predictor.token}` };
    const answer = await app.inject({
      method: "POST",
      url: `/v2/models/affine${path}/infer`,
      payload: JSON.stringify({ inputs }),
      headers,
    });
    return answer.statusCode === 404 ? undefined : answer.json().outputs[0].data[0];
  };
  return [await ask(""), await ask("/versions/1"), await ask("/versions/2")];
}

describe("the model repository", () => {
  it("is listed, whole or what serves of it", async () => {
    expect((await post("index")).body).toEqual([
      { name: "affine", version: "1", state: "READY", reason: "" },
      { name: "affine", version: "2", state: "UNAVAILABLE", reason: "unloaded" },
      { name: "torn", version: "1", state: "UNAVAILABLE", reason: "unloaded" },
    ]);
    expect((await post("index", { ready: true }, predictor.token)).body).toMatchObject([
      { name: "affine", version: "1" },
    ]);
  });

  it("loads versions beside the live one, or in its place, and unloads them", async () => {
    expect(await offsets()).toEqual([1, 1, undefined]);
    expect(await load("affine", { version: "2" })).toEqual({ status: 200, body: {} });
    expect(await offsets()).toEqual([1, 1, 2]);
    expect((await load("affine", { version: "2", live: true })).status).toBe(200);
    expect(await offsets()).toEqual([2, undefined, 2]);
    expect((await unload("affine", { unload_dependents: false })).status).toBe(200);
    expect(await offsets()).toEqual([undefined, undefined, undefined]);
    expect((await load("affine")).status).toBe(200); // what was live last
    expect(await offsets()).toEqual([2, undefined, 2]);
    expect((await load("affine", { version: "1" })).status).toBe(200);
    expect((await unload("affine", { version: "1" })).status).toBe(200);
    expect(await offsets()).toEqual([2, undefined, 2]);
  });

  it("stays as it was when what is asked for cannot be loaded, and says why", async () => {
    const before = await registry();
    const answer = await load("torn");
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatch(/torn 1 cannot be loaded: .*model\.onnx/);
    expect(await registry()).toEqual(before);
    expect(await offsets()).toEqual([2, undefined, 2]);
  });

  it("refuses what it does not know, or does not do", async () => {
    const before = await registry();
    for (const name of ["none", "constructor", "__proto__"]) {
      expect((await load(name)).status, name).toBe(404);
      expect((await load(name, { version: "1" })).status, name).toBe(404);
      expect((await unload(name)).status, name).toBe(404);
    }
    expect((await load("affine", { version: "9" })).status).toBe(404);
    for (const parameters of [{ config: "{}" }, { "file:1/model.onnx": "AAAA" }, { version: 2 }, { live: "yes" }]) {
      expect((await load("affine", parameters)).status).toBe(400);
    }
    expect((await post("models/affine/load", "{")).status).toBe(400);
    expect((await post("models/affine/load", { parameters: [] })).status).toBe(400);
    expect((await post("index", { ready: "yes" })).status).toBe(400);
    expect((await post("models/affine/unload", "", predictor.token)).status).toBe(403);
    expect(await registry()).toEqual(before);
  });
});
