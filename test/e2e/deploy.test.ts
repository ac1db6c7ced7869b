import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../src/common/wait.ts";
import { writeFickleModel } from "./fickle.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { Slipway } from "./slipway.ts";

const skip = await whyNoGuests();
const row = { rows: [[3, 107, 71, 37, 0, 32.1, 0.715, 25]] };

const CLIENTS = 3;

/** The version that answers a question. Rejects where none does. */
async function versionAnswering(url: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await fetch(`${url}/v1/predict`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(row),
    signal: AbortSignal.timeout(10_000),
  });
  const body = (await answer.json()) as { model?: { version: string } };
  if (!answer.ok || body.model === undefined) throw new Error(`${answer.status} ${JSON.stringify(body)}`);
  return body.model.version;
}

/** Clients that ask an endpoint without a pause, and count. */
class Load {
  readonly failures: string[] = [];
  asked = 0;
  /** Answers by the model's version, in the order in which versions came. */
  readonly answered = new Map<string, number>();
  readonly #url: string;
  readonly #clients: Promise<void>[];
  #ended = false;

  constructor(url: string, clients = CLIENTS) {
    this.#url = url;
    this.#clients = Array.from({ length: clients }, () => this.#askAndAsk());
  }

  /** Answers from now on are counted anew. */
  forget(): void {
    this.answered.clear();
  }

  /** Resolves when so many have been answered since the last were forgotten. */
  async answers(count: number): Promise<void> {
    const total = () => [...this.answered.values()].reduce((sum, one) => sum + one, 0);
    await waitFor(`${count} answers`, async () => (total() >= count ? true : undefined), { timeoutMs: 120_000 });
  }

  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#clients);
  }

  async #askAndAsk(): Promise<void> {
    while (!this.#ended) {
      this.asked++;
      try {
        const version = await versionAnswering(this.#url);
        this.answered.set(version, (this.answered.get(version) ?? 0) + 1);
      } catch (error) {
        this.failures.push(String(error instanceof Error && error.cause ? error.cause : error));
      }
    }
  }
}

