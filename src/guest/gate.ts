import { networkInterfaces } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { deviation, GOLDEN_TOLERANCE } from "../serving/models/golden.ts";
import { causeOf } from "./source.ts";

const REQUEST_TIMEOUT_MS = 15_000;
const PAUSE_MS = 50;
/** Between two looks at whether the services stay up. */
const LOOK_MS = 500;

/** What a release must show on the host itself before it is good. */
export interface Expectation {
  /** Digest of the payload. */
  payload: string;
  /** Digest of the model. */
  model: string;
  golden: { rows: number[][]; probabilities: number[] };
  /** Whether the golden rows must come back through the job queue as well. */
  jobs: boolean;
}

/** How long the gate waits for what is still starting. */
export interface GateOptions {
  timeoutMs: number;
  /** Asked while waiting; what it tells of a service that does not stay up ends the wait. */
  collapsed: () => Promise<string | undefined>;
}

const versionAnswer = z.object({ payload: z.string(), model: z.object({ digest: z.string() }) });
const predictAnswer = z.object({ predictions: z.array(z.object({ probability: z.number() })) });
const jobAnswer = z.object({
  id: z.string(),
  state: z.string(),
  result: predictAnswer.optional(),
  reason: z.string().optional(),
});

/** Base URL of this host's frontend on its first address that others can reach. */
export function frontendUrl(port: number): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const own = addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
  if (own === undefined) throw new Error("the host has no IPv4 address");
  return `http://${own}:${port}`;
}

/**
 * Waits until the frontend is ready, then compares its digests and its predictions for the golden rows with what is expected.
 * @returns the served probabilities of the golden rows
 */
export async function passGate(url: string, expected: Expectation, options: GateOptions): Promise<number[]> {
  const { payload, model, golden, jobs } = expected;
  await eventually("the frontend to be ready", options, () => ask(`${url}/v2/health/ready`));
  const version = versionAnswer.parse(await ask(`${url}/version`));
  if (version.payload !== payload) throw new Error(`payload ${version.payload} runs, not ${payload}`);
  if (version.model.digest !== model) throw new Error(`model ${version.model.digest} serves, not ${model}`);
  const outputs = probabilities(predictAnswer.parse(await ask(`${url}/v1/predict`, { rows: golden.rows })));
  compare(outputs, golden.probabilities);
  if (jobs) compare(await outputsOfJob(url, golden.rows, options), golden.probabilities);
  return outputs;
}

/** Throws where a served probability is not the golden one. */
function compare(outputs: number[], golden: number[]): void {
  if (outputs.length !== golden.length) {
    throw new Error(`${outputs.length} predictions for ${golden.length} golden rows`);
  }
  golden.forEach((value, row) => {
    const served = outputs[row] ?? Number.NaN;
    if (!(deviation(served, value) <= GOLDEN_TOLERANCE)) {
      throw new Error(`golden row ${row + 1}: ${served} is served, ${value} expected`);
    }
  });
}

async function outputsOfJob(url: string, rows: number[][], options: GateOptions): Promise<number[]> {
  const { id } = await eventually("the queue to take a job", options, async () =>
    jobAnswer.parse(await ask(`${url}/v1/jobs`, { rows })),
  );
  const job = await eventually("the worker to finish a job", options, async () => {
    const report = jobAnswer.parse(await ask(`${url}/v1/jobs/${id}`));
    if (report.state !== "completed" && report.state !== "failed") throw new Error(`the job is ${report.state}`);
    return report;
  });
  if (job.result === undefined) throw new Error(`the worker failed a job: ${job.reason ?? "no reason given"}`);
  return probabilities(job.result);
}

function probabilities({ predictions }: z.infer<typeof predictAnswer>): number[] {
  return predictions.map(({ probability }) => probability);
}

/** What `act` returns once it does not throw any more. */
async function eventually<T>(what: string, { timeoutMs, collapsed }: GateOptions, act: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let look = performance.now() + LOOK_MS;
  for (;;) {
    let last: string;
    try {
      return await act();
    } catch (error) {
      last = causeOf(error);
    }
    if (performance.now() > look) {
      const reason = await collapsed();
      if (reason !== undefined) throw new Error(reason);
      look = performance.now() + LOOK_MS;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${Math.round(timeoutMs / 1000)} s for ${what}: ${last}`);
    }
    await sleep(PAUSE_MS);
  }
}

/** The JSON that a GET, or with `body` a POST, answers. */
async function ask(url: string, body?: unknown): Promise<unknown> {
  const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(url, {
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    ...(body === undefined ? {} : post),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}: ${text.slice(0, 300)}`);
  return JSON.parse(text);
}
