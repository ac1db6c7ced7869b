import { SlipwayError } from "../common/errors.ts";

/**
 * What a verb of several actions is to do.
 * @throws SlipwayError E_USAGE for another word, naming those that there are and `besides`
 */
export function chosenAction<T>(actions: Readonly<Record<string, T>>, wanted: unknown, besides = ""): T {
  const chosen = Object.entries(actions).find(([name]) => name === wanted);
  if (chosen !== undefined) return chosen[1];
  throw new SlipwayError("E_USAGE", `there is no action ${String(wanted)}`, {
    hint: `Choose one of ${Object.keys(actions).join(", ")}${besides}.`,
  });
}
