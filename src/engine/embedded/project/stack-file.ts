import { join } from "node:path";
import { z } from "zod";
import { SlipwayError } from "../../../common/errors.ts";
import { namesIn, readTextIfExists } from "../../../common/files.ts";
import { type Project, parseFile } from "./project.ts";

const stackFileSchema = z.object({
  config: z.record(z.string(), z.unknown()).nullish(),
  encryptionsalt: z.string().optional(),
  secretsprovider: z.string().optional(),
  encryptedkey: z.string().optional(),
  environment: z.unknown().optional(),
});

/** Pulumi.<stack>.yaml as it stands, secrets still sealed. A run never writes to it. */
export interface StackFile {
  path: string;
  exists: boolean;
  encryptionSalt: string | undefined;
  /** `namespace:key` → scalar, `{secure}`, or nested. */
  config: Record<string, unknown>;
}

/** Names that are safe in paths and URNs (pulumi/pulumi, sdk/go/common/tokens). */
const stackName = /^[A-Za-z0-9_.-]{1,100}$/;

/** Reads a stack's file; an absent one is an empty one. Throws SlipwayError E_CONFIG_INVALID, E_STACK_UNKNOWN, E_UNSUPPORTED. */
export async function loadStackFile(project: Project, stack: string): Promise<StackFile> {
  if (!stackName.test(stack) || stack === "." || stack === "..") {
    throw new SlipwayError("E_STACK_UNKNOWN", `"${stack}" cannot be a stack's name`, {
      hint: "Use letters, digits, dots, dashes and underscores.",
    });
  }
  const path = join(project.stackConfigDirectory, `Pulumi.${stack}.yaml`);
  const text = await readTextIfExists(path);
  const file = parseFile(path, text ?? "", stackFileSchema);
  refuseCloudFeatures(path, file);
  return {
    path,
    exists: text !== undefined,
    encryptionSalt: file.encryptionsalt,
    config: Object.fromEntries(Object.entries(file.config ?? {}).map(([key, value]) => [fullKey(project, key), value])),
  };
}

function refuseCloudFeatures(path: string, file: z.infer<typeof stackFileSchema>): void {
  const provider = file.secretsprovider ?? "passphrase";
  const refused = [
    ...(provider === "passphrase" || provider === "default" ? [] : [`secretsprovider: ${provider}`]),
    ...(file.encryptedkey === undefined ? [] : ["encryptedkey"]),
    ...(file.environment === undefined ? [] : ["environment"]),
  ];
  if (refused.length === 0) return;
  throw new SlipwayError("E_UNSUPPORTED", `${path} uses what the embedded engine does not do: ${refused.join(", ")}`, {
    hint: "Use passphrase secrets, or the official engine.",
  });
}

/** `key` belongs to the project; `ns:config:key` is an old spelling of `ns:key`. */
export function fullKey(project: Pick<Project, "name">, key: string): string {
  const parts = key.split(":");
  if (parts.length === 1) return `${project.name}:${key}`;
  return parts.length >= 3 && parts[1] === "config" ? `${parts[0]}:${parts.slice(2).join(":")}` : key;
}

/** The stacks that have a file, sorted. */
export async function stacksWithFile(project: Project): Promise<string[]> {
  const names = await namesIn(project.stackConfigDirectory);
  return names.flatMap((name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? []).sort();
}
