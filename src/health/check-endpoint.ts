import { z } from "zod";
import { messageOf, SlipwayError } from "../common/errors.ts";

/** What an endpoint must answer to count as healthy. */
export interface Expectation {
  /** Digest of the model that shall serve. */
  digest: string;
  rows: number[][];
  /** Probabilities for `rows`. */
  outputs: number[];
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // another server's page; the schema then says no
  }
}

function largestDifference(predictions: { probability: number }[], outputs: number[]): number {
  return Math.max(...predictions.map(({ probability }, row) => Math.abs(probability - (outputs[row] ?? Number.NaN))));
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
    hint: "`slipway status` tells the hosts' state, `slipway logs` what they did last",
  });
}
