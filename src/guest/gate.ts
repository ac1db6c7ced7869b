import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { causeOf } from "../common/errors.ts";
import { ownAddress } from "../common/own-address.ts";
import { differenceOf, elementsIn, type Probe } from "../serving/models/probe.ts";
import { type Ask, answerOf, askingAs } from "./asking.ts";

const PAUSE_MS = 50;
/** Between two looks at whether the services stay up. */
const LOOK_MS = 500;
/** A verdict names no more: it is a line on the console. */
const MOST_OUTPUTS = 64;

/** What was waited for did not come in time: neither well nor amiss. */
export class StillWaiting extends Error {}

/** What a release must show on the host itself before it is good. */
export interface Expectation {
  /** Digest of the payload. */
  payload: string;
  /** Digest of the model. */
  model: string;
  probe: Probe;
  /** Whether the same rows must come back through the job queue as well; only for a model that takes rows. */
  jobs: boolean;
  /** With which the host's own frontend is asked; undefined where it demands none. */
  token: string | undefined;
}

/** How long the gate waits for what is still starting. */
export interface GateOptions {
  timeoutMs: number;
  /** Asked while waiting; what it tells of a service that does not stay up, or of a model that does not load, ends the wait. */
  hopeless: () => Promise<string | undefined>;
  /** Path of the unix socket where a frontend is asked that is held back; without it the URL is. */
  socket?: string;
}

const versionAnswer = z.object({ payload: z.string(), model: z.object({ digest: z.string() }) });
const jobAnswer = z.object({
  id: z.string(),
  state: z.string(),
  result: z.unknown().optional(),
  reason: z.string().optional(),
});

/** Base URL of this host's frontend on its first address that others can reach. */
export function frontendUrl(port: number): string {
  const own = ownAddress();
  if (own === undefined) throw new Error("the host has no IPv4 address");
  return `http://${own}:${port}`;
}

/**
 * Waits until the frontend is ready, then compares its digests and its answer to the golden question with what is expected.
 * @returns the numbers that were served
 */
export async function passGate(url: string, expected: Expectation, options: GateOptions): Promise<number[]> {
  const { payload, model, probe, jobs, token } = expected;
  const ask = askingAs(token, options.socket);
  await eventually("the frontend to be ready", options, () => ask(`${url}/v2/health/ready`));
  if (token !== undefined) await requireRefusal(`${url}/version`, options.socket);
  const version = versionAnswer.parse(await ask(`${url}/version`));
  if (version.payload !== payload) throw new Error(`payload ${version.payload} runs, not ${payload}`);
  if (version.model.digest !== model) throw new Error(`model ${version.model.digest} serves, not ${model}`);
  const answered = requireAnswer(probe, await ask(`${url}${probe.path}`, probe.body));
  if (jobs) requireAnswer(probe, await resultOfJob(ask, url, probe, options));
  return numbersShown(answered);
}

/** As many of an answer's numbers as a verdict names. */
export function numbersShown(answered: readonly unknown[]): number[] {
  return answered.filter((element) => typeof element === "number").slice(0, MOST_OUTPUTS);
}

/** The elements of an answer to a golden question. Throws where they are not those that are expected. */
export function requireAnswer(probe: Probe, answer: unknown): ReturnType<typeof elementsIn> & object {
  const elements = elementsIn(answer);
  if (elements === undefined) throw new Error(`${probe.path} answers what is no prediction`);
  const difference = differenceOf(probe, elements);
  if (difference !== undefined) throw new Error(`the golden question: ${difference}`);
  return elements;
}

/** What the host's worker answers to a golden question that comes by way of the queue. */
export async function resultOfJob(ask: Ask, url: string, { body }: Probe, options: GateOptions): Promise<unknown> {
  const { id } = await eventually("the queue to take a job", options, async () =>
    jobAnswer.parse(await ask(`${url}/v1/jobs`, body)),
  );
  const job = await eventually("the worker to finish a job", options, async () => {
    const report = jobAnswer.parse(await ask(`${url}/v1/jobs/${id}`));
    if (report.state !== "completed" && report.state !== "failed") throw new Error(`the job is ${report.state}`);
    return report;
  });
  if (job.result === undefined) throw new Error(`the worker failed a job: ${job.reason ?? "no reason given"}`);
  return job.result;
}

/** What `act` returns once it does not throw any more. */
async function eventually<T>(what: string, { timeoutMs, hopeless }: GateOptions, act: () => Promise<T>): Promise<T> {
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
      const reason = await hopeless();
      if (reason !== undefined) throw new Error(reason);
      look = performance.now() + LOOK_MS;
    }
    if (performance.now() > deadline) {
      throw new StillWaiting(`waited ${Math.round(timeoutMs / 1000)} s for ${what}: ${last}`);
    }
    await sleep(PAUSE_MS);
  }
}

/** A host that shall know its callers must not answer strangers. */
async function requireRefusal(url: string, socket: string | undefined): Promise<void> {
  const { status } = await answerOf(url, socket);
  if (status !== 401) throw new Error(`${url} answers ${status} without a token, not 401`);
}
