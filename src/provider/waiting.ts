import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../common/errors.ts";
import { waitFor } from "../common/wait.ts";
import { OpenStackError } from "../openstack/errors.ts";
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
      if (seen.status !== "ERROR") return undefined;
      throw failed(`${what} went into ERROR${seen.fault === undefined ? "" : `: ${seen.fault}`}`);
    },
    limits(context),
  ).catch((error: unknown) => {
    throw withLastState(error, last);
  });
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

/** Deletes: an object that is gone is success, one that is in use is tried again for a minute. */
export async function deleteUnlessGone(context: Context, remove: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + Math.min(context.timeoutMs, inUseMs);
  for (let pause = pace.intervalMs; ; pause = Math.min(pause * 1.5, pace.maxIntervalMs)) {
    try {
      await remove();
      return;
    } catch (error) {
      if (!(error instanceof OpenStackError)) throw error;
      if (error.status === 404) return;
      if (error.status !== 409 || performance.now() + pause > deadline) throw error;
    }
    await sleep(pause, undefined, context.signal === undefined ? {} : { signal: context.signal });
  }
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
