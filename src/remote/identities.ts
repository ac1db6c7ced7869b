import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, SlipwayError } from "../common/errors.ts";
import type { SshIdentity } from "./connection.ts";

/**
 * What this user can log in with, in order: Slipway's own login key, the named key file, the agent of SSH_AUTH_SOCK.
 * @throws SlipwayError E_CONFIG_INVALID for a key file that cannot be read
 */
export async function findIdentities(
  home: string,
  { keyFile, env = process.env }: { keyFile?: string | undefined; env?: NodeJS.ProcessEnv } = {},
): Promise<SshIdentity[]> {
  const own = { key: await readFile(join(home, "id_ed25519"), "utf8") };
  const named = keyFile === undefined ? [] : [{ key: await readKey(keyFile) }];
  const agent = env.SSH_AUTH_SOCK ? [{ agent: env.SSH_AUTH_SOCK }] : [];
  return [own, ...named, ...agent];
}

async function readKey(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new SlipwayError("E_CONFIG_INVALID", `the key of sshIdentityFile cannot be read: ${messageOf(error)}`, {
      hint: "Name a private key without a passphrase, or add yours to an agent (`ssh-add`).",
      cause: error,
    });
  }
}
