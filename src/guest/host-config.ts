import { createPublicKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { readTextIfExists } from "../common/files.ts";
import type { GuestPaths } from "./paths.ts";

/** `/etc/slipway/host.json`, written by cloud-init. */
const identity = z.object({
  schemaVersion: z.literal(1),
  stack: z.string(),
  host: z.string(),
  generation: z.string(),
  sourceUrl: z.string(),
  publicKey: z.string(),
});

/** `/etc/slipway/roles.d/<role>.json`: a role's settings; the file's presence gives the host the role. */
const roleSettings = {
  frontend: z.object({ port: z.number().int() }),
  queue: z.object({ port: z.number().int() }),
  worker: z.object({}),
  runtime: z.object({}),
};

type Role = keyof typeof roleSettings;

/** Who a host is and what it does. */
export interface HostConfig extends z.infer<typeof identity> {
  roles: { [R in Role]?: z.infer<(typeof roleSettings)[R]> };
}

/** Throws where a file is missing or not as it should be. */
export async function readHostConfig(paths: GuestPaths): Promise<HostConfig> {
  const host = identity.parse(JSON.parse(await readFile(paths.host, "utf8")));
  const roles: Record<string, unknown> = {};
  for (const [role, schema] of Object.entries(roleSettings)) {
    const text = await readTextIfExists(`${paths.roles}/${role}.json`);
    if (text !== undefined) roles[role] = schema.parse(JSON.parse(text));
  }
  return { ...host, roles };
}

/** The stack's key, with which manifests are verified. */
export function stackKey(host: HostConfig): KeyObject {
  return createPublicKey({ key: Buffer.from(host.publicKey, "base64"), format: "der", type: "spki" });
}
