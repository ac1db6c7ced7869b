import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { readTextIfExists, writeFileAtomic } from "../../common/files.ts";

/** Where the key lies: in the state folder, which only its owner can enter. */
const keyFile = (stateDir: string) => join(stateDir, "dashboard.key");

/** What lets a browser in: random, made at the cloud's first start, and kept. Who can read it owns the cloud. */
export async function ensureDashboardKey(stateDir: string): Promise<string> {
  const found = await readTextIfExists(keyFile(stateDir));
  if (found !== undefined && found !== "") return found;
  const key = randomBytes(24).toString("base64url");
  await writeFileAtomic(keyFile(stateDir), key);
  return key;
}

/** The page's address with its key, which browsers send to nobody: it stands behind the `#`. Undefined where there is no key yet. */
export async function dashboardAddress(stateDir: string, port: number): Promise<string | undefined> {
  const key = await readTextIfExists(keyFile(stateDir));
  return key === undefined ? undefined : `http://127.0.0.1:${port}/dashboard#${key}`;
}
