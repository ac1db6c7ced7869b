import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { type Role, roles } from "./roles.ts";

/** A token as the host knows it: enough to recognize it, not enough to use it. */
export const tokenEntry = z.strictObject({
  /** Told in logs and refusals. */
  name: z.string().min(1).max(100),
  role: z.enum(roles),
  /** SHA-256 of the token, hex. A token has 256 random bits, so that a slow hash would protect nothing more. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "is not a SHA-256 in hex"),
  /** From when on it is worth nothing; never where absent. */
  expires: z.iso.datetime({ offset: true }).optional(),
});

/** The tokens file. Names and hashes are each there once. */
const tokensFile = z.strictObject({ tokens: z.array(tokenEntry) }).superRefine(({ tokens }, context) => {
  for (const key of ["name", "sha256"] as const) {
    const repeated = tokens.find((token, at) => tokens.findIndex((other) => other[key] === token[key]) < at);
    if (repeated) context.addIssue({ code: "custom", message: `"${repeated.name}" has the ${key} of another token` });
  }
});

export type TokenEntry = z.infer<typeof tokenEntry>;

const TOKEN_BYTES = 32;

/** A new token, for its user alone, and the entry by which a host recognizes it. */
export function newToken(name: string, role: Role, expires?: Date): { token: string; entry: TokenEntry } {
  const token = `slipway_${randomBytes(TOKEN_BYTES).toString("base64url")}`;
  return { token, entry: entryFor(token, { name, role, ...(expires && { expires: expires.toISOString() }) }) };
}

/** The entry by which a host recognizes a token that there is already. */
export function entryFor(token: string, about: Omit<TokenEntry, "sha256">): TokenEntry {
  return tokenEntry.parse({ ...about, sha256: hashOf(token).toString("hex") });
}

/** Reads a tokens file's text. Throws what JSON and zod throw. */
export function parseTokens(text: string): TokenEntry[] {
  return tokensFile.parse(JSON.parse(text)).tokens;
}

/** The entry that a token fits and that has not expired at `now` (ms). Takes the same time for each token, known or not. */
export function entryOf(token: string, entries: readonly TokenEntry[], now = Date.now()): TokenEntry | undefined {
  const hash = hashOf(token);
  let found: TokenEntry | undefined;
  for (const entry of entries) {
    if (timingSafeEqual(hash, Buffer.from(entry.sha256, "hex"))) found = entry;
  }
  return found && isValid(found, now) ? found : undefined;
}

export function isValid({ expires }: TokenEntry, now: number): boolean {
  return expires === undefined || Date.parse(expires) > now;
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
