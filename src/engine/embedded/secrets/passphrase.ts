import { createCipheriv, createDecipheriv, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { SlipwayError } from "../../../common/errors.ts";

/** Pulumi's passphrase secrets (pulumi/pulumi, sdk/go/common/resource/config/crypt.go): PBKDF2-SHA256, AES-256-GCM. */
const iterations = 1_000_000;
const keyBytes = 32;
const saltBytes = 8;
const nonceBytes = 12;
const tagBytes = 16;
/** What the salt's tail must decrypt to. */
const proof = "pulumi";

const derive = promisify(pbkdf2);

/** Encrypts to `v1:<base64 nonce>:<base64 ciphertext and tag>`. */
export function encryptText(key: Uint8Array, plaintext: string): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  const box = Buffer.concat([cipher.update(plaintext, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return `v1:${nonce.toString("base64")}:${box.toString("base64")}`;
}

/** The plaintext of {@link encryptText}. Throws where the key is another one or the text was changed. */
export function decryptText(key: Uint8Array, ciphertext: string): string {
  const [version, nonce, box, ...rest] = ciphertext.split(":");
  if (version !== "v1" || nonce === undefined || box === undefined || rest.length > 0) {
    throw new Error("not a v1 ciphertext");
  }
  const bytes = Buffer.from(box, "base64");
  const split = bytes.length - tagBytes;
  if (split < 0) throw new Error("the ciphertext is too short");
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64"));
  decipher.setAuthTag(bytes.subarray(split));
  return Buffer.concat([decipher.update(bytes.subarray(0, split)), decipher.final()]).toString("utf8");
}

/** A new `encryptionsalt` with its key. */
export async function newSalt(passphrase: string): Promise<{ salt: string; key: Uint8Array }> {
  const bytes = randomBytes(saltBytes);
  const key = await derive(passphrase, bytes, iterations, keyBytes, "sha256");
  return { salt: `v1:${bytes.toString("base64")}:${encryptText(key, proof)}`, key };
}

const keys = new Map<string, Promise<Uint8Array>>();

/**
 * The key of an `encryptionsalt` (`v1:<base64 salt>:<encrypted proof>`), derived once in a process.
 * Throws SlipwayError E_PASSPHRASE_WRONG, E_STATE_DAMAGED.
 */
export function keyOf(passphrase: string, salt: string): Promise<Uint8Array> {
  const name = JSON.stringify([passphrase, salt]);
  const known = keys.get(name) ?? deriveAndProve(passphrase, salt);
  keys.set(name, known);
  return known;
}

async function deriveAndProve(passphrase: string, salt: string): Promise<Uint8Array> {
  const [version, text, ...box] = salt.split(":");
  if (version !== "v1" || text === undefined || box.length !== 3) {
    throw new SlipwayError("E_STATE_DAMAGED", "the encryption salt of the stack is not in Pulumi's v1 form");
  }
  const key = await derive(passphrase, Buffer.from(text, "base64"), iterations, keyBytes, "sha256");
  if (!opens(key, box.join(":"))) {
    throw new SlipwayError("E_PASSPHRASE_WRONG", "the passphrase does not open the stack's secrets", {
      hint: "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the passphrase with which the stack was made.",
    });
  }
  return key;
}

function opens(key: Uint8Array, box: string): boolean {
  try {
    return decryptText(key, box) === proof;
  } catch {
    return false; // GCM refuses what was sealed with another key
  }
}
