import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Ajv, type ErrorObject } from "ajv";
import { parse } from "yaml";
import { unpackDebianPackages } from "../common/debian-packages.ts";
import { messageOf } from "../common/errors.ts";

/** `skipped` says why nothing could be checked; `errors` are empty for a valid document. */
export type SchemaVerdict = { skipped: string } | { errors: string[] };

const SCHEMA_IN_PACKAGE = "usr/lib/python3/dist-packages/cloudinit/config/schemas/schema-cloud-config-v1.json";

/** Checks a `#cloud-config` document against cloud-init's own JSON schema. */
export async function checkCloudConfigSchema(document: string, cache: string): Promise<SchemaVerdict> {
  let schema: object;
  try {
    schema = JSON.parse(await readFile(await ensureSchema(cache), "utf8")) as object;
  } catch (error) {
    return { skipped: `cloud-init's schema is not at hand: ${messageOf(error)}` };
  }
  return { errors: violations(schema, parse(document, { version: "1.1" })) };
}

/** What a parsed document violates in a cloud-config schema, one line each. */
export function violations(schema: object, config: unknown): string[] {
  // cloud-init writes draft 4; what it uses of it means the same in Ajv's draft 7, once the draft's own name is off
  const { $schema: _draft, ...rules } = schema as Record<string, unknown>;
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, logger: false });
  const validate = ajv.compile(rules);
  return validate(config) ? [] : [...new Set((validate.errors ?? []).map(describe))];
}

function describe({ instancePath, message, params }: ErrorObject): string {
  const name: unknown = params.additionalProperty;
  return `${instancePath === "" ? "the document" : instancePath} ${message}${typeof name === "string" ? ` (${name})` : ""}`;
}

/** The schema's file: taken out of Debian's package, which is unpacked beside it and never installed. */
async function ensureSchema(cache: string): Promise<string> {
  const schema = join(cache, "cloud-config-schema.json");
  if (existsSync(schema)) return schema;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, "cloud-init-"));
  try {
    await rename(join(await unpackDebianPackages(["cloud-init"], work), SCHEMA_IN_PACKAGE), schema);
    return schema;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
