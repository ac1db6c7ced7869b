import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { deviation } from "../serving/models/golden.ts";

/** What an endpoint must answer to count as healthy. */
export interface Expectation {
  /** Digest of the model that shall serve. */
  digest: string;
  rows: number[][];
  /** Probabilities for `rows`. */
  outputs: number[];
  /** Absolute, and relative for outputs above 1. */
  tolerance: number;
}

/** What a healthy endpoint answered. */
export interface EndpointReport {
  model: { name: string; version: string; digest: string };
  predictions: { probability: number; class: number }[];
  /** Milliseconds of the prediction request. */
  latencyMs: number;
}

const predictAnswer = z.object({
  model: z.object({ name: z.string(), version: z.string(), digest: z.string() }),
  predictions: z.array(z.object({ probability: z.number(), class: z.number() })),
});

/**
 * Asks an endpoint for life, readiness and a real prediction: a TCP connection alone is not health.
 * @param url base URL of the frontend, e.g. `http://172.24.64.10:5100`
 * @throws SlipwayError E_UNHEALTHY saying which of the three failed and what was answered
 */
export async function checkEndpoint(url: string, expected: Expectation, timeoutMs = 10_000): Promise<EndpointReport> {
  const deadline = AbortSignal.timeout(timeoutMs);
  for (const level of ["live", "ready"]) {
    const { status, text } = await ask(`${url}/v2/health/${level}`, deadline);
    if (status !== 200) throw unhealthy(`${url} is not ${level}: it answers ${status} ${text.slice(0, 200)}`);
  }
  const start = performance.now();
  const { status, text } = await ask(`${url}/v1/predict`, deadline, { rows: expected.rows });
  const latencyMs = performance.now() - start;
  const answer = predictAnswer.safeParse(status === 200 ? parsed(text) : undefined);
  if (!answer.success) throw unhealthy(`${url} does not predict: it answers ${status} ${text.slice(0, 200)}`);
  const { model, predictions } = answer.data;
  if (model.digest !== expected.digest) throw unhealthy(`${url} serves model ${model.digest}, not ${expected.digest}`);
  const worst =
    predictions.length === expected.outputs.length ? largestDifference(predictions, expected.outputs) : Infinity;
  if (!(worst <= expected.tolerance)) {
    throw unhealthy(`${url} predicts otherwise than the golden rows: off by ${worst}, allowed ${expected.tolerance}`);
  }
  return { model, predictions, latencyMs };
}

const PAUSE_MS = 250;
/** For one attempt among several: what was dropped on its way to an address that was just attached is not waited for long. */
const ATTEMPT_MS = 3000;

/**
 * {@link checkEndpoint} again and again until the endpoint is healthy: one that was just attached, or whose host just booted, answers late.
 * @throws SlipwayError E_UNHEALTHY, the last one, when the time is over
 */
export async function awaitEndpoint(
  url: string,
  expected: Expectation,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<EndpointReport> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await checkEndpoint(url, expected, Math.min(ATTEMPT_MS, timeoutMs));
    } catch (error) {
      const hopeless = !(error instanceof SlipwayError) || error.code !== "E_UNHEALTHY";
      if (hopeless || performance.now() + PAUSE_MS > deadline) throw error;
    }
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // another server's page; the schema then says no
  }
}

function largestDifference(predictions: { probability: number }[], outputs: number[]): number {
  return Math.max(...predictions.map(({ probability }, row) => deviation(probability, outputs[row] ?? Number.NaN)));
}

async function ask(url: string, signal: AbortSignal, body?: unknown): Promise<{ status: number; text: string }> {
  try {
    const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(url, { signal, ...(body === undefined ? {} : post) });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
    throw unhealthy(`${url} does not answer: ${cause}`, error);
  }
}

function unhealthy(message: string, cause?: unknown): SlipwayError {
  return new SlipwayError("E_UNHEALTHY", message, {
    cause,
    hint: "Run `slipway status` for the hosts' state, `slipway logs` for what they did last.",
  });
}
