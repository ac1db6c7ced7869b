import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { storeOf } from "../../../src/serving/access/store.ts";
import { newToken } from "../../../src/serving/access/tokens.ts";
import { buildFrontend, type FrontendPlatform } from "../../../src/serving/frontend/app.ts";
import { meterModels } from "../../../src/serving/frontend/models/model-figures.ts";
import { localHub } from "../../../src/serving/frontend/processes/hub.ts";
import { LOOK_FILE } from "../../../src/serving/frontend/releases/look.ts";
import { versionFiguresIn } from "../../../src/serving/frontend/releases/read-figures.ts";
import { Meter, type Reading } from "../../../src/serving/metrics/meter.ts";
import { Totals, together } from "../../../src/serving/metrics/totals.ts";
import { RuntimeError } from "../../../src/serving/routing/question.ts";
import type { RawTensor } from "../../../src/serving/tensors/raw-tensor.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { prepareSurroundings, type Surroundings } from "./injected.ts";

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await prepareSurroundings();
});
afterAll(() => surroundings.remove());

/** A frontend of a host whose agent has a folder of its own. */
function hostApp(platform?: Partial<FrontendPlatform>, stateDir?: string) {
  const folder = temporaryFolder();
  const releases = { statusFile: join(folder, "releases/current.json"), historyFile: join(folder, "releases.jsonl") };
  const context = surroundings.contextWith({});
  const config = { ...context.config, releases, frontend: { ...context.config.frontend, stateDir } };
  const meter = new Meter();
  const access = { tokens: undefined, sessionKey: new Uint8Array(32) };
  const app = buildFrontend({ ...context, config }, pino({ enabled: false }), {
    access,
    meter,
    hub: localHub(meter),
    ...platform,
  });
  return { app, ...releases };
}

describe("what the agent tells", () => {
  it("is shown as it was written, the newest release first", async () => {
    const { app, statusFile, historyFile } = hostApp();
    const none = await app.inject({ url: "/v1/release" });
    expect(none.statusCode).toBe(404);
    expect(none.json()).toMatchObject({ error: { code: "NO_RELEASE" } });
    expect((await app.inject({ url: "/v1/releases" })).json()).toEqual({ releases: [] });
    mkdirSync(dirname(statusFile), { recursive: true });
    writeFileSync(statusFile, '{"schemaVersion":1,"last":{"sequence":2}}\n');
    writeFileSync(historyFile, '{"sequence":1}\n{"sequence":2}\n');
    const status = await app.inject({ url: "/v1/release" });
    expect(status.headers["content-type"]).toMatch(/^application\/json/);
    expect(status.json()).toMatchObject({ last: { sequence: 2 } });
    expect((await app.inject({ url: "/v1/releases" })).json()).toEqual({
      releases: [{ sequence: 2 }, { sequence: 1 }],
    });
    await app.close();
  });
});

describe("a wake-up of the agent", () => {
  const look = { method: "POST", url: "/v1/release/look" } as const;

  it("writes the file that the agent watches, at most every 200 ms, and never misses one", async () => {
    const stateDir = temporaryFolder();
    const { app } = hostApp({}, stateDir);
    const file = join(stateDir, LOOK_FILE);
    const answers = await Promise.all(Array.from({ length: 20 }, () => app.inject(look)));
    expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([202]));
    const written = () => Date.parse(readFileSync(file, "utf8").trim());
    const first = written();
    const asked = Date.now();
    await app.inject(look);
    expect(statSync(file).mtimeMs).toBeGreaterThanOrEqual(asked - 10);
    expect(written() - first).toBeGreaterThanOrEqual(190);
    await app.close();
  });

  it("needs the role deploy where the host has tokens, and none where it has not", async () => {
    const [deployer, reader] = [newToken("ada", "deploy"), newToken("bob", "predict")];
    const tokens = storeOf([deployer.entry, reader.entry]);
    const { app } = hostApp({ access: { tokens, sessionKey: new Uint8Array(32) } }, temporaryFolder());
    const status = async (token?: string) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      return (await app.inject({ ...look, headers })).statusCode;
    };
    expect([await status(), await status(reader.token), await status(deployer.token)]).toEqual([401, 403, 202]);
    await app.close();
  });

  it("leads nowhere on a host without an agent", async () => {
    const { app } = hostApp();
    expect((await app.inject(look)).json()).toMatchObject({ error: { code: "NO_AGENT" } });
    await app.close();
  });
});

describe("the figures that a release is judged by", () => {
  let readings: (meters: Meter[]) => Promise<Reading[]>;
  beforeEach(() => {
    readings = async (meters) => {
      const totals = new Totals();
      for (const meter of meters) totals.absorb(meter.takeCounts());
      return [...totals.readings(), ...together((await Promise.all(meters.map((one) => one.readGauges()))).flat())];
    };
  });

  it("add up over processes, by version: answers, failures but for the callers' own, times, and who knows of it", async () => {
    const meters = [new Meter(), new Meter()];
    const { model } = surroundings.served;
    const other = { ...surroundings.served, model: { ...model, version: "9" } };
    const failing = { invalid: true, failed: true };
    const contexts = meters.map((meter, at) =>
      meterModels(
        surroundings.contextWith({
          models: [
            { ...surroundings.served, live: true, default: true },
            // the second process has not heard of it yet
            ...(at === 0
              ? [{ ...other, live: false, default: false, trial: { mode: "canary", percent: 5 } as const }]
              : []),
          ],
          predict: async (served, inputs, terms) => {
            const reason = terms?.key as keyof typeof failing | undefined;
            if (reason !== undefined) throw new RuntimeError(reason, "no");
            const outputs = inputs;
            return { outputs, served, timing: { batchRows: 1, queueMicros: 0, computeMicros: 0 } };
          },
        }),
        meter,
      ),
    );
    const input: RawTensor = { datatype: "FP32", shape: [1, 8], bytes: new Uint8Array(32) };
    const ask = (at: number, served = surroundings.served, key?: string) =>
      contexts[at]?.router.predict(served, [input], { key }).catch(() => undefined);
    await Promise.all([ask(0), ask(1), ask(1), ask(1, other), ask(0, other, "invalid"), ask(1, other, "failed")]);
    const { processes, serves, asked } = versionFiguresIn(await readings(meters));
    expect(processes).toBe(2);
    expect(serves).toEqual([
      { ...model, way: "live", processes: 2 },
      { ...other.model, way: "canary 5", processes: 1 },
    ]);
    const of = (version: string) => asked.find((one) => one.version === version);
    expect(of(model.version)).toMatchObject({ answered: 3, failed: 0, refused: 0 });
    expect(of("9")).toMatchObject({ answered: 1, failed: 1, refused: 1 });
    const total = (counts: number[] = []) => counts.reduce((sum, count) => sum + count, 0);
    expect(total(of(model.version)?.latency.counts)).toBe(3);
    expect(total(of("9")?.latency.counts)).toBe(3);
  });
});
