import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { bearer } from "../common/bearer.ts";
import { causeOf, SlipwayError } from "../common/errors.ts";
import { liveVersionOnly } from "../serving/canary-header.ts";
import { differenceOf, elementsIn, type Probe } from "../serving/models/probe.ts";

/** What an endpoint must answer to count as healthy. */
export interface Expectation extends Probe {
  /** Digest of the model that shall serve. */
  digest: string;
}

/** What a healthy endpoint answered. */
export interface EndpointReport {
  model: { name: string; version: string; digest: string };
  /** Row by row the predictions, or tensor by tensor the outputs, as they came. */
  prediction: unknown[];
  /** Milliseconds of the prediction request. */
  latencyMs: number;
}

/** How an endpoint is asked. */
interface AskOptions {
  /** For all questions together. */
  timeoutMs?: number;
  /** Undefined where the endpoint demands none. */
  token?: string | undefined;
  /** Of the hosts that must answer, as in `g2`; left out: whichever. */
  generation?: string | undefined;
}

const versionAnswer = z.object({
  generation: z.string().optional(),
  model: z.object({ name: z.string(), version: z.string(), digest: z.string() }),
});
const predictAnswer = z.union([
  z.object({ predictions: z.array(z.unknown()) }).transform(({ predictions }) => predictions),
  z.object({ outputs: z.array(z.unknown()) }).transform(({ outputs }) => outputs),
]);

/**
 * Asks an endpoint for life, readiness and a real prediction: a TCP connection alone is not health.
 * @param url base URL of the frontend, e.g. `http://172.24.64.10:5100`
 * @throws SlipwayError E_UNHEALTHY saying which of the three failed and what was answered
 */
export async function checkEndpoint(
  url: string,
  expected: Expectation,
  { timeoutMs = 10_000, token, generation }: AskOptions = {},
): Promise<EndpointReport> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const ask = askingAs(token);
  for (const level of ["live", "ready"]) {
    const { status, text } = await ask(`${url}/v2/health/${level}`, deadline);
    if (status !== 200) throw unhealthy(`${url} is not ${level}: it answers ${status} ${text.slice(0, 200)}`);
  }
  const version = await ask(`${url}/version`, deadline);
  const served = versionAnswer.safeParse(parsed(version.text));
  if (!served.success)
    throw unhealthy(`${url} does not say what it serves: ${version.status} ${version.text.slice(0, 200)}`);
  const { model } = served.data;
  if (generation !== undefined && served.data.generation !== generation)
    throw unhealthy(`${url} leads to the hosts of ${served.data.generation}, not of ${generation}`);
  if (model.digest !== expected.digest) throw unhealthy(`${url} serves model ${model.digest}, not ${expected.digest}`);
  const start = performance.now();
  const { status, text } = await ask(`${url}${expected.path}`, deadline, expected.body);
  const latencyMs = performance.now() - start;
  const answer = status === 200 ? parsed(text) : undefined;
  const elements = elementsIn(answer);
  if (elements === undefined) throw unhealthy(`${url} does not predict: it answers ${status} ${text.slice(0, 200)}`);
  const difference = differenceOf(expected, elements);
  if (difference !== undefined) throw unhealthy(`${url} predicts otherwise than the golden rows: ${difference}`);
  return { model, prediction: predictAnswer.parse(answer), latencyMs };
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
  { timeoutMs, signal, ...ask }: AskOptions & { timeoutMs: number; signal: AbortSignal },
): Promise<EndpointReport> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await checkEndpoint(url, expected, { ...ask, timeoutMs: Math.min(ATTEMPT_MS, timeoutMs) });
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

function askingAs(token: string | undefined) {
  const credentials = bearer(token);
  // each on a connection of its own: those from before a floating IP moved lead to where it led
  const alone = { connection: "close" };
  return async (url: string, signal: AbortSignal, body?: unknown): Promise<{ status: number; text: string }> => {
    try {
      const answer = await fetch(url, {
        signal,
        headers: {
          ...alone,
          ...credentials,
          ...(body === undefined ? {} : { ...liveVersionOnly, "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      });
      return { status: answer.status, text: await answer.text() };
    } catch (error) {
      const cause = causeOf(error);
      throw unhealthy(`${url} does not answer: ${cause}`, error);
    }
  };
}

function unhealthy(message: string, cause?: unknown): SlipwayError {
  return new SlipwayError("E_UNHEALTHY", message, {
    cause,
    hint: "Run `slipway status` for the hosts' state, `slipway logs` for what they did last.",
  });
}
