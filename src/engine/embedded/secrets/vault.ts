import { SlipwayError } from "../../../common/errors.ts";
import type { SecretCodec } from "../values/state-json.ts";
import { decryptText, encryptText, keyOf, newSalt } from "./passphrase.ts";

/** Encrypts and decrypts with one salt's key; a secret that did not change keeps its ciphertext, so files change no more than they must. */
export class Vault implements SecretCodec {
  /** The `encryptionsalt` text that goes with the state. */
  readonly salt: string;
  readonly #key: Uint8Array;
  readonly #stored = new Map<string, { plaintext: string; ciphertext: string }>();

  private constructor(salt: string, key: Uint8Array) {
    this.salt = salt;
    this.#key = key;
  }

  /** Opens an existing salt, or makes one. Takes about half a second of another thread. Throws SlipwayError E_PASSPHRASE_WRONG. */
  static async open(passphrase: string, salt: string | undefined): Promise<Vault> {
    if (salt !== undefined) return new Vault(salt, await keyOf(passphrase, salt));
    const made = await newSalt(passphrase);
    return new Vault(made.salt, made.key);
  }

  encrypt(plaintext: string, slot: string): string {
    const stored = this.#stored.get(slot);
    if (stored?.plaintext === plaintext) return stored.ciphertext;
    const ciphertext = encryptText(this.#key, plaintext);
    this.#stored.set(slot, { plaintext, ciphertext });
    return ciphertext;
  }

  decrypt(ciphertext: string, slot: string): string {
    try {
      const plaintext = decryptText(this.#key, ciphertext);
      this.#stored.set(slot, { plaintext, ciphertext });
      return plaintext;
    } catch (cause) {
      throw new SlipwayError("E_STATE_DAMAGED", `a secret cannot be decrypted: ${slot}`, {
        cause,
        hint: "Restore the file from its .bak or from the backups folder beside it.",
      });
    }
  }
}
