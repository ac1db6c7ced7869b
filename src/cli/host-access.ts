import { join } from "node:path";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { waitFor } from "../common/wait.ts";
import { stackTag } from "../components/tags.ts";
import { consoleOutput } from "../openstack/compute/servers.ts";
import { externalNetworkId } from "../openstack/network/networks.ts";
import { withMaintenanceAddress } from "../release/maintenance-address.ts";
import { awaitSsh } from "../remote/await-ssh.ts";
import type { SshConnection } from "../remote/connection.ts";
import { type HostKey, hostKeysOnConsole } from "../remote/host-keys.ts";
import { findIdentities } from "../remote/identities.ts";
import { connectJumpHost } from "../remote/jump-host.ts";
import { knownHostKeys, pinHostKeys } from "../remote/known-hosts.ts";
import { attachedAddress } from "./public-address.ts";
import type { StackOutputs } from "./stack-outputs.ts";
import type { Progress } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** A guest prints its keys at the end of its first boot; one under software emulation needs minutes for it. */
const BOOT_TIMEOUT_MS = 10 * 60_000;
/** An address that was just attached answers within this. */
const ANSWER_TIMEOUT_MS = 120_000;
const SSH_PORT = 22;

/** Which host is reached, and for whom. */
export interface Access {
  outputs: StackOutputs;
  progress: Progress;
  signal: AbortSignal;
}

/**
 * Logs in to a stack's host for an action: through the jump host where the stack has one; else at its floating IP; else, while it has
 * none, at one for maintenance, which is taken for this action alone.
 * @throws SlipwayError E_HOST_KEY, E_SSH, E_TIMEOUT; whatever the action throws
 */
export async function withHost<T>(
  workspace: Workspace,
  access: Access,
  action: (connection: SshConnection) => Promise<T>,
): Promise<T> {
  const { home, config, session, reference, stack } = workspace;
  const { outputs, progress, signal } = access;
  const identities = await findIdentities(home, { keyFile: config.sshIdentityFile });
  const hostKeys = await ensureHostKeys(workspace, access);
  const target = { port: SSH_PORT, user: config.sshUser, name: outputs.serverName, hostKeys, identities };
  const logIn = async (host: string, through?: SshConnection) => {
    const patience = { timeoutMs: ANSWER_TIMEOUT_MS, signal };
    const connection = await awaitSsh({ ...target, host, through }, patience);
    try {
      return await action(connection);
    } finally {
      connection.close();
    }
  };

  if (config.sshJumpHost !== undefined) {
    const jumpHost = await connectJumpHost(config.sshJumpHost, identities);
    try {
      return await logIn(outputs.fixedIp, jumpHost);
    } finally {
      jumpHost.close();
    }
  }
  const attached = await attachedAddress(workspace, outputs);
  if (attached !== undefined) return logIn(attached);
  progress.note(`${outputs.serverName} is reached by an address for maintenance, from ${config.sshCidr} alone`);
  const unattached = {
    portId: outputs.portId,
    externalNetworkId: await externalNetworkId(session, config.externalNetwork),
    tag: stackTag(reference.project, stack),
  };
  return withMaintenanceAddress(session, unattached, signal, (address) => logIn(address));
}

/** Where the keys of hosts are pinned, under their servers' ids. */
export function knownHostsFile(home: string): string {
  return join(home, "known_hosts");
}

/** The host's pinned keys; at the first contact those that it wrote on its console. */
async function ensureHostKeys({ home, session }: Workspace, { outputs, signal }: Access): Promise<HostKey[]> {
  const { serverId, serverName } = outputs;
  const file = knownHostsFile(home);
  const pinned = await knownHostKeys(file, serverId);
  if (pinned.length > 0) return pinned;
  let last = "it has written none";
  const look = async () => {
    const console = await consoleOutput(session, serverId).catch((error: unknown) => {
      last = messageOf(error);
      return "";
    });
    const keys = hostKeysOnConsole(console);
    return keys.length > 0 ? keys : undefined;
  };
  const options = { timeoutMs: BOOT_TIMEOUT_MS, intervalMs: 500, signal };
  const keys = await waitFor("host keys", look, options).catch((error: unknown) => {
    if (!(error instanceof SlipwayError)) throw error;
    throw new SlipwayError("E_HOST_KEY", `${serverName} shows no host keys on its console: ${last}`, {
      hint: "Look at the console with `slipway logs --console`; a key that you trust can be pinned by hand: see the error's page.",
      cause: error,
    });
  });
  await pinHostKeys(file, serverId, keys);
  return keys;
}
