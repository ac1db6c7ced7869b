import { stackTag } from "../components/tags.ts";
import { externalNetworkId } from "../openstack/network/external-networks.ts";
import { withMaintenanceAddress } from "../release/maintenance-address.ts";
import { awaitSsh } from "../remote/await-ssh.ts";
import type { SshConnection } from "../remote/connection.ts";
import { findIdentities } from "../remote/identities.ts";
import { connectJumpHost } from "../remote/jump-host.ts";
import { ensureHostKeys, type HostContact } from "./host-keys.ts";
import { attachedAddress } from "./public-address.ts";
import type { Workspace } from "./workspace.ts";

/** A host that boots, or whose address was just attached, answers to SSH within this. */
const ANSWER_TIMEOUT_MS = 120_000;
const SSH_PORT = 22;

/** Which host is reached, and for whom. */
export interface Access extends HostContact {
  /** Takes the stack's lock for what must be alone on a stack, where the caller does not hold it. */
  alone?: <T>(act: () => Promise<T>) => Promise<T>;
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
  const { home, projectRoot, config, session, reference, stack } = workspace;
  const { outputs, progress, signal, alone = (act) => act() } = access;
  const identities = await findIdentities({ home, projectRoot, keyFile: config.sshIdentityFile });
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
    const jumpHost = await connectJumpHost(config.sshJumpHost, identities, signal);
    try {
      return await logIn(outputs.fixedIp, jumpHost);
    } finally {
      jumpHost.close();
    }
  }
  const attached = await attachedAddress(workspace, outputs);
  if (attached !== undefined) return logIn(attached);
  progress.note(`${outputs.serverName} is reached by an address for maintenance, with SSH from ${config.sshCidr}`);
  const unattached = {
    portId: outputs.portId,
    externalNetworkId: await externalNetworkId(session, config.externalNetwork),
    tag: stackTag(reference.project, stack),
  };
  // one address for maintenance a stack: another run would give it back
  return alone(() => withMaintenanceAddress(session, unattached, signal, (address) => logIn(address)));
}
