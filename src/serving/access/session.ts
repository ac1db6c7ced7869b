import { createHmac, timingSafeEqual } from "node:crypto";
import type { TokenStore } from "./store.ts";
import type { TokenEntry } from "./tokens.ts";

/** How long a browser stays logged in. */
export const SESSION_MS = 12 * 3600 * 1000;

/**
 * What a browser keeps instead of its token: who it is and until when, sealed with a key that only this host's frontend has. The seal
 * covers the token's hash: a token that is removed, replaced or expired ends its sessions.
 */
export function sealSession(entry: TokenEntry, key: Uint8Array, now = Date.now()): string {
  const claim = Buffer.from(JSON.stringify([entry.name, now + SESSION_MS])).toString("base64url");
  return `${claim}.${sealOf(claim, entry, key).toString("base64url")}`;
}

/** The token's entry that a session stands for; undefined for one that is forged, over, or of a token that is worth nothing any more. */
export function openSession(
  session: string,
  store: TokenStore,
  key: Uint8Array,
  now = Date.now(),
): TokenEntry | undefined {
  const [claim = "", seal = ""] = session.split(".");
  const [name, until] = claimIn(claim);
  const entry = name === undefined ? undefined : store.named(name);
  if (!entry || until === undefined || until <= now) return undefined;
  const expected = sealOf(claim, entry, key);
  const given = Buffer.from(seal, "base64url");
  return given.length === expected.length && timingSafeEqual(given, expected) ? entry : undefined;
}

function sealOf(claim: string, { sha256, role }: TokenEntry, key: Uint8Array): Buffer {
  return createHmac("sha256", key).update(`${claim} ${sha256} ${role}`).digest();
}

function claimIn(claim: string): [name?: string, until?: number] {
  try {
    const [name, until] = JSON.parse(Buffer.from(claim, "base64url").toString()) as unknown[];
    return typeof name === "string" && typeof until === "number" ? [name, until] : [];
  } catch {
    return [];
  }
}
