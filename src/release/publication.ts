import { createPublicKey, type KeyObject } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type Digest, digestOf, digestOfFile, hexOf, shortPath } from "../common/digest.ts";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import { type Manifest, openManifest, sealManifest } from "../guest/manifest.ts";
import type { Layer } from "./layer-cache.ts";
import {
  type Counters,
  caughtUp,
  isRelease,
  nextManifest,
  type Release,
  readCounters,
  writeCounters,
} from "./manifest-counters.ts";
import type { ObjectContent, ObjectStore } from "./object-store.ts";
import type { Payload } from "./payload.ts";
import { containerName, ensureSigningKey, publicKeyText } from "./signing-key.ts";

const FILE = "publication.json";
const MANIFEST = "manifest";

const publicationSchema = z.object({
  schemaVersion: z.literal(1),
  /** Base URL of what the hosts fetch; without a slash at its end. */
  sourceUrl: z.string(),
  /** Base64 of SPKI DER. */
  publicKey: z.string(),
});

/** Where a stack's hosts find their release: `publication.json` in the stack's home, which the Pulumi program reads. */
type Publication = z.infer<typeof publicationSchema>;

/** Where the stack's hosts look for their release since it was published; undefined before, and where the note of it is damaged. */
export async function publishedSource(home: string): Promise<string | undefined> {
  const text = await readTextIfExists(join(home, FILE));
  if (text === undefined) return undefined;
  try {
    return publicationSchema.parse(JSON.parse(text)).sourceUrl;
  } catch {
    return undefined; // the next publication writes it anew
  }
}

/** What to publish, and where. */
export interface PublishOptions {
  store: ObjectStore;
  stack: string;
  payload: Payload;
  model: { name: string; content: Uint8Array | { file: string } };
  /** What the stack's configuration tells its hosts; nothing secret. */
  settings: Manifest["settings"];
  /** The stack's home. */
  home: string;
  log?: (message: string) => void;
}

/** A release whose files are in the store, while hosts follow what they followed before. */
export interface StagedRelease extends Publication {
  manifest: Manifest;
  /** False when the same release is published already. */
  changed: boolean;
  /** What hosts follow until {@link StagedRelease.publish}, where that changes it. */
  replaced: Manifest | undefined;
  /** Puts the manifest, the last and smallest step: from here on hosts follow this release. A second call does nothing. */
  publish(): Promise<void>;
}

/**
 * Stages a release: layers and model by digest where the store has none of them, and the note of where they are. The sequence grows
 * only when the release is another one.
 */
export async function stageRelease(options: PublishOptions): Promise<StagedRelease> {
  const { store, stack, payload, home } = options;
  const key = await ensureSigningKey(home);
  const container = containerName(stack, key);
  const sourceUrl = await store.ensurePublicContainer(container);
  const files = {
    runtime: layerFile(payload.runtime),
    app: layerFile(payload.app),
    model: await modelFile(options.model),
  };
  await Promise.all(Object.values(files).map((file) => ensureObject(options, container, file)));

  const followed = await publishedManifest(store, container, key);
  const remembered = await readCounters(home);
  const counters = followed === undefined ? remembered : caughtUp(remembered, followed);
  const release: Release = {
    payload: { digest: payload.digest, runtime: refOf(files.runtime), app: refOf(files.app) },
    model: refOf(files.model),
    settings: options.settings,
  };
  const changed = followed === undefined || !isRelease(followed, options.model.name, release);
  const manifest = changed ? nextManifest(counters, stack, options.model.name, release) : followed;
  const publication: Publication = { schemaVersion: 1, sourceUrl, publicKey: publicKeyText(key) };
  await writeFileAtomic(join(home, FILE), `${JSON.stringify(publication, null, 2)}\n`);
  let done = !changed;
  return {
    ...publication,
    manifest,
    changed,
    replaced: changed ? followed : undefined,
    async publish() {
      if (done) return;
      await putManifest(options, key, counters, manifest);
      done = true;
    },
  };
}

/**
 * Publishes an earlier release again, under a sequence of its own: hosts that boot later must not find one that failed its gate.
 * @param manifest as {@link StagedRelease.replaced} has it; its layers and model are in the store still
 */
export async function republish(
  options: Pick<PublishOptions, "store" | "stack" | "home">,
  manifest: Manifest,
): Promise<Manifest> {
  const key = await ensureSigningKey(options.home);
  const counters = await readCounters(options.home);
  const next = { ...manifest, sequence: Math.max(counters.sequence, manifest.sequence) + 1 };
  await putManifest(options, key, counters, next);
  return next;
}

async function putManifest(
  { store, stack, home }: Pick<PublishOptions, "store" | "stack" | "home">,
  key: KeyObject,
  counters: Counters,
  manifest: Manifest,
): Promise<void> {
  // counted before it is published: a number that a host may have seen is never given twice
  await writeCounters(home, caughtUp(counters, manifest));
  const document = sealManifest(manifest, key);
  await store.put(containerName(stack, key), MANIFEST, document, { contentType: "text/plain; charset=utf-8" });
}

/** Removes the stack's container and the note of it; the stack's key and counters stay for its next life. */
export async function unpublish({
  store,
  stack,
  home,
}: Pick<PublishOptions, "store" | "stack" | "home">): Promise<void> {
  await store.removeContainer(containerName(stack, await ensureSigningKey(home)));
  await rm(join(home, FILE), { force: true });
}

interface PublishedFile {
  path: string;
  digest: Digest;
  size: number;
  content: ObjectContent;
}

async function modelFile({ content }: PublishOptions["model"]): Promise<PublishedFile> {
  const inMemory = content instanceof Uint8Array;
  const digest = inMemory ? digestOf(content) : await digestOfFile(content.file);
  const size = inMemory ? content.length : (await stat(content.file)).size;
  return { path: `models/${hexOf(digest)}.tar`, digest, size, content };
}

function layerFile(layer: Layer): PublishedFile {
  return {
    path: `layers/${hexOf(layer.digest)}.tar.gz`,
    digest: layer.digest,
    size: layer.size,
    content: { file: layer.file },
  };
}

function refOf({ path, digest, size }: PublishedFile): { path: string; digest: Digest; size: number } {
  return { path, digest, size };
}

/** Objects are named by digest: one of the right size is the right one. */
async function ensureObject({ store, log }: PublishOptions, container: string, file: PublishedFile): Promise<void> {
  const found = await store.head(container, file.path);
  if (found?.size === file.size) return;
  log?.(`uploading ${shortPath(file.path)}, ${(file.size / 1e6).toFixed(1)} MB`);
  await store.put(container, file.path, file.content, { contentType: "application/octet-stream" });
}

/** The manifest that a stack's hosts follow; undefined where nothing is published. */
export async function followedManifest({
  store,
  stack,
  home,
}: Pick<PublishOptions, "store" | "stack" | "home">): Promise<Manifest | undefined> {
  const key = await ensureSigningKey(home);
  return publishedManifest(store, containerName(stack, key), key);
}

/** The manifest that hosts see now; undefined where there is none of this stack's key. */
async function publishedManifest(store: ObjectStore, container: string, key: KeyObject): Promise<Manifest | undefined> {
  const document = await store.get(container, MANIFEST);
  if (document === undefined) return undefined;
  try {
    return openManifest(Buffer.from(document).toString("utf8"), createPublicKey(key));
  } catch {
    return undefined; // hosts refuse it as well; a good one replaces it
  }
}
