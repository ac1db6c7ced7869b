import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { hexOf } from "../common/digest.ts";
import { pointLink } from "./links.ts";
import type { Manifest } from "./manifest.ts";
import type { GuestPaths } from "./paths.ts";
import { ensureUnpacked } from "./source.ts";

type Payload = Manifest["payload"];

const LAYER_TIMEOUT_MS = 300_000;

/** Brings the payload's layers onto the host and returns its folder: `runtime` and `app` are links to the layers. */
export async function ensurePayload(paths: GuestPaths, sourceUrl: string, payload: Payload): Promise<string> {
  const folder = join(paths.payloads, hexOf(payload.digest));
  await mkdir(folder, { recursive: true });
  for (const part of ["runtime", "app"] as const) {
    const layer = join(paths.layers, hexOf(payload[part].digest));
    if (!existsSync(layer)) await ensureUnpacked(sourceUrl, payload[part], layer, LAYER_TIMEOUT_MS);
    await pointLink(join(folder, part), layer);
  }
  return folder;
}

/** From now on the units start from this payload. */
export async function activatePayload(paths: GuestPaths, payload: Payload): Promise<void> {
  await pointLink(paths.currentPayload, join(paths.payloads, hexOf(payload.digest)));
}
