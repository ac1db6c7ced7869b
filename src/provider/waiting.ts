import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../common/errors.ts";
import { waitFor } from "../common/wait.ts";
import { OpenStackError } from "../openstack/errors.ts";
import { orMissing } from "../openstack/missing.ts";
import type { Context } from "./kind.ts";

/** First pause and longest pause between two looks, milliseconds. */
const pace = { intervalMs: 50, maxIntervalMs: 2000 };

/** How long a new object may be invisible to reads, milliseconds: clouds answer from replicas. */
const invisibleMs = 30_000;

/** How long "in use" (409) is retried on a delete, milliseconds: detaching takes seconds, a real user stays. */
const inUseMs = 60_000;

/** An object as far as waiting is concerned. */
export interface Observed {
  status: string;
  /** Why it failed, where the cloud says so. */
  fault?: string;
}

/**
 * Waits until the object has one of the target states.
 * @throws SlipwayError E_UPDATE_FAILED when it goes into ERROR or vanishes; E_TIMEOUT with the last state
 */
export async function untilStatus(
  context: Context,
  what: string,
  targets: string[],
  look: () => Promise<Observed | undefined>,
): Promise<void> {
  const started = performance.now();
  let last = "not visible";
  await waitFor(
    `${what} to become ${targets.join(" or ")}`,
    async () => {
      const seen = await look();
      if (seen === undefined && performance.now() - started > invisibleMs) throw failed(`${what} vanished`);
      if (seen === undefined) return undefined;
      last = seen.status;
      if (targets.includes(seen.status)) return true;
      if (!isFailure(seen.status)) return undefined;
      throw failed(`${what} went into ${seen.status}${seen.fault === undefined ? "" : `: ${seen.fault}`}`);
    },
    limits(context),
  ).catch((error: unknown) => {
    throw withLastState(error, last);
  });
}

/**
 * Calls until the answer is no refusal that passes by itself, as long as the call's time allows.
 * @throws what the call throws, when `passes` says no or the time is up
 */
export async function untilAnswered<T>(
  { timeoutMs, signal }: Context,
  call: () => Promise<T>,
  passes: (error: unknown) => boolean,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (let pause = pace.intervalMs; ; pause = Math.min(pause * 1.5, pace.maxIntervalMs)) {
    try {
      return await call();
    } catch (error) {
      if (!passes(error) || performance.now() + pause > deadline) throw error;
    }
    await sleep(pause, undefined, signal === undefined ? {} : { signal });
  }
}

/** Waits until a look finds nothing. */
export async function untilGone(
  context: Context,
  what: string,
  look: () => Promise<Observed | undefined>,
): Promise<void> {
  let last = "unknown";
  await waitFor(
    `${what} to be gone`,
    async () => {
      const seen = await look();
      last = seen?.status ?? "gone";
      return seen === undefined ? true : undefined;
    },
    limits(context),
  ).catch((error: unknown) => {
    throw withLastState(error, last);
  });
}

/**
 * Deletes: an object that is gone is success, one that is in use is tried again for a minute.
 * @param inUse the statuses that mean "in use": Nova and Cinder answer 400 for volumes that are on their way
 */
export async function deleteUnlessGone(
  context: Context,
  remove: () => Promise<unknown>,
  inUse: number[] = [409],
): Promise<void> {
  const patient = { ...context, timeoutMs: Math.min(context.timeoutMs, inUseMs) };
  const busy = (error: unknown) => error instanceof OpenStackError && inUse.includes(error.status);
  await untilAnswered(patient, () => orMissing(remove), busy);
}

/** Nova and Octavia say `ERROR`; Cinder `error`, `error_deleting`, `error_extending`. */
function isFailure(status: string): boolean {
  return /^error/i.test(status);
}

function limits({ timeoutMs, signal }: Context) {
  return { timeoutMs, ...pace, ...(signal === undefined ? {} : { signal }) };
}

function failed(message: string): SlipwayError {
  return new SlipwayError("E_UPDATE_FAILED", message, { hint: "Run `slipway up` again: it is replaced." });
}

function withLastState(error: unknown, last: string): unknown {
  if (!(error instanceof SlipwayError) || error.code !== "E_TIMEOUT") return error;
  return new SlipwayError("E_TIMEOUT", `${error.message} (last state: ${last})`, { cause: error });
}
