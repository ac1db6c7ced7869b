import { createHash } from "node:crypto";
import ssh2 from "ssh2";

/** A host's public key as in `known_hosts`: type, and base64 of its wire form. */
export interface HostKey {
  type: string;
  base64: string;
}

const block = /-----BEGIN SSH HOST KEY KEYS-----([\s\S]*?)-----END SSH HOST KEY KEYS-----/g;
const keyText = /\b(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/]{60,}={0,2})/g;

/**
 * The host keys that cloud-init's module keys_to_console wrote on a console log: those of the newest whole block. Lines of the kernel
 * may stand between them; a key that was torn by one is left out.
 */
export function hostKeysOnConsole(console: string): HostKey[] {
  const newest = [...console.matchAll(block)].at(-1)?.[1] ?? "";
  return [...newest.matchAll(keyText)].map(([, type = "", base64 = ""]) => ({ type, base64 })).filter(isWhole);
}

/** `SHA256:…` as OpenSSH shows it, of a key's wire form. */
export function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

function isWhole({ type, base64 }: HostKey): boolean {
  return !(ssh2.utils.parseKey(`${type} ${base64}`) instanceof Error);
}
