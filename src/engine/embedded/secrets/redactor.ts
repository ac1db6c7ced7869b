import type { MaskedJson } from "../../events.ts";
import { unknown } from "../../resource-provider.ts";
import { isMap, ResourceReference, Secret, type Value, type ValueMap } from "../values/value.ts";
import { referenceEnvelope, signatureKey, signatures, unknownSentinel } from "../values/wire.ts";

/** Shorter secrets are not looked for in free text: they would blank every other word. */
const shortestMasked = 3;
/** The lines of a longer secret (a private key) are looked for one by one too: a program's output comes in lines. */
const shortestLine = 20;
/** Stands for a secret. */
export const mask = "[secret]";

/** Knows the run's secrets and keeps them out of events and errors. */
export class Redactor {
  readonly #secrets = new Set<string>();
  #forms: readonly string[] | undefined;

  /** Learns every secret within a value. */
  learn(value: Value): void {
    if (value instanceof Secret) this.#learnAll(value.value);
    else for (const part of partsOf(value)) this.learn(part);
  }

  #learnAll(value: Value): void {
    if (value instanceof Secret) this.#learnAll(value.value);
    if (typeof value === "string" && value.length >= shortestMasked) {
      this.#secrets.add(value);
      for (const line of value.split(/\r?\n/)) if (line.length >= shortestLine) this.#secrets.add(line);
      this.#forms = undefined;
    }
    for (const part of partsOf(value)) this.#learnAll(part);
  }

  /** The text with known secrets blanked, longest first so that no tail of one shows. */
  clean(text: string): string {
    let clean = text;
    for (const form of this.#formsLongestFirst()) if (clean.includes(form)) clean = clean.replaceAll(form, mask);
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

  /** Secrets as they are and as JSON writes them. */
  #formsLongestFirst(): readonly string[] {
    this.#forms ??= [...this.#secrets]
      .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
      .filter((form, index, all) => all.indexOf(form) === index)
      .sort((a, b) => b.length - a.length);
    return this.#forms;
  }
}

function partsOf(value: Value): Value[] {
  if (Array.isArray(value)) return value;
  return isMap(value) ? Object.values(value) : [];
}
