import { basename, join } from "node:path";
import { z } from "zod";
import { namesIn, readTextIfExists, writeFileAtomic } from "../../common/files.ts";

const ENDING = ".recycled";

const recyclings = z.object({ times: z.number().int(), lastAt: z.number() });

/** How often a runtime has made room for a fresh process, and when it last did, in milliseconds since 1970. */
export type Recyclings = z.infer<typeof recyclings>;

/** Counts that a runtime makes room for a fresh process: whoever starts it again sees no more than that it ended. */
export async function noteRecycling(runtimeDir: string, instance: string): Promise<void> {
  const times = (await read(runtimeDir, instance))?.times ?? 0;
  const noted: Recyclings = { times: times + 1, lastAt: Date.now() };
  await writeFileAtomic(fileOf(runtimeDir, instance), JSON.stringify(noted));
}

/** The same of all runtimes that ever did since the host booted, by `<group>-<replica>`. */
export async function notedRecyclings(runtimeDir: string): Promise<Map<string, Recyclings>> {
  const instances = (await namesIn(runtimeDir))
    .filter((name) => name.endsWith(ENDING))
    .map((name) => basename(name, ENDING));
  const found = await Promise.all(
    instances.map(async (instance) => [instance, await read(runtimeDir, instance)] as const),
  );
  return new Map(found.flatMap(([instance, noted]) => (noted ? [[instance, noted]] : [])));
}

async function read(runtimeDir: string, instance: string): Promise<Recyclings | undefined> {
  const text = await readTextIfExists(fileOf(runtimeDir, instance));
  try {
    return text === undefined ? undefined : recyclings.parse(JSON.parse(text));
  } catch {
    return undefined; // not what a runtime writes
  }
}

function fileOf(runtimeDir: string, instance: string): string {
  return join(runtimeDir, `${instance}${ENDING}`);
}
