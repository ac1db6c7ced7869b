import { join } from "node:path";
import ssh2 from "ssh2";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";

/**
 * The key that may log in to this project's hosts: `id_ed25519` (0600) and `id_ed25519.pub` in the Slipway home, made once.
 * @returns the public key's line
 */
export async function ensureLoginKey(home: string): Promise<string> {
  const privatePath = join(home, "id_ed25519");
  const publicPath = `${privatePath}.pub`;
  const existing = await readTextIfExists(publicPath);
  if (existing !== undefined && (await readTextIfExists(privatePath)) !== undefined) return existing.trim();
  const pair = ssh2.utils.generateKeyPairSync("ed25519", { comment: "slipway" });
  await writeFileAtomic(privatePath, pair.private);
  await writeFileAtomic(publicPath, `${pair.public}\n`, 0o644); // last: it tells that the pair is complete
  return pair.public;
}
