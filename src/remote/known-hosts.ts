import { createHmac } from "node:crypto";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import type { HostKey } from "./host-keys.ts";

/**
 * The keys that an OpenSSH `known_hosts` file has for a name: a host's address as OpenSSH writes it, or an alias. Revoked keys and those of
 * certificate authorities are left out.
 * @see sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"
 */
export async function knownHostKeys(file: string, name: string): Promise<HostKey[]> {
  const lines = ((await readTextIfExists(file)) ?? "").split("\n");
  return lines.flatMap((line) => {
    const [names = "", type = "", base64 = ""] = line.trim().split(/\s+/);
    return base64 !== "" && !/^[#@]/.test(names) && isFor(name, names) ? [{ type, base64 }] : [];
  });
}

/** Makes these the keys that a name must present from now on. */
export async function pinHostKeys(file: string, name: string, keys: HostKey[]): Promise<void> {
  const lines = ((await readTextIfExists(file)) ?? "").split("\n").filter((line) => line !== "");
  const others = lines.filter((line) => !isFor(name, line.split(/\s/)[0] ?? ""));
  const own = keys.map(({ type, base64 }) => `${name} ${type} ${base64}`);
  if (own.length > 0 || others.length < lines.length)
    await writeFileAtomic(file, `${[...others, ...own].join("\n")}\n`);
}

/** The next contact with a name is its first again. */
export function forgetHostKeys(file: string, name: string): Promise<void> {
  return pinHostKeys(file, name, []);
}

/** The name under which `known_hosts` keeps an address. */
export function knownName(host: string, port: number): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

function isFor(name: string, names: string): boolean {
  return names.split(",").some((pattern) => (pattern.startsWith("|1|") ? isHashOf(name, pattern) : pattern === name));
}

/** `|1|salt|HMAC-SHA1 of the name`, both in base64. */
function isHashOf(name: string, pattern: string): boolean {
  const [, , salt = "", hash = ""] = pattern.split("|");
  return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
}
