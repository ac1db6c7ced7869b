import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isErrno, messageOf, SlipwayError } from "../../../common/errors.ts";
import { namesIn, pathExists, readTextIfExists, writeFileAtomic } from "../../../common/files.ts";
import { copyBlob, moveBlob, writeBlob, writing } from "./blob.ts";
import { damaged } from "./checkpoint.ts";
import { mediaTypeOf, pack, unpack } from "./packing.ts";
import { type BackendSwitches, backendSwitches, type Packing } from "./switches.ts";

/** The organization of every stack in a self-managed backend. */
export const organization = "organization";

/** Where a stack's files lie in a `file://` backend (pulumi/pulumi, pkg/backend/diy, project-scoped layout). */
export interface StackPaths {
  /** `organization/<project>/<stack>` */
  name: string;
  /** Folder of everything that Pulumi keeps: `.pulumi`. */
  root: string;
  meta: string;
  /** Without the ending that says how it is packed. */
  checkpoint: string;
  tags: string;
  locks: string;
  history: string;
  backups: string;
  switches: BackendSwitches;
}

/** The folder of a `file://` address. Throws SlipwayError E_UNSUPPORTED for any other kind. */
export function backendFolder(url: string): string {
  if (!url.startsWith("file://")) {
    throw new SlipwayError("E_UNSUPPORTED", `the embedded engine keeps state in files only, not in ${url}`, {
      hint: "Set PULUMI_BACKEND_URL to a file:// address, or use the official engine.",
    });
  }
  const [path = ""] = url.slice("file://".length).split("?");
  if (path.startsWith("~")) return join(homedir(), path.slice(1));
  return path.startsWith("/") ? fileURLToPath(`file://${path}`) : resolve(path);
}

/** The files of one stack. */
export function stackPaths(backendUrl: string, project: string, stack: string): StackPaths {
  const root = join(backendFolder(backendUrl), ".pulumi");
  const checkpoint = join(root, "stacks", project, `${stack}.json`);
  return {
    name: `${organization}/${project}/${stack}`,
    root,
    meta: join(root, "meta.yaml"),
    checkpoint,
    tags: join(root, "stacks", project, `${stack}.pulumi-tags`),
    locks: join(root, "locks", organization, project, stack),
    history: join(root, "history", project, stack),
    backups: join(root, "backups", project, stack),
    switches: backendSwitches(),
  };
}

/** Every ending that a checkpoint's name may have. */
const packings: readonly Packing[] = ["", ".gz", ".zst"];

/** How the stack's checkpoint is packed: of several files the newest counts, as for the official engine. Undefined where there is none. */
async function storedPacking({ checkpoint }: StackPaths): Promise<Packing | undefined> {
  const found = await Promise.all(
    packings.map(async (packing) => ({ packing, time: await modified(checkpoint + packing) })),
  );
  let newest: { packing: Packing; time: number } | undefined;
  for (const { packing, time } of found) {
    if (time !== undefined && (newest === undefined || time >= newest.time)) newest = { packing, time };
  }
  return newest?.packing;
}

async function modified(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.mtimeMs : undefined;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** True where a stack has state. */
export async function hasState(paths: StackPaths): Promise<boolean> {
  return (await storedPacking(paths)) !== undefined;
}

/** The file that holds a stack's state, under its whole name; undefined where there is none. */
async function checkpointFile(paths: StackPaths): Promise<string | undefined> {
  const packing = await storedPacking(paths);
  return packing === undefined ? undefined : paths.checkpoint + packing;
}

/** A checkpoint's text and the file that it is in, undefined where the stack has none. Throws SlipwayError E_UNSUPPORTED, E_STATE_DAMAGED. */
export async function readCheckpoint(paths: StackPaths): Promise<{ file: string; text: string } | undefined> {
  await requireProjectLayout(paths);
  const file = await checkpointFile(paths);
  if (file === undefined) return undefined;
  try {
    return { file, text: await unpack(await readFile(file)) };
  } catch (cause) {
    throw damaged(file, messageOf(cause), cause);
  }
}

/** Throws SlipwayError E_UNSUPPORTED for a backend that keeps stacks of all projects in one folder. */
async function requireProjectLayout({ root, meta, switches }: StackPaths): Promise<void> {
  const text = await readTextIfExists(meta);
  const isOther = text === undefined ? await isLegacy(root, switches) : !/^version:\s*1\s*$/m.test(text);
  if (!isOther) return;
  throw new SlipwayError(
    "E_UNSUPPORTED",
    `the backend's layout is another one than the embedded engine's: ${text?.trim() ?? "stacks without their project"}`,
    { hint: "Upgrade it with the official engine: pulumi state upgrade." },
  );
}

/** A backend that does not say so is an old one where it has stacks, or where the environment wants it so. */
async function isLegacy(root: string, { legacyLayout }: BackendSwitches): Promise<boolean> {
  return legacyLayout || (await namesIn(join(root, "stacks"))).some((name) => /\.json(\.gz|\.zst)?$/.test(name));
}

/** Replaces the checkpoint; the one before stays as `.bak`. On disk when it returns. Throws SlipwayError E_STATE_UNWRITABLE. */
export function writeCheckpoint(paths: StackPaths, text: string): Promise<void> {
  return writing(paths.checkpoint, () => replaceCheckpoint(paths, text));
}

async function replaceCheckpoint(paths: StackPaths, text: string): Promise<void> {
  await requireLayoutFile(paths);
  const before = await storedPacking(paths);
  const packing = packingOf(paths, before);
  const file = paths.checkpoint + packing;
  const bytes = await pack(text, packing);
  await copyBlob(file, `${file}.bak`);
  await writeBlob(file, bytes, mediaTypeOf(packing));
  // only once the new one is there: a crash in between leaves two, of which the newer counts
  if (before !== undefined && before !== packing) await retire(paths.checkpoint + before);
  if (paths.switches.retainCheckpoints) await writeBlob(`${file}.${unixNano(new Date())}`, bytes, mediaTypeOf(packing));
}

/** What the stack's next save is packed as. */
function packingOf({ switches }: StackPaths, stored: Packing | undefined): Packing {
  return switches.packing ?? stored ?? "";
}

/** What the stack's files besides the checkpoint are packed as. */
export async function currentPacking(paths: StackPaths): Promise<Packing> {
  return packingOf(paths, await storedPacking(paths));
}

async function requireLayoutFile({ meta }: StackPaths): Promise<void> {
  if (!(await pathExists(meta))) await writeFileAtomic(meta, "version: 1\n");
}

/** Ends a stack's state: its last checkpoint stays as `.bak`. */
export async function dropCheckpoint(paths: StackPaths): Promise<void> {
  for (const packing of packings) await retire(paths.checkpoint + packing);
}

async function retire(file: string): Promise<void> {
  await moveBlob(file, `${file}.bak`);
}

/** The stacks of a project that have state, sorted. */
export async function stacksWithState(backendUrl: string, project: string): Promise<string[]> {
  const folder = dirname(stackPaths(backendUrl, project, "any").checkpoint);
  const names = (await namesIn(folder)).flatMap((name) => /^(.+)\.json(?:\.gz|\.zst)?$/.exec(name)?.[1] ?? []);
  return [...new Set(names)].sort();
}

/** Pulumi names files by nanoseconds; the clock of JavaScript ends at milliseconds. */
export function unixNano(moment: Date): string {
  return `${moment.getTime()}000000`;
}
