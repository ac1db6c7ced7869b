import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { join } from "node:path";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";

const FILE = "signing-key.pem";

/** The stack's Ed25519 key, made where there is none: `signing-key.pem` in the stack's home, 0600. */
export async function ensureSigningKey(home: string): Promise<KeyObject> {
  const key = await findSigningKey(home);
  if (key !== undefined) return key;
  const { privateKey } = generateKeyPairSync("ed25519");
  await writeFileAtomic(join(home, FILE), privateKey.export({ type: "pkcs8", format: "pem" }));
  return privateKey;
}

/** The stack's key; undefined before its first publication. */
export async function findSigningKey(home: string): Promise<KeyObject | undefined> {
  const pem = await readTextIfExists(join(home, FILE));
  return pem === undefined ? undefined : createPrivateKey(pem);
}

/** The public half as base64 of SPKI DER: the form in user-data. */
export function publicKeyText(key: KeyObject): string {
  return createPublicKey(key).export({ type: "spki", format: "der" }).toString("base64");
}

/** The name of the stack's container: the same from run to run, and nobody without the key can guess it. */
export function containerName(stack: string, key: KeyObject): string {
  const secret = key.export({ type: "pkcs8", format: "der" });
  return `slipway-${stack}-${createHmac("sha256", secret).update(`container ${stack}`).digest("hex").slice(0, 32)}`;
}
