import { crc32 } from "node:zlib";
import { SlipwayError } from "../common/errors.ts";
import type { PropertyMap, PropertyValue } from "../engine/resource-provider.ts";

/** Candidates that a message names before it says how many more there are. */
const namedInMessage = 8;

/** What a look-up by name was for. */
export interface Lookup<T> {
  /** `image`, `flavor`, `network`. */
  what: string;
  /** What was asked for, e.g. `debian-13`. */
  asked: string;
  found: T[];
  /** One line for a thing, e.g. `debian-13 (id)`. */
  describe: (thing: T) => string;
  /** Everything that could have been meant; asked only when nothing was found. */
  others: () => Promise<T[]>;
  /** What the official provider says where nothing or too much is found: people search for its words. */
  official?: { none: string; several: string };
}

/**
 * The one thing that was found.
 * @throws SlipwayError E_LOOKUP with the candidates, when there is none or more than one
 */
export async function exactlyOne<T>({ what, asked, found, describe, others, official }: Lookup<T>): Promise<T> {
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  const missing = first === undefined;
  const candidates = (missing ? await others() : found).map(describe).sort();
  const problem = missing
    ? `there is no ${what} ${asked}; the cloud has ${listed(candidates)}`
    : `${found.length} ${what}s are called ${asked}: ${listed(candidates)}`;
  const known = missing ? official?.none : official?.several;
  throw new SlipwayError("E_LOOKUP", known === undefined ? problem : `${known}: ${problem}`, {
    hint: missing
      ? `Set ${what} in the stack's configuration to one that the cloud has.`
      : `Give the ${what} a name of its own, or delete or hide the ones that are not meant.`,
    details: candidates,
  });
}

function listed(candidates: string[]): string {
  if (candidates.length === 0) return "none";
  const rest = candidates.length - namedInMessage;
  return candidates.slice(0, namedInMessage).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** What a function was asked for, for people: the name or id among the arguments, else all of them. */
export function askedFor(args: PropertyMap): string {
  const [name, id] = ["name", "id"].map((key) => args[key]);
  return String(name || id || JSON.stringify(args));
}

/** Terraform's hash of a text: the id of answers that are lists. CRC-32 (IEEE), as a decimal number. */
export function hashOf(text: string): string {
  return String(crc32(text));
}

/** A check for arguments that are regular expressions. */
export function isPattern(value: PropertyValue): string | undefined {
  try {
    patternOf(String(value));
    return undefined;
  } catch {
    return "must be a regular expression";
  }
}

/** The regular expression that a text says; undefined for none. @throws SyntaxError */
export function patternOf(text: string | undefined): RegExp | undefined {
  return text === undefined ? undefined : new RegExp(text);
}
