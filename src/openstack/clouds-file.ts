import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import { SlipwayError } from "../common/errors.ts";
import { readTextIfExists } from "../common/files.ts";

/** One entry of clouds.yaml, as text wrote it. */
export type CloudEntry = Record<string, unknown> & { auth?: Record<string, unknown> };

/** Where clouds.yaml is looked for. */
export interface CloudsFileSearch {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Files that are asked when the user's own does not have the entry: the embedded cloud's. */
  extraFiles?: string[];
}

/** A found entry and the file that has it. */
export interface FoundCloud {
  entry: CloudEntry;
  file: string;
}

/**
 * The paths in openstacksdk's order: OS_CLIENT_CONFIG_FILE, working directory, `~/.config/openstack`, `/etc/openstack`.
 * @see https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html
 */
export function cloudsFileCandidates({ env = process.env, cwd = process.cwd() }: CloudsFileSearch): string[] {
  const folders = [cwd, join(env.HOME ?? homedir(), ".config", "openstack"), "/etc/openstack"];
  const named = env.OS_CLIENT_CONFIG_FILE ? [env.OS_CLIENT_CONFIG_FILE] : [];
  return [...named, ...folders.flatMap((folder) => [join(folder, "clouds.yaml"), join(folder, "clouds.yml")])];
}

/**
 * The named entry, with what secure.yaml adds; without a name, the only entry of the first file found.
 * As in openstacksdk the first file wins as a whole; the extra files follow where it lacks the entry.
 * @returns undefined where there is no such entry
 */
export async function findCloud(name: string | undefined, search: CloudsFileSearch): Promise<FoundCloud | undefined> {
  const own = await firstExisting(cloudsFileCandidates(search));
  for (const file of [...(own === undefined ? [] : [own]), ...(search.extraFiles ?? [])]) {
    const clouds = await readClouds(file);
    const names = Object.keys(clouds);
    const chosen = name ?? (names.length === 1 ? names[0] : undefined);
    if (chosen === undefined || clouds[chosen] === undefined) continue;
    const secret = (await readSecure(file, search))[chosen] ?? {};
    return { entry: mergeDeep(clouds[chosen], secret), file };
  }
  return undefined;
}

async function readClouds(file: string): Promise<Record<string, CloudEntry>> {
  const text = await readTextIfExists(file);
  if (text === undefined) return {};
  let parsed: unknown;
  try {
    parsed = parse(text);
  } catch (error) {
    throw new SlipwayError("E_CREDENTIALS_MISSING", `${file} is not valid YAML: ${firstLine(error)}`, {
      hint: "Correct the file; its form is described in openstacksdk's documentation of clouds.yaml.",
      cause: error,
    });
  }
  return ((parsed as { clouds?: Record<string, CloudEntry> } | null)?.clouds ?? {}) as Record<string, CloudEntry>;
}

/** secure.yaml: OS_CLIENT_SECURE_FILE, else beside the file in use. */
async function readSecure(
  cloudsFile: string,
  { env = process.env }: CloudsFileSearch,
): Promise<Record<string, CloudEntry>> {
  const named = env.OS_CLIENT_SECURE_FILE;
  const beside = ["secure.yaml", "secure.yml"].map((name) => join(dirname(cloudsFile), name));
  const file = named ?? (await firstExisting(beside));
  return file === undefined ? {} : readClouds(file);
}

async function firstExisting(paths: string[]): Promise<string | undefined> {
  for (const path of paths) if ((await readTextIfExists(path)) !== undefined) return path;
  return undefined;
}

/** Objects are merged, everything else is replaced by the later value. */
function mergeDeep(base: CloudEntry, over: CloudEntry): CloudEntry {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = merged[key];
    merged[key] = isObject(old) && isObject(value) ? mergeDeep(old, value) : value;
  }
  return merged;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n")[0] ?? "";
}
