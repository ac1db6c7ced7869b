import { homedir } from "node:os";
import { join } from "node:path";
import { connectSsh, type SshConnection, type SshIdentity } from "./connection.ts";
import { knownHostKeys, knownName } from "./known-hosts.ts";

/**
 * Logs in to a host in between, which the user's own `~/.ssh/known_hosts` must know.
 * @param text `user@host` or `user@host:port`
 * @throws SlipwayError E_HOST_KEY, E_SSH
 */
export async function connectJumpHost(
  text: string,
  identities: SshIdentity[],
  signal: AbortSignal,
): Promise<SshConnection> {
  const [, user = "", host = "", given] = /^([^@]+)@([^:]+)(?::(\d+))?$/.exec(text) ?? [];
  const port = Number(given ?? 22);
  const knownHosts = join(process.env.HOME ?? homedir(), ".ssh", "known_hosts");
  const hostKeys = await knownHostKeys(knownHosts, knownName(host, port));
  return connectSsh({ host, port, user, name: `the jump host ${host}`, hostKeys, identities }, signal);
}
