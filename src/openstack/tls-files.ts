import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { textOf } from "./cloud-entry.ts";
import type { CloudEntry } from "./clouds-file.ts";
import type { TlsSettings } from "./credentials.ts";

/**
 * How the cloud's certificate is checked, and which one is shown to it.
 * @param paths what `~` stands for, and where relative paths start
 * @param where whose entry it is, for messages
 * @throws SlipwayError E_CREDENTIALS_MISSING for a file that cannot be read, and for a certificate without its key
 */
export async function tlsOf(
  entry: CloudEntry,
  paths: { home: string; cwd: string },
  where: string,
): Promise<TlsSettings> {
  const pem = async (key: "cacert" | "cert" | "key"): Promise<string | undefined> => {
    const value = textOf(entry[key]);
    if (value === undefined || value.includes("-----BEGIN")) return value;
    try {
      const path = value.replace(/^~(?=\/)/, () => paths.home);
      return await readFile(resolve(paths.cwd, path), "utf8");
    } catch (error) {
      throw new SlipwayError(
        "E_CREDENTIALS_MISSING",
        `${where} has a ${key} that cannot be read: ${messageOf(error)}`,
        {
          hint: "Correct the path; relative ones start at the working directory.",
          cause: error,
        },
      );
    }
  };
  const [ca, cert, ownKey] = await Promise.all([pem("cacert"), pem("cert"), pem("key")]);
  const key = ownKey ?? (cert?.includes("PRIVATE KEY-----") ? cert : undefined); // one file may hold both
  if (cert !== undefined && key === undefined) {
    throw new SlipwayError("E_CREDENTIALS_MISSING", `${where} has a cert and lacks its key`, {
      hint: "Name the private key's file with key in clouds.yaml, or with OS_KEY.",
    });
  }
  return {
    verify: entry.verify !== false && !isTrue(entry.insecure),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert, key }),
  };
}

/** A flag, as YAML, a variable or Pulumi's configuration writes it. */
function isTrue(value: unknown): boolean {
  return ["true", "1"].includes(textOf(value)?.toLowerCase() ?? "");
}
