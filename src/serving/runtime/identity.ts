import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { messageOf, SlipwayError } from "../../common/errors.ts";

/** Who one is between runtimes and frontends, as PEM texts: a certificate, its key, and the authority whose certificates count. */
export interface Identity {
  cert: string;
  key: string;
  ca: string;
}

/** Paths of the files that hold them. */
export type IdentityFiles = Identity;

/** Who asks runtimes, and whose word for them counts. */
export interface AskingIdentity extends Identity {
  /** The name that a runtime's certificate is for, where that is not its host. */
  serverName?: string | undefined;
}

/** Whether only this host can reach, or be, the address. */
export function isLoopback(host: string): boolean {
  if (host === "localhost" || host === "::1") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}

/**
 * Reads an identity's files; undefined where there are none.
 * @throws SlipwayError E_CONFIG_INVALID when there are none for an address of the network, or one cannot be read
 */
export async function identityFor<T extends IdentityFiles>(
  host: string,
  files: T | undefined,
  setting: string,
): Promise<T | undefined> {
  if (files !== undefined) return readIdentity(files, setting);
  if (isLoopback(host)) return undefined;
  throw new SlipwayError("E_CONFIG_INVALID", `serving.json: ${setting} is at ${host} and has no tls`, {
    hint: "Between hosts runtimes speak mutual TLS alone: give cert, key and ca.",
  });
}

/**
 * The same with the files' texts in place of their paths.
 * @throws SlipwayError E_CONFIG_INVALID when one cannot be read
 */
export async function readIdentity<T extends IdentityFiles>(files: T, setting: string): Promise<T> {
  const read = (path: string) => readSettingFile(path, setting);
  const [cert, key, ca] = await Promise.all([read(files.cert), read(files.key), read(files.ca)]);
  return { ...files, cert, key, ca };
}

/** The text of a file that a key of serving.json names. Throws SlipwayError E_CONFIG_INVALID where it cannot be read. */
export async function readSettingFile(path: string, setting: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw new SlipwayError("E_CONFIG_INVALID", `serving.json: ${setting}: ${messageOf(cause)}`, { cause });
  });
}
