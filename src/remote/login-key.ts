import { randomUUID } from "node:crypto";
import { link, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import ssh2 from "ssh2";
import { isErrno } from "../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import { makeKeyPair } from "./key-pair.ts";

/**
 * The key that may log in to this project's hosts: `id_ed25519` (0600) in the Slipway home, made once, and its public half beside it. Of two
 * first runs at once the first one's key stays, and the public half always follows the private one.
 * @returns the public key's line
 */
export async function ensureLoginKey(home: string): Promise<string> {
  const privatePath = join(home, "id_ed25519");
  const publicPath = `${privatePath}.pub`;
  const key = (await readTextIfExists(privatePath)) ?? (await makeOnce(privatePath));
  const line = publicHalf(key);
  if ((await readTextIfExists(publicPath))?.trim() !== line) await writeFileAtomic(publicPath, `${line}\n`, 0o644);
  return line;
}

/** The file's content: what is made here, or what another run has made in the meantime. */
async function makeOnce(path: string): Promise<string> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
  try {
    await writeFile(temporary, makeKeyPair().private, {
      mode: 0o600,
    });
    await link(temporary, path); // refuses to replace
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  return (await readTextIfExists(path)) as string;
}

function publicHalf(privateKey: string): string {
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) throw key;
  return `${key.type} ${key.getPublicSSH().toString("base64")} slipway`;
}
