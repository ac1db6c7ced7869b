import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";

/**
 * The passphrase of the stacks' secrets, found in Pulumi's order: PULUMI_CONFIG_PASSPHRASE (may be empty), the file that
 * PULUMI_CONFIG_PASSPHRASE_FILE names, else `passphrase` in the Slipway home, made at random the first time.
 */
export async function findPassphrase(home: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  if (env.PULUMI_CONFIG_PASSPHRASE !== undefined) return env.PULUMI_CONFIG_PASSPHRASE;
  const named = env.PULUMI_CONFIG_PASSPHRASE_FILE;
  if (named !== undefined && named !== "") {
    try {
      return (await readFile(named, "utf8")).trim();
    } catch (error) {
      throw new SlipwayError("E_CONFIG_INVALID", `PULUMI_CONFIG_PASSPHRASE_FILE: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
  const path = join(home, "passphrase");
  const own = await readTextIfExists(path);
  if (own !== undefined) return own.trim();
  const made = randomBytes(24).toString("base64url");
  await writeFileAtomic(path, `${made}\n`);
  return made;
}
