import type { MaskedJson } from "../../events.ts";
import { unknown } from "../../resource-provider.ts";
import type { SecretCodec } from "../values/state-json.ts";
import { isMap, ResourceReference, Secret, type Value, type ValueMap } from "../values/value.ts";
import { referenceEnvelope, signatureKey, signatures, unknownSentinel } from "../values/wire.ts";

/** Shorter secrets are not looked for in free text: they would blank every other word. */
const shortestMasked = 3;
/** The lines of a longer secret (a private key) are looked for one by one too: a program's output comes in lines. */
const shortestLine = 20;
/** Shorter secrets are not looked for in base64: so few characters are found by chance. */
const shortestEncoded = 8;
/** Longer texts (user-data) come again and again; what became of them is kept, of so many. */
const worthKeeping = 256;
const mostKept = 1000;
/** Stands for a secret. */
export const mask = "[secret]";

/** Reads what is not to be opened: every secret as the mask. */
export const maskedSecrets: SecretCodec = { encrypt: () => mask, decrypt: () => JSON.stringify(mask) };

/** Knows the run's secrets and keeps them out of events and errors. */
export class Redactor {
  readonly #secrets = new Set<string>();
  readonly #cleaned = new Map<string, string>();
  #forms: readonly string[] | undefined;

  /** Learns every secret within a value. */
  learn(value: Value): void {
    if (value instanceof Secret) this.#learnAll(value.value);
    else for (const part of partsOf(value)) this.learn(part);
  }

  #learnAll(value: Value): void {
    if (value instanceof Secret) this.#learnAll(value.value);
    if (typeof value === "string" && value.length >= shortestMasked && !this.#secrets.has(value)) {
      this.#secrets.add(value);
      for (const line of value.split(/\r?\n/)) if (line.length >= shortestLine) this.#secrets.add(line);
      this.#forms = undefined;
      this.#cleaned.clear();
    }
    for (const part of partsOf(value)) this.#learnAll(part);
  }

  /** The text with known secrets blanked, longest first so that no tail of one shows. */
  clean(text: string): string {
    if (text.length < worthKeeping) return this.#blank(text);
    const known = this.#cleaned.get(text);
    if (known !== undefined) return known;
    const clean = this.#blank(text);
    if (this.#cleaned.size < mostKept) this.#cleaned.set(text, clean);
    return clean;
  }

  #blank(text: string): string {
    this.#forms ??= [...new Set([...this.#secrets].flatMap(formsOf))].sort((a, b) => b.length - a.length);
    let clean = text;
    for (const form of this.#forms) if (clean.includes(form)) clean = clean.replaceAll(form, mask);
    return clean;
  }

  /** Values as events show them: secrets blanked wherever they stand, what is not known yet as the sentinel; keys in order. */
  mask(values: ValueMap): Record<string, MaskedJson> {
    const keys = Object.keys(values).sort();
    return Object.fromEntries(keys.map((key) => [this.clean(key), this.#masked(values[key] as Value)]));
  }

  #masked(value: Value): MaskedJson {
    if (value === unknown) return unknownSentinel;
    if (value instanceof Secret) return { [signatureKey]: signatures.secret, ciphertext: mask };
    if (value instanceof ResourceReference) return referenceEnvelope(value);
    if (Array.isArray(value)) return value.map((item) => this.#masked(item));
    if (isMap(value)) return this.mask(value);
    return typeof value === "string" ? this.clean(value) : value;
  }
}

/** A secret as it may stand in a text: as it is, in JSON, in JSON within JSON, in a URL, and within what was encoded in base64. */
function formsOf(secret: string): string[] {
  const escaped = (text: string) => JSON.stringify(text).slice(1, -1);
  return [
    secret,
    escaped(secret),
    escaped(escaped(secret)),
    encodeURIComponent(secret.toWellFormed()),
    ...base64Forms(Buffer.from(secret)),
  ];
}

/** The characters of base64 that a secret alone determines, for each place that it may begin at. */
function base64Forms(secret: Buffer): string[] {
  if (secret.length < shortestEncoded) return [];
  return [0, 1, 2].map((shift) => {
    const bytes = Buffer.concat([Buffer.alloc(shift), secret]);
    return bytes.toString("base64").slice(Math.ceil((shift * 8) / 6), Math.floor((bytes.length * 8) / 6));
  });
}

function partsOf(value: Value): Value[] {
  if (Array.isArray(value)) return value;
  return isMap(value) ? Object.values(value) : [];
}
