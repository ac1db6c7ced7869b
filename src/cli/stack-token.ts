import { findStackToken } from "../release/tokens.ts";
import { mayAct, type Role } from "../serving/access/roles.ts";
import type { LocalStack } from "./workspace.ts";

/** A token of a stack with which its hosts let one act in this role, the least that does; undefined where this machine has none. */
export async function stackTokenFor(
  needed: Role,
  { config, stackHome }: Pick<LocalStack, "config" | "stackHome">,
): Promise<string | undefined> {
  const declared = Object.entries(config.tokens ?? {}).filter(([, { role }]) => mayAct(role, needed));
  const [least] = declared.sort(([, a], [, b]) => (a.role === b.role ? 0 : mayAct(a.role, b.role) ? 1 : -1));
  return least && findStackToken(stackHome, least[0]);
}
