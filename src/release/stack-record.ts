import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { SlipwayError } from "../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import { GENERATIONS_FILE } from "../components/generations.ts";

const FILE = "stack.json";

const cloudSchema = z.object({
  /** Keystone's URL. */
  authUrl: z.string(),
  projectId: z.string(),
});

const modelSchema = z.object({ name: z.string(), version: z.string(), digest: z.string() });

const recordSchema = z.object({
  schemaVersion: z.literal(1),
  cloud: cloudSchema,
  /** Who ran the program the last time. */
  engine: z.enum(["embedded", "official"]),
  /** The last release that passed its gate. */
  release: z
    .object({
      sequence: z.number().int(),
      payload: z.string(),
      model: modelSchema,
      /** The version that serves beside it. */
      trial: z.object({ model: modelSchema, mode: z.enum(["canary", "shadow"]), percent: z.number() }).optional(),
      at: z.iso.datetime(),
    })
    .optional(),
  /** The address that stands in for the program's own, which is gone. */
  standIn: z.string().optional(),
});

/** What a stack remembers: `stack.json` in the stack's home. */
export type StackRecord = z.infer<typeof recordSchema>;

/** The record; undefined for a stack that was never bound to a cloud. */
export async function readStackRecord(home: string): Promise<StackRecord | undefined> {
  const text = await readTextIfExists(join(home, FILE));
  return text === undefined ? undefined : recordSchema.parse(JSON.parse(text));
}

/**
 * Ties a stack to its cloud on its first use; later only the same cloud is accepted. Remembers the engine; it may be another one than before.
 * @throws SlipwayError E_CLOUD_MISMATCH for another cloud, before anything is touched
 */
export async function bindStack(home: string, binding: Pick<StackRecord, "cloud" | "engine">): Promise<StackRecord> {
  const record = await assertOwnCloud(home, binding.cloud);
  if (record?.engine === binding.engine) return record;
  return write(home, { schemaVersion: 1, cloud: binding.cloud, ...record, engine: binding.engine });
}

/**
 * @returns the stack's record; undefined for a stack that was never bound, which may live anywhere
 * @throws SlipwayError E_CLOUD_MISMATCH for another cloud than the stack is bound to
 */
export async function assertOwnCloud(home: string, given: StackRecord["cloud"]): Promise<StackRecord | undefined> {
  const record = await readStackRecord(home);
  if (record === undefined) return undefined;
  const own = record.cloud;
  if (comparable(own.authUrl) === comparable(given.authUrl) && own.projectId === given.projectId) return record;
  throw new SlipwayError(
    "E_CLOUD_MISMATCH",
    `the stack lives in the project ${own.projectId} at ${own.authUrl}, the credentials are for ${given.projectId} at ${given.authUrl}`,
    { hint: "Choose the stack's own cloud with --os-cloud, or another stack with --stack." },
  );
}

/** Remembers a release that passed its gate. */
export async function recordRelease(home: string, release: NonNullable<StackRecord["release"]>): Promise<StackRecord> {
  return write(home, { ...(await boundRecord(home)), release });
}

/** Remembers the address that leads to the stack in place of its program's own; undefined for none. */
export async function recordStandIn(home: string, address: string | undefined): Promise<void> {
  const { standIn, ...record } = await boundRecord(home);
  if (standIn !== address) await write(home, address === undefined ? record : { ...record, standIn: address });
}

/** After a teardown that left nothing: the stack may live in another cloud next time. */
export async function forgetStack(home: string): Promise<void> {
  await Promise.all([FILE, GENERATIONS_FILE].map((file) => rm(join(home, file), { force: true })));
}

async function boundRecord(home: string): Promise<StackRecord> {
  const record = await readStackRecord(home);
  if (record === undefined) throw new Error(`${home} is not bound to a cloud`);
  return record;
}

async function write(home: string, record: StackRecord): Promise<StackRecord> {
  await writeFileAtomic(join(home, FILE), `${JSON.stringify(record, null, 2)}\n`);
  return record;
}

/** Clients write the same Keystone with and without `/v3` and a last slash. */
function comparable(authUrl: string): string {
  return authUrl.replace(/\/+$/, "").replace(/\/v3$/, "").toLowerCase();
}
