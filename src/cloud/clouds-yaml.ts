import { mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { type Document, isMap, parseDocument } from "yaml";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import { tryLock } from "../common/kernel-lock.ts";
import { waitFor } from "../common/wait.ts";
import type { Credentials, Login } from "./credentials.ts";
import { defaultDomain } from "./identity/accounts.ts";
import { region } from "./identity/catalog.ts";

/** The entry of an embedded cloud that has no name. */
export const usualEntry = "slipway";

/** The names of a cloud's entries in clouds.yaml: the user that stacks are made by, and the administrator. */
const entriesNamed = (entry: string) => ({ demo: entry, admin: `${entry}-admin` });

/** A clouds.yaml with an embedded cloud's two entries; what else `existing` holds stays, comments too. */
export function withCloudEntries(
  existing: string | undefined,
  authUrl: string,
  credentials: Credentials,
  entry = usualEntry,
): string {
  const document = parseDocument(existing?.trim() ? existing : "");
  if (!document.has("clouds")) document.set("clouds", document.createNode({}));
  const names = entriesNamed(entry);
  document.setIn(["clouds", names.demo], document.createNode(entryOf(authUrl, credentials.demo)));
  document.setIn(["clouds", names.admin], document.createNode(entryOf(authUrl, credentials.admin)));
  return document.toString();
}

/** The same without them; undefined where no cloud is left in it. */
export function withoutCloudEntries(existing: string, entry: string): string | undefined {
  const document: Document = parseDocument(existing);
  for (const name of Object.values(entriesNamed(entry))) {
    if (document.hasIn(["clouds", name])) document.deleteIn(["clouds", name]);
  }
  const clouds = document.get("clouds");
  return isMap(clouds) && clouds.items.length > 0 ? document.toString() : undefined;
}

/** How long another process may take with the file: it writes some lines. */
const editMs = 10_000;

/** Changes a file that several clouds have their entries in, one after the other; undefined removes it. */
export async function editCloudsFile(
  file: string,
  change: (text: string | undefined) => string | undefined,
): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const free = async () => tryLock(`${file}.lock`);
  const lock = await waitFor(`another process to be done with ${file}`, free, { timeoutMs: editMs, intervalMs: 10 });
  try {
    const before = await readTextIfExists(file);
    const after = change(before);
    if (after === undefined) await rm(file, { force: true });
    else if (after !== before) await writeFileAtomic(file, after);
  } finally {
    lock.release();
  }
}

function entryOf(authUrl: string, login: Login): unknown {
  return {
    auth: {
      auth_url: authUrl,
      username: login.username,
      password: login.password,
      project_name: login.projectName,
      user_domain_name: defaultDomain.name,
      project_domain_name: defaultDomain.name,
    },
    region_name: region,
    identity_api_version: 3,
    interface: "public",
  };
}
