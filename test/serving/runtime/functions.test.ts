import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { runtimeSockets } from "../../../src/serving/config.ts";
import { importAnyModel } from "../../../src/serving/models/import-any.ts";
import { Router } from "../../../src/serving/routing/router.ts";
import { jsonElements } from "../../../src/serving/tensors/json.ts";
import { textTensor } from "../../../src/serving/tensors/raw-tensor.ts";
import { exampleModel, type Host, installModel, prepareHost, startServing, type TestProcess } from "../support.ts";

let folder: string;
const running: TestProcess[] = [];
const routers: Router[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-functions-"));
});
afterEach(async () => {
  for (const router of routers.splice(0)) router.close();
  await Promise.all(running.splice(0).map((process) => process.end("SIGKILL")));
});
afterAll(() => rm(folder, { recursive: true }));

/** Two runtimes that serve an example network and this function, and a router to them. */
async function serving(name: string, source: string): Promise<{ host: Host; router: Router; runtimes: TestProcess[] }> {
  const root = join(folder, name);
  await mkdir(join(root, "model"), { recursive: true });
  await writeFile(join(root, "model", "model.mjs"), source);
  const host = await prepareHost(root);
  await installModel(host.modelsDir, await importAnyModel(exampleModel("production")));
  await installModel(host.modelsDir, await importAnyModel(join(root, "model")), "1", "function");
  const runtimes = [0, 1].map((replica) => startServing("runtime", host, replica));
  running.push(...runtimes);
  const router = new Router({ sockets: runtimeSockets(host.config), deadlineMs: 8000, inFlightRows: 1000 });
  routers.push(router);
  await waitFor("both runtimes", async () => (router.runtimes.length === 2 ? true : undefined), { timeoutMs: 20_000 });
  return { host, router, runtimes };
}

async function call(router: Router, ...calls: unknown[]): Promise<unknown[]> {
  const served = router.find("function");
  if (!served) throw new Error("the function does not serve");
  const { outputs } = await router.predict(served, [textTensor(calls.map((one) => JSON.stringify(one)))]);
  return outputs[0] ? jsonElements(outputs[0]).map((text) => JSON.parse(text as string)) : [];
}

/** Writes a line for each call into the file that it is told. */
const counting = (pure: boolean) => `
  import { appendFile } from "node:fs/promises";
  import { setTimeout as sleep } from "node:timers/promises";
  export const pure = ${pure};
  export async function predict({ file, ms }) {
    await appendFile(file, "called\\n");
    await sleep(ms);
    return "done";
  }`;
const callsIn = async (file: string) => (await readFile(file, "utf8").catch(() => "")).split("\n").length - 1;

/** Kills the runtime that was asked, as soon as the function was called. */
async function killWhenCalled(file: string, runtimes: TestProcess[]): Promise<void> {
  await waitFor("the call", async () => ((await callsIn(file)) > 0 ? true : undefined), {
    timeoutMs: 8000,
    intervalMs: 10,
  });
  await runtimes[0]?.end("SIGKILL"); // the first is preferred
}

describe("a function in a runtime", () => {
  it("answers beside a network, its caller's mistakes are rejected, its own fail", async () => {
    const { router } = await serving(
      "beside",
      'export function predict(n) { if (n < 0) throw new Error("below 0"); return n + 1; } export const schema = { properties: { n: { type: "number" } } };',
    );
    expect(router.find()?.model.name).toBe("diabetes");
    expect(router.runtimes[0]?.onnxruntime).toMatch(/^\d+\.\d+/);
    expect(await call(router, { n: 1 }, { n: 2 })).toEqual([2, 3]);
    await expect(call(router, { n: "1" })).rejects.toMatchObject({ reason: "rejected" });
    await expect(call(router, { n: -1 })).rejects.toMatchObject({ reason: "failed", message: "Error: below 0" });
    const many = await Promise.all(Array.from({ length: 200 }, (_, n) => call(router, { n })));
    expect(many.flat()).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
  });

  it("that is pure is asked again when its runtime is killed", async () => {
    const { router, runtimes } = await serving("pure", counting(true));
    const file = join(folder, "pure-calls");
    const answer = call(router, { file, ms: 300 });
    await killWhenCalled(file, runtimes);
    expect(await answer).toEqual(["done"]);
    expect(await callsIn(file)).toBe(2);
  });

  it("that is not pure is called once, and the caller told that it may have run", async () => {
    const { router, runtimes } = await serving("impure", counting(false));
    const file = join(folder, "impure-calls");
    const answer = call(router, { file, ms: 300 });
    answer.catch(() => undefined);
    await killWhenCalled(file, runtimes);
    await expect(answer).rejects.toMatchObject({ reason: "unavailable", mayHaveRun: true });
    expect(await callsIn(file)).toBe(1);
    expect(await call(router, { file, ms: 0 })).toEqual(["done"]);
  });
});
