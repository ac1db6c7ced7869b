import { join } from "node:path";
import { type Digest, digestOf } from "../common/digest.ts";
import { cacheHome } from "../common/home.ts";
import { appEntries, appRecipe } from "./app-layer.ts";
import { cachedLayer, type Layer } from "./layer-cache.ts";
import { type Architecture, runtimeEntries, runtimeParts, runtimeRecipe } from "./runtime-layer.ts";

/** Our software for hosts: Node and ONNX Runtime, and the bundles that run on them. */
export interface Payload {
  /** Names the payload: over its layers' digests. */
  digest: Digest;
  runtime: Layer;
  app: Layer;
}

/** How to build a payload. */
export interface PayloadOptions {
  projectRoot: string;
  /** Of the hosts; the machine's own unless told otherwise. */
  arch?: Architecture;
  /** Where layers are kept. */
  cache?: string;
  log?: (message: string) => void;
}

/**
 * Builds the payload, or finds it in the cache: the same sources and lockfile give the same digest.
 * @throws SlipwayError E_PAYLOAD_MISSING when a package that hosts need is not installed
 */
export async function buildPayload(options: PayloadOptions): Promise<Payload> {
  const { projectRoot, arch = process.arch === "arm64" ? "arm64" : "x64", cache = cacheHome(), log } = options;
  const folder = join(cache, "layers");
  const parts = await runtimeParts(projectRoot, arch);
  const [runtime, app] = await Promise.all([
    cachedLayer(folder, runtimeRecipe(parts), () => runtimeEntries(parts)),
    cachedLayer(folder, await appRecipe(projectRoot), () => appEntries(projectRoot)),
  ]);
  for (const [name, { layer, packed }] of Object.entries({ runtime, app })) {
    if (packed) log?.(`packed the ${name} layer, ${(layer.size / 1e6).toFixed(1)} MB`);
  }
  return { digest: payloadDigest(runtime.layer, app.layer), runtime: runtime.layer, app: app.layer };
}

/** The digest that names a payload of these layers. */
export function payloadDigest(runtime: { digest: Digest }, app: { digest: Digest }): Digest {
  return digestOf(`runtime ${runtime.digest}\napp ${app.digest}\n`);
}
