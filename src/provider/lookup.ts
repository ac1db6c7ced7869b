import { SlipwayError } from "../common/errors.ts";

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
}

/**
 * The one thing that was found.
 * @throws SlipwayError E_LOOKUP with the candidates, when there is none or more than one
 */
export async function exactlyOne<T>({ what, asked, found, describe, others }: Lookup<T>): Promise<T> {
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  const missing = first === undefined;
  const candidates = (missing ? await others() : found).map(describe).sort();
  const problem = missing
    ? `there is no ${what} ${asked}; the cloud has ${listed(candidates)}`
    : `${found.length} ${what}s are called ${asked}: ${listed(candidates)}`;
  throw new SlipwayError("E_LOOKUP", problem, {
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
