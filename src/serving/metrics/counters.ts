import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { z } from "zod";
import { messageOf } from "../../common/errors.ts";
import { namesIn, readTextIfExists, writeFileAtomic } from "../../common/files.ts";
import type { Meter, Reading } from "./meter.ts";
import type { Totals } from "./totals.ts";

/** What became of the predictions that a model was asked for, by the runtime that was asked. */
export interface ModelCount {
  model: string;
  version: string;
  worker: string;
  /** Requests that were answered, and those that were not. */
  ok: number;
  failed: number;
  /** Rows that were answered. */
  rows: number;
  /** From asking to the answer, or the failure, of all requests together. */
  milliseconds: number;
}

const LABELS = ["model", "version", "worker"];
const REQUESTS = "slipway_model_requests_total";
const ROWS = "slipway_model_rows_total";
const TIME = "slipway_model_milliseconds_total";

/** Counts what a runtime answers for a model. */
export interface ModelCounters {
  answered(rows: number, milliseconds: number): void;
  failed(milliseconds: number): void;
}

/** Counters by model and runtime; right under concurrency, since each process counts for itself and one adds up. */
export function modelCountersOf(
  meter: Meter,
): (model: { name: string; version: string }, worker: string) => ModelCounters {
  const requests = meter.counter({
    name: REQUESTS,
    help: "Requests that runtimes answered, or failed to.",
    labels: [...LABELS, "outcome"],
    lasting: true,
  });
  const rows = meter.counter({ name: ROWS, help: "Rows that runtimes answered.", labels: LABELS, lasting: true });
  const times = meter.counter({
    name: TIME,
    help: "Milliseconds from asking to the answer or the failure.",
    labels: LABELS,
    lasting: true,
  });
  return ({ name, version }, worker) => {
    const ok = requests(name, version, worker, "ok");
    const failed = requests(name, version, worker, "failed");
    const answered = rows(name, version, worker);
    const time = times(name, version, worker);
    return {
      answered: (count, milliseconds) => {
        ok.add(1);
        answered.add(count);
        time.add(milliseconds);
      },
      failed: (milliseconds) => {
        failed.add(1);
        time.add(milliseconds);
      },
    };
  };
}

/** The counts of {@link modelCountersOf} among a frontend's figures. */
export function modelCountsIn(readings: readonly Reading[]): ModelCount[] {
  const counts = new Map<string, ModelCount>();
  for (const { family, cells } of readings) {
    if (family.name !== REQUESTS && family.name !== ROWS && family.name !== TIME) continue;
    for (const { labels, value } of cells) {
      const [model = "", version = "", worker = "", outcome] = labels;
      const key = [model, version, worker].join("\0");
      const count = counts.get(key) ?? { model, version, worker, ok: 0, failed: 0, rows: 0, milliseconds: 0 };
      counts.set(key, count);
      const figure =
        family.name === TIME ? "milliseconds" : family.name === ROWS ? "rows" : outcome === "ok" ? "ok" : "failed";
      count[figure] += value as number;
    }
  }
  return [...counts.values()];
}

const PERSIST_MS = 250;
const kept = z.object({
  schemaVersion: z.literal(1),
  readings: z.array(
    z.object({
      family: z.object({
        name: z.string(),
        help: z.string(),
        kind: z.literal("counter"),
        labels: z.array(z.string()),
        lasting: z.literal(true),
      }),
      cells: z.array(z.object({ labels: z.array(z.string()), value: z.number() })),
    }),
  ),
});

/** Of a host's two frontends each has one: while one takes over from the other both count. */
const fileOf = (instance: string) => (instance === "" ? "counters.json" : `counters-${instance}.json`);
const FILES = /^counters(-\w+)?\.json$/;

/** Where lasting counters are kept. */
interface Keeping {
  stateDir: string;
  /** Of the frontend; empty for one that has no other beside it. */
  instance: string;
  log: Pick<Logger, "warn">;
}

/**
 * Lets the lasting counters go on where they were, and keeps them in a file from then on: a quarter of a second after a change, and at
 * `close`. What other instances have in their files is told with them. A killed process loses what it counted since; a broken file is told,
 * and counting begins anew.
 */
export async function persistCounters(
  totals: Totals,
  { stateDir, instance, log }: Keeping,
): Promise<{ close: () => Promise<void> }> {
  const path = join(stateDir, fileOf(instance));
  totals.absorb(await readingsIn(path, log));
  const others = new OtherCounters(stateDir, fileOf(instance), log);
  const look = async () => totals.tellBeside(await others.readings());
  await look();
  let written = JSON.stringify(totals.lasting());
  let problem: string | undefined;
  const write = async () => {
    const readings = totals.lasting();
    const text = JSON.stringify(readings);
    if (text === written) return;
    try {
      await writeFileAtomic(path, JSON.stringify({ schemaVersion: 1, readings }), 0o640);
      written = text;
      problem = undefined;
    } catch (error) {
      if (messageOf(error) !== problem) log.warn({ path, reason: messageOf(error) }, "the counters are not kept");
      problem = messageOf(error);
    }
  };
  let writing = Promise.resolve();
  const timer = setInterval(() => {
    // a folder that cannot be read shows the others as they were
    writing = writing.then(write).then(() => look().catch(() => undefined));
  }, PERSIST_MS).unref();
  return {
    close: async () => {
      clearInterval(timer);
      await writing;
      await write();
    },
  };
}

/** What other instances of a host's frontend have counted, by their files. */
class OtherCounters {
  readonly #stateDir: string;
  readonly #own: string;
  readonly #log: Keeping["log"];
  readonly #known = new Map<string, { changed: number; readings: Reading[] }>();

  constructor(stateDir: string, own: string, log: Keeping["log"]) {
    this.#stateDir = stateDir;
    this.#own = own;
    this.#log = log;
  }

  async readings(): Promise<Reading[]> {
    const names = (await namesIn(this.#stateDir)).filter((name) => FILES.test(name) && name !== this.#own);
    for (const name of names) {
      const path = join(this.#stateDir, name);
      const changed = await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      );
      if (this.#known.get(name)?.changed === changed) continue;
      this.#known.set(name, { changed, readings: await readingsIn(path, this.#log) });
    }
    return names.flatMap((name) => this.#known.get(name)?.readings ?? []);
  }
}

async function readingsIn(path: string, log: Keeping["log"]): Promise<Reading[]> {
  try {
    const text = await readTextIfExists(path);
    return text === undefined ? [] : kept.parse(JSON.parse(text)).readings;
  } catch (error) {
    log.warn({ path, reason: messageOf(error) }, "the counters begin anew");
    return [];
  }
}
