import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../common/files.ts";
import { waitFor } from "../common/wait.ts";
import type { Host } from "./host.ts";
import { type FrontendInstance, frontendUnit } from "./unit-names.ts";

/** From the end of its hold until a frontend listens. */
const LISTEN_MS = 30_000;

type Parts = Pick<Host, "paths" | "run">;

/** Path of the socket on which an instance that is held back is asked. */
export function heldSocket({ paths }: Pick<Host, "paths">, instance: FrontendInstance): string {
  return join(paths.heldSockets, `${instance}.sock`);
}

/**
 * Starts an instance beside the one that serves: nobody but this host's release asks it. What was left of an earlier try ends before.
 * @param listeners units of sockets at which systemd begins to listen for it
 */
export async function startHeld(
  { paths, run }: Parts,
  instance: FrontendInstance,
  listeners: readonly string[],
): Promise<void> {
  const unit = frontendUnit(instance);
  await run("systemctl", ["stop", unit]);
  await mkdir(paths.holds, { recursive: true });
  await writeFileAtomic(holdFile(paths, instance), "", 0o644);
  // with the hold in place: whoever comes to a new listener waits for its end
  for (const listener of listeners) await run("systemctl", ["start", listener]);
  await run("systemctl", ["start", unit]);
  await run("systemctl", ["reset-failed", unit]);
}

/** Ends an instance that does not take over. */
export async function giveUpHeld({ paths, run }: Parts, instance: FrontendInstance): Promise<void> {
  await run("systemctl", ["stop", frontendUnit(instance)]);
  await rm(holdFile(paths, instance), { force: true });
}

/**
 * Has an instance that is held back answer everybody, then the one before answer what it has and end.
 * @throws Error where the new one does not listen; the old one serves on
 */
export async function handOver(host: Parts, from: FrontendInstance, to: FrontendInstance): Promise<void> {
  const { paths, run } = host;
  await rm(holdFile(paths, to), { force: true });
  const listens = async () => !existsSync(heldSocket(host, to)) || undefined;
  await waitFor("the new frontend to listen", listens, { timeoutMs: LISTEN_MS, intervalMs: 20, maxIntervalMs: 100 });
  await run("systemctl", ["enable", "--quiet", frontendUnit(to)]);
  await run("systemctl", ["disable", "--quiet", frontendUnit(from)]);
  await run("systemctl", ["stop", frontendUnit(from)]);
}

function holdFile(paths: Host["paths"], instance: FrontendInstance): string {
  return join(paths.holds, `frontend-${instance}`);
}
