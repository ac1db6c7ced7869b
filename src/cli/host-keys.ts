import { join } from "node:path";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { ConsoleRefused, consoleTexts } from "../health/console-texts.ts";
import { consoleOutput } from "../openstack/compute/servers.ts";
import { type HostKey, hostKeysOnConsole } from "../remote/host-keys.ts";
import { knownHostKeys, pinHostKeys } from "../remote/known-hosts.ts";
import type { StackOutputs } from "./stack-outputs.ts";
import type { Progress } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** A guest prints its keys at the end of its first boot; one under software emulation needs minutes for it. */
const BOOT_TIMEOUT_MS = 10 * 60_000;

/** Whose keys are asked for, and for whom. */
export interface HostContact {
  outputs: StackOutputs;
  progress: Progress;
  signal: AbortSignal;
}

/** Where the keys of a stack's hosts are pinned, under their servers' ids. The stack's lock is the file's. */
export function knownHostsFile({ stackHome }: Pick<Workspace, "stackHome">): string {
  return join(stackHome, "known_hosts");
}

/**
 * The host's pinned keys; at the first contact those that it wrote on its console, which are pinned from then on.
 * @throws SlipwayError E_HOST_KEY where the console shows none in time, or is not shown
 */
export async function ensureHostKeys(workspace: Workspace, access: HostContact): Promise<HostKey[]> {
  const { serverId, serverName } = access.outputs;
  const file = knownHostsFile(workspace);
  const pinned = await knownHostKeys(file, serverId);
  if (pinned.length > 0) return pinned;
  access.progress.note(`the host keys of ${serverName} are read off its console`);
  const keys = await keysOnConsole(workspace, access);
  await pinHostKeys(file, serverId, keys);
  return keys;
}

async function keysOnConsole({ session }: Workspace, { outputs, signal }: HostContact): Promise<HostKey[]> {
  const { serverId, serverName } = outputs;
  const until = AbortSignal.any([AbortSignal.timeout(BOOT_TIMEOUT_MS), signal]);
  const readConsole = () => consoleOutput(session, serverId, undefined, until);
  try {
    for await (const console of consoleTexts({ readConsole, signal: until })) {
      const keys = hostKeysOnConsole(console);
      if (keys.length > 0) return keys;
    }
  } catch (error) {
    if (!(error instanceof ConsoleRefused)) throw error;
    throw noKeys(`${serverName} cannot show its host keys: ${messageOf(error.cause)}`, error);
  }
  signal.throwIfAborted();
  throw noKeys(`${serverName} has shown no host keys on its console in ${BOOT_TIMEOUT_MS / 60_000} minutes`);
}

function noKeys(message: string, cause?: unknown): SlipwayError {
  return new SlipwayError("E_HOST_KEY", message, {
    hint: "Look at the console with `slipway logs --console`; a key that you trust can be pinned by hand: see the error's page.",
    ...(cause === undefined ? {} : { cause }),
  });
}
