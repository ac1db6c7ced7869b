import { rm } from "node:fs/promises";
import { ensureText, readTextIfExists, writeFileAtomic } from "../common/files.ts";
import { entryFor, newToken, type TokenEntry } from "../serving/access/tokens.ts";
import type { Host } from "./host.ts";
import { SERVICE_USER } from "./unit-names.ts";

/** The name under which the gate asks the host's own frontend; no token of a stack has it. */
const GATE = "gate";
/** As much as the golden question needs. */
const GATE_ROLE = "predict";

/**
 * Writes the hashes by which the frontend recognizes its callers, or takes them away where the stack has no tokens. The gate's own token
 * is made here once, readable by root alone, and never leaves the host.
 * @returns the gate's token; undefined on a host that demands none
 */
export async function ensureTokens(
  { paths, run }: Pick<Host, "paths" | "run">,
  tokens: TokenEntry[] | undefined,
): Promise<string | undefined> {
  if (tokens === undefined) {
    await rm(paths.tokens, { force: true });
    return undefined;
  }
  const token = await ensureGateToken(paths.gateToken);
  const gate = entryFor(token, { name: GATE, role: GATE_ROLE });
  const text = `${JSON.stringify({ tokens: [...tokens, gate] }, null, 2)}\n`;
  await ensureText(paths.tokens, text, 0o640);
  await run("chown", [`root:${SERVICE_USER}`, paths.tokens]);
  return token;
}

/** The token with which a host asks its own frontend; undefined where the stack has none. */
export async function gateToken(
  paths: Pick<Host["paths"], "gateToken">,
  tokens: TokenEntry[] | undefined,
): Promise<string | undefined> {
  return tokens === undefined ? undefined : (await readTextIfExists(paths.gateToken))?.trim();
}

async function ensureGateToken(file: string): Promise<string> {
  const kept = (await readTextIfExists(file))?.trim();
  if (kept) return kept;
  const { token } = newToken(GATE, GATE_ROLE);
  await writeFileAtomic(file, `${token}\n`);
  return token;
}