describe.skipIf(skip !== undefined)(`releases to a real host${skip === undefined ? "" : ` (${skip})`}`, () => {
  let slipway: Slipway;
  let url: string;
  let load: Load;
  const versionFor = (headers: Record<string, string>) => versionAnswering(url, headers);
  const figures = async () => (await (await fetch(`${url}/v1/release/figures`)).json()) as { processes: number };

  beforeAll(async () => {
    slipway = await Slipway.create();
    expect((await slipway.run(["cloud", "start"])).result).toMatchObject({ ok: true, hypervisor: "nspawn" });
    const { result } = await slipway.run(["up", "production"]);
    expect(result).toMatchObject({ ok: true, model: { version: "1" }, release: { sequence: 1 } });
    url = result.url;
    load = new Load(url);
  });
  afterAll(async () => {
    await load?.end();
    expect(await slipway?.remove()).toEqual([]);
  });

  it("`deploy` brings another model into service without a lost request", async () => {
    const { exitCode, result } = await slipway.run(["deploy", "production", "--model", "models/diabetes/development"]);
    expect(result).toMatchObject({ ok: true, changed: true, kind: "deploy", model: { version: "2" } });
    expect(exitCode).toBe(0);
    load.forget(); // what was under way when the command ended may still be the old one's
    const again = await slipway.run(["deploy", "production", "--model", "models/diabetes/development"]);
    expect(again.result).toMatchObject({ ok: true, changed: false, release: result.release });
    expect(load.failures).toEqual([]);
    expect([...load.answered.keys()]).toEqual(["2"]);
  });

  it("a model that answers otherwise on the host than here is refused there, and the old one serves on", async () => {
    const fickle = await writeFickleModel(slipway.projectRoot);
    const refused = await slipway.run(["deploy", "production", "--model", fickle]);
    expect(refused.result.error).toMatchObject({
      code: "E_GATE_FAILED",
      message: expect.stringContaining("inputs: clients of the model that serves would be refused: input "),
    });
    const { exitCode, result } = await slipway.run([
      ...["deploy", "production", "--model", fickle],
      "--allow-new-inputs",
    ]);
    expect(result.error).toMatchObject({ code: "E_GATE_FAILED", hint: expect.stringContaining("version 2") });
    expect(exitCode).toBe(6);
    expect((await slipway.run(["check", "production"])).result).toMatchObject({ ok: true, model: { version: "2" } });
    expect(load.failures).toEqual([]);
  });

  it("`rollback` brings back what served before, and `releases` tells all of it", async () => {
    const { result } = await slipway.run(["rollback", "production"]);
    expect(result).toMatchObject({ ok: true, changed: true, kind: "rollback", model: { version: "1" } });
    const { releases } = (await slipway.run(["releases", "production"])).result;
    expect(releases.map(({ kind, result }: { kind: string; result: string }) => `${kind} ${result}`)).toEqual([
      "up passed",
      "deploy passed",
      "deploy kept",
      "restore passed",
      "rollback passed",
    ]);
    expect(load.failures).toEqual([]);
  });

  it("a canary answers its share, and whoever asks for it or not by the header, until it is promoted", async () => {
    const { result, exitCode } = await slipway.run([
      ...["deploy", "production", "--model", "models/diabetes/development"],
      ...["--canary", "20"],
    ]);
    expect(result.error).toBeUndefined();
    expect(result).toMatchObject({
      ...{ ok: true, kind: "canary", model: { version: "1" } },
      trial: { model: { version: "4" }, mode: "canary", percent: 20 },
    });
    expect(exitCode).toBe(0);
    // exactly, for each process: what is under way at both ends is all that may be missing
    load.forget();
    await load.answers(1000);
    const { answered } = load;
    const all = [...answered.values()].reduce((sum, count) => sum + count, 0);
    expect([...answered.keys()].sort()).toEqual(["1", "4"]);
    const { processes } = await figures();
    expect(Math.abs((answered.get("4") ?? 0) - all / 5)).toBeLessThanOrEqual(processes + 2 * CLIENTS);
    for (const [choice, version] of Object.entries({ always: "4", never: "1" })) {
      const asked = await Promise.all(Array.from({ length: 10 }, () => versionFor({ "x-slipway-canary": choice })));
      expect(new Set(asked)).toEqual(new Set([version]));
    }
    expect((await slipway.run(["status", "production"])).result).toMatchObject({
      release: { trial: { mode: "canary", percent: 20, model: { version: "4" } } },
    });

    expect((await slipway.run(["abort", "production"])).result).toMatchObject({
      ...{ ok: true, kind: "abort", model: { version: "1" }, trial: null },
    });
    load.forget();
    await load.answers(200);
    expect([...load.answered.keys()]).toEqual(["1"]);
    // a trial of the same once more: it is known by its version
    await slipway.run(["deploy", "production", "--model", "models/diabetes/development", "--canary", "0"]);
    expect(await versionFor({ "x-slipway-canary": "always" })).toBe("4");
    expect((await slipway.run(["promote", "production"])).result).toMatchObject({
      ...{ ok: true, kind: "promote", model: { version: "4" }, trial: null },
    });
    load.forget();
    await load.answers(200);
    expect([...load.answered.keys()]).toEqual(["4"]);
    expect(load.failures).toEqual([]);
  });

  it("a shadow answers nobody, and ends with the release where it differs more than the gate allows", async () => {
    const file = join(slipway.projectRoot, "stacks/Pulumi.production.yaml");
    const given = await readFile(file, "utf8");
    const shadow = [
      "deploy",
      "production",
      "--model",
      "models/diabetes/production",
      "--shadow",
      "100",
      "--watch",
      "20",
    ];
    load.forget();
    await writeFile(file, `${given}  slipway:gate: { shadowLargestDifference: 0.000001 }\n`);
    const refused = await slipway.run(shadow);
    expect(refused.result.error).toMatchObject({
      code: "E_GATE_FAILED",
      message: expect.stringMatching(/^step watch: an answer of diabetes 5 is 0\.\d+ from the live version's, at most/),
      hint: expect.stringContaining("version 4"),
    });
    expect(refused.exitCode).toBe(6);

    await writeFile(file, given);
    const { result } = await slipway.run([...shadow.slice(0, -1), "2"]);
    expect(result.error).toBeUndefined();
    expect(result).toMatchObject({
      ...{ ok: true, kind: "shadow", model: { version: "4" }, trial: { mode: "shadow", percent: 100 } },
      gate: { host: { shadowCompared: expect.any(Number), shadowLargestDifference: expect.any(Number) } },
    });
    expect(result.gate.host.shadowCompared).toBeGreaterThan(0);
    expect((await slipway.run(["abort", "production"])).result).toMatchObject({ ok: true, kind: "abort" });
    expect([...load.answered.keys()]).toEqual(["4"]);
    await load.end();
    console.log(`${load.asked} requests during releases and trials, ${load.failures.length} of them failed`);
    expect(load.failures).toEqual([]);
  });

  it("`down` leaves nothing", async () => {
    expect((await slipway.run(["down", "production", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
  });
});
