import { stat } from "node:fs/promises";
import { type Digest, digestOf, digestOfFile, hexOf } from "../common/digest.ts";
import { messageOf, SlipwayError } from "../common/errors.ts";
import type { Manifest } from "../guest/manifest.ts";
import type { Layer } from "./layer-cache.ts";
import type { ObjectContent } from "./object-store.ts";
import type { Payload } from "./payload.ts";

/** A file as a manifest names it. */
type FileRef = Pick<Manifest["models"][number], "path" | "digest" | "size">;

/** A file that is published, by its digest. */
export interface PublishedFile {
  path: string;
  digest: Digest;
  size: number;
  content: ObjectContent;
}

/** Where a model's package lies in a stack's store. */
export function modelPath(digest: Digest): string {
  return `models/${hexOf(digest)}.tar`;
}

export async function modelFile(content: Uint8Array | { file: string }): Promise<PublishedFile> {
  const inMemory = content instanceof Uint8Array;
  const digest = inMemory ? digestOf(content) : await digestOfFile(content.file);
  const size = inMemory ? content.length : (await stat(content.file)).size;
  return { path: modelPath(digest), digest, size, content };
}

/** The table of a gate that hosts judge by themselves. Throws SlipwayError E_CONFIG_INVALID where it cannot be read. */
export async function tableFile(file: string): Promise<PublishedFile> {
  try {
    const digest = await digestOfFile(file);
    return { path: `tables/${hexOf(digest)}.csv`, digest, size: (await stat(file)).size, content: { file } };
  } catch (cause) {
    throw new SlipwayError("E_CONFIG_INVALID", `the gate's table: ${messageOf(cause)}`, {
      cause,
      hint: "Paths of tables are from the project's root.",
    });
  }
}

/** The tables that hosts need besides payload and models. */
export function tablesOf({ git }: Manifest["settings"]): FileRef[] {
  return git?.accuracy ? [git.accuracy.table] : [];
}

export function layerFiles({ runtime, app }: Payload): Record<"runtime" | "app", PublishedFile> {
  return { runtime: layerFile(runtime), app: layerFile(app) };
}

function layerFile(layer: Layer): PublishedFile {
  return {
    path: `layers/${hexOf(layer.digest)}.tar.gz`,
    digest: layer.digest,
    size: layer.size,
    content: { file: layer.file },
  };
}

/** As a manifest names it. */
export function refOf({ path, digest, size }: PublishedFile): FileRef {
  return { path, digest, size };
}
