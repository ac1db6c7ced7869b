import { constants } from "node:fs";
import { lstat, mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { digestSchema } from "../../common/digest-schema.ts";
import { isErrno } from "../../common/errors.ts";
import { namesIn } from "../../common/files.ts";
import { LOOK_FILE } from "../../serving/frontend/releases/look.ts";
import type { GuestPaths } from "../paths.ts";

/** The largest package that is pushed, bytes: it passes through memory. */
export const MOST_PUSHED = 2 ** 30;
const MOST_REQUEST = 10_000;
const REQUEST = "request.json";
const MODEL = "model.tar";

const requestSchema = z.strictObject({
  schemaVersion: z.literal(1),
  branch: z.string().max(255),
  commit: z.string().regex(/^[0-9a-f]{40,64}$/),
  digest: digestSchema,
  /** Who pushes: the comment of the deploy key. */
  by: z.string().max(255),
  at: z.iso.datetime(),
});

/** What a push asks the host's agent for. */
export type PushRequest = z.infer<typeof requestSchema>;

/** A request that is the agent's alone. */
export interface TakenPush {
  id: string;
  request: PushRequest;
  /** The model's package as it was handed over: nobody has compared it with its digest. */
  package(): Promise<Uint8Array>;
  /** The agent is done with it. */
  forget(): Promise<void>;
}

type Places = Pick<GuestPaths, "git" | "pushes">;

/** Hands a request over to the agent, whole, and wakes it. */
export async function handOver(
  { git: { spool } }: Places,
  id: string,
  request: PushRequest,
  model: Uint8Array,
): Promise<void> {
  const work = join(spool, `.${id}`);
  await mkdir(work, { mode: 0o700 });
  await writeFile(join(work, MODEL), model, { mode: 0o600 });
  await writeFile(join(work, REQUEST), JSON.stringify(request), { mode: 0o600 });
  await rename(work, join(spool, id));
  await writeFile(join(spool, LOOK_FILE), "");
}

/** Takes a request back. @returns false where the agent has it already */
export async function withdraw({ git: { spool } }: Places, id: string): Promise<boolean> {
  try {
    await rename(join(spool, id), join(spool, `.${id}`));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
  await rm(join(spool, `.${id}`), { recursive: true, force: true });
  return true;
}

/**
 * Takes the next request out of the spool, where there is one. What lies there is an unprivileged user's: it is moved to where that one reaches
 * it no more, and nothing in it is followed that leads elsewhere. What is no request is thrown away.
 */
export async function takePush({ git: { spool }, pushes }: Places): Promise<TakenPush | undefined> {
  const ids = (await namesIn(spool)).filter((name) => /^[0-9a-f-]{36}$/.test(name)).sort();
  for (const id of ids) {
    const place = join(pushes, id);
    const forget = () => rm(place, { recursive: true, force: true });
    try {
      await mkdir(pushes, { recursive: true, mode: 0o700 });
      await rename(join(spool, id), place);
      if (!(await lstat(place)).isDirectory()) throw new Error("it is no folder");
      const request = requestSchema.parse(JSON.parse((await plainFile(join(place, REQUEST), MOST_REQUEST)).toString()));
      return { id, request, package: () => plainFile(join(place, MODEL), MOST_PUSHED), forget };
    } catch (error) {
      console.error(`a push is thrown away: ${String(error)}`);
      await forget();
    }
  }
  return undefined;
}

/** The content of a file that is no link and no larger than that. */
async function plainFile(path: string, most: number): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile() || found.size > most) throw new Error(`${path} is no file of at most ${most} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}
