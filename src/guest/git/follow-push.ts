import { setTimeout as sleep } from "node:timers/promises";
import { readTextIfExists } from "../../common/files.ts";
import type { GuestPaths } from "../paths.ts";
import { type ReleaseReport, type ReleaseStatus, releaseStatus } from "../release-progress.ts";
import { readReleaseHistory } from "../releasing/history.ts";

const LOOK_MS = 100;

/** How a push is followed. */
export interface FollowedPush {
  id: string;
  timeoutMs: number;
  /** Told each time that there is something new: the push's own report, or undefined while the agent does not have it. */
  onProgress: (report: ReleaseReport | undefined) => void;
}

/** Follows a push in what the agent writes of its releases. @returns its report at its end; undefined where it has none in time */
export async function followPush(
  paths: Pick<GuestPaths, "releaseStatus" | "releaseHistory">,
  { id, timeoutMs, onProgress }: FollowedPush,
): Promise<ReleaseReport | undefined> {
  const deadline = performance.now() + timeoutMs;
  let told: string | undefined;
  for (;;) {
    const last = (await statusIn(paths))?.last;
    // a release that came right after it has taken its place there
    const own = last?.push?.request === id ? last : await ended(paths, id);
    const said = own ? `${own.phase} ${own.result}` : "waiting";
    if (said !== told) onProgress(own);
    told = said;
    if (own && own.result !== "underway") return own;
    if (performance.now() > deadline) return undefined;
    await sleep(LOOK_MS);
  }
}

async function ended(paths: Pick<GuestPaths, "releaseHistory">, id: string): Promise<ReleaseReport | undefined> {
  return (await readReleaseHistory(paths)).find(({ push }) => push?.request === id);
}

async function statusIn({
  releaseStatus: file,
}: Pick<GuestPaths, "releaseStatus">): Promise<ReleaseStatus | undefined> {
  const text = await readTextIfExists(file);
  return text === undefined ? undefined : releaseStatus.parse(JSON.parse(text));
}
