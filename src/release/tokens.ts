import { join } from "node:path";
import { z } from "zod";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import type { Role } from "../serving/access/roles.ts";
import { entryFor, newToken, type TokenEntry } from "../serving/access/tokens.ts";

const FILE = "tokens.json";
/** The token with which the verbs ask a stack's endpoint. */
const OWN = "slipway";
/** As much as the golden question needs. */
const OWN_ROLE = "predict";

/** Tokens in clear text by their names: `tokens.json` in the stack's home, 0600. They are nowhere else; hosts get hashes. */
const tokensSchema = z.object({ schemaVersion: z.literal(1), tokens: z.record(z.string(), z.string()) });

/** Who a stack's configuration knows, by name. */
export type DeclaredTokens = Record<string, { role: Role; expires?: string | undefined }>;

/**
 * Sees to it that each declared name has a token, and Slipway one of its own; tokens of names that are not declared any more are
 * forgotten.
 * @returns the entries by which hosts recognize them; undefined for a stack that declares none
 */
export async function ensureStackTokens(
  home: string,
  declared: DeclaredTokens | undefined,
): Promise<TokenEntry[] | undefined> {
  if (declared === undefined) return undefined;
  const all: DeclaredTokens = { ...declared, [OWN]: { role: OWN_ROLE } };
  const kept = await readTokens(home);
  const tokens = Object.fromEntries(
    Object.entries(all).map(([name, { role }]) => [name, kept[name] ?? newToken(name, role).token]),
  );
  if (JSON.stringify(tokens) !== JSON.stringify(kept)) await writeTokens(home, tokens);
  return Object.entries(all).map(([name, { role, expires }]) =>
    entryFor(tokens[name] as string, { name, role, ...(expires !== undefined && { expires }) }),
  );
}

/** The token of this name; undefined where none was made yet. */
export async function findStackToken(home: string, name: string): Promise<string | undefined> {
  return (await readTokens(home))[name];
}

/** The token with which the verbs ask the stack's endpoint; undefined for a stack that has published none. */
export function findOwnToken(home: string): Promise<string | undefined> {
  return findStackToken(home, OWN);
}

/** Makes the named token anew. Hosts take the old one until the next release is published. */
export async function renewStackToken(home: string, name: string, role: Role): Promise<string> {
  const { token } = newToken(name, role);
  await writeTokens(home, { ...(await readTokens(home)), [name]: token });
  return token;
}

async function readTokens(home: string): Promise<Record<string, string>> {
  const text = await readTextIfExists(join(home, FILE));
  return text === undefined ? {} : tokensSchema.parse(JSON.parse(text)).tokens;
}

async function writeTokens(home: string, tokens: Record<string, string>): Promise<void> {
  await writeFileAtomic(join(home, FILE), `${JSON.stringify({ schemaVersion: 1, tokens }, null, 2)}\n`);
}
