import { unknown } from "../../resource-provider.ts";
import { isMap, ResourceReference, Secret, type Value } from "../values/value.ts";

/** Shorter secrets are not looked for in free text: they would blank every other word. */
const shortestMasked = 3;
/** The lines of a longer secret (a private key) are looked for one by one too: a program's output comes in lines. */
const shortestLine = 20;
const mask = "[secret]";

/** Knows the run's secrets and keeps them out of events and errors. */
export class Redactor {
  readonly #secrets = new Set<string>();

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
    }
    for (const part of partsOf(value)) this.#learnAll(part);
  }

  /** The text with known secrets blanked, longest first so that no tail of one shows. */
  clean(text: string): string {
    return [...this.#secrets]
      .sort((a, b) => b.length - a.length)
      .reduce((clean, secret) => {
        const quoted = JSON.stringify(secret).slice(1, -1);
        return clean.replaceAll(secret, mask).replaceAll(quoted, mask);
      }, text);
  }

  /** A value as JSON text for people: secrets blanked, unknowns named. */
  show(value: Value): string {
    return this.clean(JSON.stringify(shown(value)));
  }
}

function shown(value: Value): unknown {
  if (value === unknown) return "[unknown]";
  if (value instanceof Secret) return mask;
  if (value instanceof ResourceReference) return value.urn;
  if (Array.isArray(value)) return value.map(shown);
  return isMap(value) ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shown(item)])) : value;
}

function partsOf(value: Value): Value[] {
  if (Array.isArray(value)) return value;
  return isMap(value) ? Object.values(value) : [];
}
