import { randomBytes } from "node:crypto";
import { access, link, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isErrno, SlipwayError } from "../../../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../../../common/files.ts";

/** The organization of every stack in a self-managed backend. */
export const organization = "organization";

/** Where a stack's files lie in a `file://` backend (pulumi/pulumi, pkg/backend/diy, project-scoped layout). */
export interface StackPaths {
  /** `organization/<project>/<stack>` */
  name: string;
  meta: string;
  checkpoint: string;
  backup: string;
  locks: string;
  history: string;
  backups: string;
}

/** The folder of a `file://` address. Throws SlipwayError E_UNSUPPORTED for any other kind. */
function backendFolder(url: string): string {
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
    meta: join(root, "meta.yaml"),
    checkpoint,
    backup: `${checkpoint}.bak`,
    locks: join(root, "locks", organization, project, stack),
    history: join(root, "history", project, stack),
    backups: join(root, "backups", project, stack),
  };
}

/** The checkpoint's text, undefined where the stack has none. Throws SlipwayError E_UNSUPPORTED for compressed ones and old layouts. */
export async function readCheckpoint(paths: StackPaths): Promise<string | undefined> {
  for (const suffix of [".gz", ".zst"]) {
    if (await exists(paths.checkpoint + suffix)) {
      throw new SlipwayError("E_UNSUPPORTED", `the state is compressed: ${paths.checkpoint}${suffix}`, {
        hint: "Unset PULUMI_DIY_BACKEND_GZIP and PULUMI_DIY_BACKEND_ZSTD and let the official engine save it once.",
      });
    }
  }
  const meta = await readTextIfExists(paths.meta);
  if (meta !== undefined && !/^version:\s*1\s*$/m.test(meta)) {
    throw new SlipwayError(
      "E_UNSUPPORTED",
      `the backend's layout is another one than the embedded engine's: ${meta.trim()}`,
      {
        hint: "Upgrade it with the official engine: pulumi state upgrade.",
      },
    );
  }
  return readTextIfExists(paths.checkpoint);
}

/** Replaces the checkpoint; the one before stays as `.bak`. On disk when it returns. */
export async function writeCheckpoint(paths: StackPaths, text: string): Promise<void> {
  if (!(await exists(paths.meta))) await writeFileAtomic(paths.meta, "version: 1\n");
  await keepAsBackup(paths);
  await writeFileAtomic(paths.checkpoint, text);
  // Go's blob library keeps a checksum beside a file; a stale one says nothing.
  await rm(`${paths.checkpoint}.attrs`, { force: true });
}

/** Ends a stack's state: its last checkpoint stays as `.bak`. */
export async function dropCheckpoint(paths: StackPaths): Promise<void> {
  await keepAsBackup(paths);
  for (const path of [paths.checkpoint, `${paths.checkpoint}.attrs`]) await rm(path, { force: true });
}

/** A hard link costs nothing: the checkpoint is replaced by renaming, so the old content lives on under the second name. */
async function keepAsBackup(paths: StackPaths): Promise<void> {
  const temporary = `${paths.backup}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await link(paths.checkpoint, temporary);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return; // the first save has nothing to keep
    throw error;
  }
  await rename(temporary, paths.backup);
  // rename() of two names of one file does nothing and leaves the first
  await rm(temporary, { force: true });
  await rm(`${paths.backup}.attrs`, { force: true });
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/** True where a stack has state. */
export async function hasState(paths: StackPaths): Promise<boolean> {
  try {
    return (await stat(paths.checkpoint)).isFile();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}
