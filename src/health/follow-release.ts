import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { bearer } from "../common/bearer.ts";
import { type ReleaseReport, type ReleaseStatus, releaseReport, releaseStatus } from "../guest/release-progress.ts";

const PAUSE_MS = 60;
const REQUEST_MS = 3000;
/** An endpoint that says nothing for so long is followed by its console: it reboots, or lost its address. */
const SILENCE_MS = 15_000;
/** A host that runs a release that is not ours for so long never sees ours. */
const UNSEEN_MS = 30_000;

const releasesAnswer = z.object({ releases: z.array(releaseReport) });

/** How an endpoint is asked. */
interface Asked {
  signal?: AbortSignal | undefined;
  /** The stack's own, where its hosts ask for one. */
  token?: string | undefined;
}

/** What an endpoint tells of its releases; undefined where it does not answer, or knows no such question. */
export async function readReleaseStatus(url: string, asked: Asked = {}): Promise<ReleaseStatus | undefined> {
  return ask(`${url}/v1/release`, releaseStatus, asked);
}

/** The releases that an endpoint's host remembers; undefined where it does not answer, or knows no such question. */
export async function readReleases(url: string, asked: Asked = {}): Promise<ReleaseReport[] | undefined> {
  return (await ask(`${url}/v1/releases`, releasesAnswer, asked))?.releases;
}

/** Has a host look at once at what is published. It looks by itself every few seconds: nothing depends on this. */
export async function wakeHost(url: string, { signal, token }: Asked = {}): Promise<void> {
  await fetch(`${url}/v1/release/look`, { method: "POST", headers: bearer(token), signal: limited(signal) })
    .then((answer) => answer.arrayBuffer())
    .catch(() => undefined);
}

/** What to follow, and how long. */
export interface FollowedRelease {
  /** Base URL of the endpoint. */
  url: string;
  /** The stack's own, where its hosts ask for one. */
  token?: string | undefined;
  sequence: number;
  timeoutMs: number;
  /** Told each time that the host says something new. */
  onProgress?: (report: ReleaseReport) => void;
  signal: AbortSignal;
  /** Milliseconds that the endpoint may be silent; 15 000 unless told otherwise. */
  silenceMs?: number;
  /** Milliseconds that the host may not see the release; 30 000 unless told otherwise. */
  unseenMs?: number;
}

/** A release that is over, and what serves since. */
export interface EndedRelease {
  report: ReleaseReport;
  serves: ReleaseStatus["serves"];
}

/**
 * Follows a release at the endpoint until it is over, or until a later one is that the host has taken up in its place.
 * @returns undefined when the endpoint does not tell: it knows no such question, is silent for long, or never sees the release; the console
 * does then
 */
export async function followRelease(options: FollowedRelease): Promise<EndedRelease | undefined> {
  const { url, token, sequence, timeoutMs, onProgress, signal, silenceMs = SILENCE_MS, unseenMs = UNSEEN_MS } = options;
  const began = performance.now();
  let heard = began;
  let seen = false;
  let before = "";
  for (;;) {
    const status = await readReleaseStatus(url, { signal, token });
    signal.throwIfAborted();
    const now = performance.now();
    if (status !== undefined) {
      heard = now;
      const { last: report, serves } = status;
      if (report.sequence >= sequence) {
        seen = true;
        const said = `${report.sequence} ${report.phase} ${report.result}`;
        if (said !== before) onProgress?.(report);
        before = said;
        if (report.result !== "underway") {
          const own = await reportOn(sequence, report, options);
          if (own !== undefined) return { report: own, serves };
        }
      }
    }
    if (now - heard > silenceMs || (!seen && now - began > unseenMs) || now - began > timeoutMs) return undefined;
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

/** What the host remembers of a release, where its last one is a push or a later one; else that. Undefined while only a push upon it is known. */
async function reportOn(sequence: number, last: ReleaseReport, { url, ...asked }: FollowedRelease) {
  if (last.sequence === sequence && last.push === undefined) return last;
  const own = (await readReleases(url, asked))?.find((one) => one.sequence === sequence && one.push === undefined);
  return own ?? (last.sequence === sequence ? undefined : last);
}

function limited(signal: AbortSignal | undefined): AbortSignal {
  const limit = AbortSignal.timeout(REQUEST_MS);
  return signal === undefined ? limit : AbortSignal.any([signal, limit]);
}

async function ask<T>(url: string, schema: z.ZodType<T>, { signal, token }: Asked): Promise<T | undefined> {
  try {
    const answer = await fetch(url, { headers: bearer(token), signal: limited(signal) });
    const text = await answer.text();
    return answer.ok ? schema.parse(JSON.parse(text)) : undefined;
  } catch {
    return undefined; // no answer, or another server's
  }
}
