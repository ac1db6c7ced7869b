import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, hexOf } from "../../common/digest.ts";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../../common/files.ts";
import { tryLock } from "../../common/kernel-lock.ts";
import { waitFor } from "../../common/wait.ts";
import { emptyRegistry, type Registry, registrySchema } from "./registry.ts";

const FILE = "registry.json";
const LOCK = "registry.lock";
const LOCK_TIMEOUT_MS = 10_000;
/** Root's bootstrap and the services write it in turn. */
const MODE = 0o664;

/** The folder of a model's unpacked package. */
export function modelFolder(modelsDir: string, digest: Digest): string {
  return join(modelsDir, hexOf(digest));
}

/** The registry of a folder of models; an empty one where nothing was registered yet. Throws SlipwayError E_MODEL_INVALID for a damaged file. */
export async function readRegistry(modelsDir: string): Promise<Registry> {
  const text = await readTextIfExists(join(modelsDir, FILE));
  if (text === undefined) return emptyRegistry;
  try {
    return registrySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new SlipwayError("E_MODEL_INVALID", `${FILE} is damaged: ${messageOf(cause)}`, {
      hint: "Remove it and deliver the release again.",
      cause,
    });
  }
}

/** Changes the registry; of two at once one waits for the other. @returns the changed registry */
export async function updateRegistry(modelsDir: string, change: (registry: Registry) => Registry): Promise<Registry> {
  await mkdir(modelsDir, { recursive: true });
  const lock = await waitFor("the models' registry", async () => tryLock(join(modelsDir, LOCK)), {
    timeoutMs: LOCK_TIMEOUT_MS,
  });
  try {
    const old = await readRegistry(modelsDir);
    const changed = change(old);
    if (changed !== old) await writeFileAtomic(join(modelsDir, FILE), `${JSON.stringify(changed, null, 2)}\n`, MODE);
    return changed;
  } finally {
    lock.release();
  }
}
