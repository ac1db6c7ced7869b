import { createHash } from "node:crypto";

/** A host's public key as in `known_hosts`: type, and base64 of its wire form. */
export interface HostKey {
  type: string;
  base64: string;
}

const block = /-----BEGIN SSH HOST KEY KEYS-----([\s\S]*?)-----END SSH HOST KEY KEYS-----/g;
const keyText = /\b(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/]{60,}={0,2})/g;

/**
 * The host keys that cloud-init's module keys_to_console wrote on a console log: those of the newest whole block whose fingerprints stand
 * there as well. Other lines may stand between them, and tear a key: a torn one fits no fingerprint.
 */
export function hostKeysOnConsole(console: string): HostKey[] {
  const fingerprints = new Set(console.match(/SHA256:[A-Za-z0-9+/]{43}/g));
  const newest = [...console.matchAll(block)].at(-1)?.[1] ?? "";
  return [...newest.matchAll(keyText)].flatMap(([, type = "", text = ""]) => {
    const blob = Buffer.from(text, "base64");
    return fingerprints.has(fingerprintOf(blob)) ? [{ type, base64: blob.toString("base64") }] : [];
  });
}

/** `SHA256:…` as OpenSSH shows it, of a key's wire form. */
export function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}
