import { networkInterfaces } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { GOLDEN_TOLERANCE, type Golden } from "../serving/models/golden.ts";
import { causeOf } from "./source.ts";

const REQUEST_TIMEOUT_MS = 5000;
const PAUSE_MS = 50;

/** What a release must show on the host itself before it is good. */
export interface Expectation {
  payload: string;
  /** Digest of the model. */
  model: string;
  golden: Pick<Golden, "rows" | "outputs">;
}

const versionAnswer = z.object({ payload: z.string(), model: z.object({ digest: z.string() }) });
const predictAnswer = z.object({ predictions: z.array(z.object({ probability: z.number() })) });

/** Base URL of this host's frontend on its first address that others can reach. */
export function frontendUrl(port: number): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const own = addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
  if (own === undefined) throw new Error("the host has no IPv4 address");
  return `http://${own}:${port}`;
}

/**
 * Waits until the frontend is ready, then compares its digests and its predictions for the golden rows with what is expected.
 * @param collapsed asked while waiting; the name of a service that does not stay up ends the wait
 * @returns the served probabilities of the golden rows
 */
export async function passGate(
  url: string,
  expected: Expectation,
  collapsed: () => Promise<string | undefined>,
  timeoutMs: number,
): Promise<number[]> {
  await ready(url, collapsed, timeoutMs);
  const version = versionAnswer.parse(await ask(`${url}/version`));
  if (version.payload !== expected.payload) throw new Error(`payload ${version.payload} runs, not ${expected.payload}`);
  if (version.model.digest !== expected.model)
    throw new Error(`model ${version.model.digest} serves, not ${expected.model}`);
  const { predictions } = predictAnswer.parse(await ask(`${url}/v1/predict`, { rows: expected.golden.rows }));
  const outputs = predictions.map(({ probability }) => probability);
  compare(outputs, expected.golden.outputs);
  return outputs;
}

/** Throws where a served probability is not the golden one. */
export function compare(outputs: number[], golden: number[]): void {
  if (outputs.length !== golden.length)
    throw new Error(`${outputs.length} predictions for ${golden.length} golden rows`);
  golden.forEach((value, row) => {
    const served = outputs[row] ?? Number.NaN;
    if (!(Math.abs(served - value) <= GOLDEN_TOLERANCE)) {
      throw new Error(`golden row ${row + 1}: ${served} is served, ${value} expected`);
    }
  });
}

async function ready(url: string, collapsed: () => Promise<string | undefined>, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let looks = 0; ; looks++) {
    let last: string;
    try {
      await ask(`${url}/v2/health/ready`);
      return;
    } catch (error) {
      last = causeOf(error);
    }
    if (looks % 10 === 9) {
      const reason = await collapsed();
      if (reason !== undefined) throw new Error(reason);
    }
    if (performance.now() > deadline) {
      throw new Error(`the frontend is not ready after ${Math.round(timeoutMs / 1000)} s: ${last}`);
    }
    await sleep(PAUSE_MS);
  }
}

/** The JSON that a GET, or with `body` a POST, answers with status 200; undefined for an empty one. */
async function ask(url: string, body?: unknown): Promise<unknown> {
  const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(url, {
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    ...(body === undefined ? {} : post),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${url} answers ${answer.status}: ${text.slice(0, 300)}`);
  return text === "" ? undefined : JSON.parse(text);
}
