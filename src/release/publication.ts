import { createPublicKey, type KeyObject } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { shortPath } from "../common/digest.ts";
import { SlipwayError } from "../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import { type Manifest, openManifest, sealManifest } from "../guest/manifest.ts";
import type { Origin, Traffic } from "../guest/release-terms.ts";
import {
  type Content,
  type Counters,
  caughtUp,
  modelsOf,
  nextManifest,
  readCounters,
  runsTheSame,
  type Terms,
  versioned,
  writeCounters,
} from "./manifest-counters.ts";
import type { ObjectStore } from "./object-store.ts";
import type { Payload } from "./payload.ts";
import { layerFiles, modelFile, type PublishedFile, refOf, tablesOf } from "./published-files.ts";
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

/** Where a stack's releases are published. */
export interface PublicationPlace {
  store: ObjectStore;
  stack: string;
  /** The stack's home. */
  home: string;
  log?: (message: string) => void;
}

/** What to publish, and where. */
export interface PublishOptions extends PublicationPlace {
  /** Packed here, or as a manifest has it: its files are in the store then. */
  payload: Payload | Manifest["payload"];
  model: { name: string; content: Uint8Array | { file: string } };
  /** What the stack's configuration tells its hosts; nothing secret. */
  settings: Manifest["settings"];
  /** The model serves beside the one that hosts follow now, as said, and does not take its place. */
  trial?: Traffic | undefined;
  /** What the settings name besides. */
  files?: PublishedFile[];
  terms?: Terms;
  /** Publish the release under a new sequence even if it is published already. */
  again?: boolean;
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
 * @throws SlipwayError E_USAGE for a trial where nothing is published beside which it could serve
 */
export async function stageRelease(options: PublishOptions): Promise<StagedRelease> {
  const { payload } = options;
  const opened = await open(options);
  const model = await modelFile(options.model.content);
  const layers = "file" in payload.runtime ? layerFiles(payload as Payload) : undefined;
  const files = [...(layers === undefined ? [] : Object.values(layers)), model, ...(options.files ?? [])];
  await Promise.all(files.map((file) => ensureObject(options, opened.container, file)));
  const { digest } = payload;
  const published =
    layers === undefined
      ? (payload as Manifest["payload"])
      : { digest, runtime: refOf(layers.runtime), app: refOf(layers.app) };
  const candidate = versioned(opened.counters, { name: options.model.name, ...refOf(model) }, opened.followed);
  return staged(opened, options, contentOf(options, published, candidate, opened.followed));
}

/** A release of this payload and model: as its model on trial, or in the place of the one that serves. */
function contentOf(
  { trial: traffic, settings }: Pick<PublishOptions, "trial" | "settings">,
  payload: Manifest["payload"],
  model: Manifest["models"][number],
  followed: Manifest | undefined,
): Content {
  if (traffic === undefined) return { payload, models: [model], settings };
  if (followed === undefined) {
    throw new SlipwayError("E_USAGE", "there is no release yet beside which a model could be on trial", {
      hint: "Run `slipway up` first.",
    });
  }
  return { payload, models: followed.models, settings, trial: { model, traffic } };
}

/**
 * Stages what was published before, or parts of it: nothing is uploaded.
 * @throws SlipwayError E_PAYLOAD_MISSING naming what is not in the store any more
 */
export async function stageKnown(
  options: PublicationPlace & { content: Content; terms?: Terms; again?: boolean },
): Promise<StagedRelease> {
  const opened = await open(options);
  const { payload, settings } = options.content;
  const files = [payload.runtime, payload.app, ...modelsOf(options.content), ...tablesOf(settings)];
  const there = await Promise.all(files.map(({ path }) => options.store.head(opened.container, path)));
  const missing = files.filter(({ size }, index) => there[index]?.size !== size).map(({ path }) => shortPath(path));
  if (missing.length > 0) {
    throw new SlipwayError("E_PAYLOAD_MISSING", `${missing.join(", ")} is not in the stack's store any more`, {
      hint: "Release the model from its folder with `slipway deploy --model`.",
    });
  }
  return staged(opened, options, options.content);
}

/** A stack's publication as it is found. */
interface Opened {
  key: KeyObject;
  container: string;
  counters: Counters;
  followed: Manifest | undefined;
  publication: Publication;
}

async function open({ store, stack, home }: PublicationPlace): Promise<Opened> {
  const key = await ensureSigningKey(home);
  const container = containerName(stack, key);
  const sourceUrl = await store.ensurePublicContainer(container);
  const [followed, remembered] = await Promise.all([publishedManifest(store, container, key), readCounters(home)]);
  const counters = followed === undefined ? remembered : caughtUp(remembered, followed);
  return {
    key,
    container,
    counters,
    followed,
    publication: { schemaVersion: 1, sourceUrl, publicKey: publicKeyText(key) },
  };
}

async function staged(
  { key, counters, followed, publication }: Opened,
  options: PublicationPlace & Pick<PublishOptions, "terms" | "again">,
  content: Content,
): Promise<StagedRelease> {
  const changed = options.again === true || followed === undefined || !runsTheSame(followed, content);
  const manifest = changed ? nextManifest(counters, options.stack, content, options.terms ?? {}) : followed;
  await writeFileAtomic(join(options.home, FILE), `${JSON.stringify(publication, null, 2)}\n`);
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
 * @param origin who publishes it now, and why
 */
export async function republish(options: PublicationPlace, manifest: Manifest, origin?: Origin): Promise<Manifest> {
  const key = await ensureSigningKey(options.home);
  const counters = await readCounters(options.home);
  const sequence = Math.max(counters.sequence, manifest.sequence) + 1;
  const next = { ...manifest, sequence, ...(origin === undefined ? {} : { origin }) };
  await putManifest(options, key, counters, next);
  return next;
}

async function putManifest(
  { store, stack, home }: PublicationPlace,
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
export async function unpublish({ store, stack, home }: PublicationPlace): Promise<void> {
  await store.removeContainer(containerName(stack, await ensureSigningKey(home)));
  await rm(join(home, FILE), { force: true });
}

/** Objects are named by digest: one of the right size is the right one. */
async function ensureObject({ store, log }: PublicationPlace, container: string, file: PublishedFile): Promise<void> {
  const found = await store.head(container, file.path);
  if (found?.size === file.size) return;
  log?.(`uploading ${shortPath(file.path)}, ${(file.size / 1e6).toFixed(1)} MB`);
  await store.put(container, file.path, file.content, { contentType: "application/octet-stream" });
}

/** The manifest that a stack's hosts follow; undefined where nothing is published. */
export async function followedManifest({ store, stack, home }: PublicationPlace): Promise<Manifest | undefined> {
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
