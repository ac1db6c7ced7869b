import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { readTextIfExists } from "../common/files.ts";
import type { SshIdentity } from "./connection.ts";

/** Where identities are looked for. */
interface IdentityPlaces {
  /** The Slipway home. */
  home: string;
  /** Where a relative `keyFile` starts. */
  projectRoot: string;
  /** A private key's file; `~` is the user's home. */
  keyFile?: string | undefined;
  env?: NodeJS.ProcessEnv;
}

/**
 * What this user can log in with, in order: Slipway's own login key, the named key file, the agent of SSH_AUTH_SOCK.
 * @throws SlipwayError E_CONFIG_INVALID for a key file that cannot be read
 */
export async function findIdentities(places: IdentityPlaces): Promise<SshIdentity[]> {
  const { home, projectRoot, keyFile, env = process.env } = places;
  const own = await readTextIfExists(join(home, "id_ed25519"));
  const named =
    keyFile === undefined
      ? undefined
      : await readKey(
          resolve(
            projectRoot,
            keyFile.replace(/^~(?=\/)/, () => env.HOME ?? homedir()),
          ),
        );
  const keys = [own, named].filter((key) => key !== undefined);
  const agent = env.SSH_AUTH_SOCK ? [{ agent: env.SSH_AUTH_SOCK }] : [];
  return [...keys.map((key) => ({ key })), ...agent];
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
