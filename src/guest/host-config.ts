import { createPublicKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { messageOf } from "../common/errors.ts";
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
  const host = parsed(identity, paths.host, await readFile(paths.host, "utf8"));
  const roles: Record<string, unknown> = {};
  for (const [role, schema] of Object.entries(roleSettings)) {
    const path = `${paths.roles}/${role}.json`;
    const text = await readTextIfExists(path);
    if (text !== undefined) roles[role] = parsed(schema, path, text);
  }
  return { ...host, roles };
}

function parsed<S extends z.ZodType>(schema: S, path: string, text: string): z.infer<S> {
  try {
    const result = schema.safeParse(JSON.parse(text));
    if (result.success) return result.data;
    const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "it"}: ${issue.message}`);
    throw new Error(problems.join("; "));
  } catch (error) {
    throw new Error(`${path} is not valid: ${messageOf(error)}`, { cause: error });
  }
}

/** The stack's key, with which manifests are verified. */
export function stackKey(host: HostConfig): KeyObject {
  return createPublicKey({ key: Buffer.from(host.publicKey, "base64"), format: "der", type: "spki" });
}
