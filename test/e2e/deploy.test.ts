import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { Slipway } from "./slipway.ts";

const skip = await whyNoGuests();
const row = { rows: [[3, 107, 71, 37, 0, 32.1, 0.715, 25]] };

/** A function that is another one on the stack's host than here. */
const FICKLE = `import { hostname } from "node:os";
export function fickle(n: number): number { return hostname().startsWith("server-g") ? n + 1 : n; }
export const schema = {
  arguments: { type: "object", properties: { n: { type: "integer" } }, required: ["n"], additionalProperties: false },
  result: { type: "integer" },
};
export const golden = [{ arguments: { n: 1 }, result: 1 }];
`;

/** Clients that ask an endpoint without a pause, and count. */
class Load {
  readonly failures: string[] = [];
  /** Answers by the model's version, in the order in which versions came. */
  readonly answered = new Map<string, number>();
  readonly #url: string;
  readonly #clients: Promise<void>[];
  #ended = false;

  constructor(url: string, clients = 3) {
    this.#url = url;
    this.#clients = Array.from({ length: clients }, () => this.#askAndAsk());
  }

  /** Answers from now on are counted anew. */
  forget(): void {
    this.answered.clear();
  }

  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#clients);
  }

  async #askAndAsk(): Promise<void> {
    while (!this.#ended) {
      try {
        const answer = await fetch(`${this.#url}/v1/predict`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(row),
          signal: AbortSignal.timeout(10_000),
        });
        const body = (await answer.json()) as { model?: { version: string } };
        if (!answer.ok || body.model === undefined) throw new Error(`${answer.status} ${JSON.stringify(body)}`);
        this.answered.set(body.model.version, (this.answered.get(body.model.version) ?? 0) + 1);
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
    const fickle = join(slipway.projectRoot, "models/fickle.ts");
    await writeFile(fickle, FICKLE);
    const { exitCode, result } = await slipway.run(["deploy", "production", "--model", fickle]);
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
    await load.end();
    expect(load.failures).toEqual([]);
  });

  it("`down` leaves nothing", async () => {
    expect((await slipway.run(["down", "production", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
  });
});
