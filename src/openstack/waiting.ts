import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../common/errors.ts";
import { waitFor } from "../common/wait.ts";
import { OpenStackError } from "./errors.ts";
import { orMissing } from "./missing.ts";

/** What a wait is bounded by. */
export interface Patience {
  /** For the whole wait, milliseconds. */
  timeoutMs: number;
  signal?: AbortSignal;
}

/** First pause and longest pause between two looks, milliseconds. */
const pace = { intervalMs: 50, maxIntervalMs: 2000 };

/** How long a new object may be invisible to reads, milliseconds: clouds answer from replicas. */
const invisibleMs = 30_000;

/** How long an object may stay in ERROR after its DELETE before the delete has failed, milliseconds: replicas again. */
const failedDeleteMs = 10_000;

/** How long "in use" (409) is retried on a delete, milliseconds: detaching takes seconds, a real user stays. */
const inUseMs = 60_000;

/** An object as far as waiting is concerned. */
export interface Observed {
  status: string;
  /** Why it failed, where the cloud says so. */
  fault?: string;
}

/** The object that was waited for is not there any more: nothing of it can be kept. Code E_UPDATE_FAILED. */
export class Vanished extends SlipwayError {
  constructor(what: string) {
    super("E_UPDATE_FAILED", `${what} vanished`, {
      hint: "Run `slipway refresh` and `slipway up`: it is made anew.",
    });
  }
}

/**
 * Waits until the object has one of the target states.
 * @throws SlipwayError E_UPDATE_FAILED when it goes into ERROR; {@link Vanished}; E_TIMEOUT with the last state
 */
export async function untilStatus(
  context: Patience,
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
      if (seen === undefined && performance.now() - started > invisibleMs) throw new Vanished(what);
      if (seen === undefined) return undefined;
      last = seen.status;
      if (targets.includes(seen.status)) return true;
      if (!isFailure(seen.status)) return undefined;
      throw new SlipwayError("E_UPDATE_FAILED", `${what} went into ${inWords(seen)}`, { hint: mend });
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
  { timeoutMs, signal }: Patience,
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

/**
 * Waits until a look finds nothing.
 * @throws SlipwayError E_UPDATE_FAILED when it stays in ERROR; E_TIMEOUT with the last state
 */
export async function untilGone(
  context: Patience,
  what: string,
  look: () => Promise<Observed | undefined>,
): Promise<void> {
  const started = performance.now();
  let last = "unknown";
  await waitFor(
    `${what} to be gone`,
    async () => {
      const seen = await look();
      if (seen === undefined) return true;
      last = seen.status;
      if (!isFailure(seen.status) || performance.now() - started < failedDeleteMs) return undefined;
      throw new SlipwayError("E_UPDATE_FAILED", `${what} could not be deleted, it is in ${inWords(seen)}`, {
        hint: "Run the command again; if it stays, ask the cloud's operators with its id.",
      });
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
  context: Patience,
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

function limits({ timeoutMs, signal }: Patience) {
  return { timeoutMs, ...pace, ...(signal === undefined ? {} : { signal }) };
}

/** For an object that is not simply replaced: its content, or its address, is worth something. */
const mend =
  "Have it mended in the cloud and run `slipway up` again; or delete it there, then `slipway refresh` and `slipway up` make it anew.";

function inWords({ status, fault }: Observed): string {
  return fault === undefined ? status : `${status}: ${fault}`;
}

function withLastState(error: unknown, last: string): unknown {
  if (!(error instanceof SlipwayError) || error.code !== "E_TIMEOUT") return error;
  return new SlipwayError("E_TIMEOUT", `${error.message} (last state: ${last})`, { cause: error });
}
