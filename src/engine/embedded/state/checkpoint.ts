import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { SlipwayError } from "../../../common/errors.ts";
import type { SecretCodec } from "../values/state-json.ts";
import { type ResourceJson, type ResourceState, resourceFromJson } from "./resource-state.ts";
import { ResourceTexts } from "./resource-texts.ts";

/** Written into manifests; the official engine accepts any text whose hash is the magic. */
const engineVersion = "v3.248.0-slipway";
const knownVersion = 3;

/** What was begun when the file was written. */
export type PendingType = "creating" | "updating" | "deleting" | "reading" | "importing";

const resource = z.looseObject({ urn: z.string().min(1), type: z.string().min(1), custom: z.boolean().optional() });
const deploymentSchema = z.looseObject({
  manifest: z.looseObject({ time: z.string().optional(), magic: z.string(), version: z.string() }),
  secrets_providers: z
    .looseObject({ type: z.string(), state: z.looseObject({ salt: z.string().optional() }).optional() })
    .optional(),
  resources: z.array(resource).nullish(),
  pending_operations: z.array(z.looseObject({ resource, type: z.string() })).nullish(),
  metadata: z.unknown().optional(),
});
const fileSchema = z.looseObject({
  version: z.number(),
  features: z.array(z.string()).nullish(),
  checkpoint: z.looseObject({ stack: z.string().optional(), latest: deploymentSchema.nullish() }),
});

/** Fields that stand around the content and that this engine does not use: they are kept as they are. */
interface Surroundings {
  file: object;
  checkpoint: object;
  latest: object;
}

/** A checkpoint's content. */
export interface Deployment {
  resources: ResourceState[];
  pending: PendingOperation[];
  metadata: unknown;
  rest?: Surroundings;
}

/** An operation that was begun and not ended. */
export interface PendingOperation {
  type: PendingType;
  resource: ResourceState;
}

/** A checkpoint file as it stands, its secrets still sealed. */
export type CheckpointJson = z.infer<typeof fileSchema>;

/** Reads a checkpoint file's text, version 3. Throws SlipwayError E_STATE_DAMAGED, E_UNSUPPORTED. */
export function parseCheckpoint(path: string, text: string): CheckpointJson {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw damaged(path, "it is not JSON", cause);
  }
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw damaged(path, `${issue?.path.join(".") || "the file"}: ${issue?.message}`);
  }
  const { version, features, checkpoint } = parsed.data;
  if (version !== knownVersion || (features?.length ?? 0) > 0) {
    throw new SlipwayError(
      "E_UNSUPPORTED",
      `the checkpoint ${path} is of version ${version}${features?.length ? ` with ${features.join(", ")}` : ""}`,
      { hint: "Run this stack with the official engine." },
    );
  }
  const latest = checkpoint.latest ?? undefined;
  const provider = latest?.secrets_providers?.type ?? "passphrase";
  if (provider !== "passphrase") {
    throw new SlipwayError("E_UNSUPPORTED", `the state's secrets are kept by ${provider}, not by a passphrase`, {
      hint: "Run this stack with the official engine, or change its secrets provider to passphrase there.",
    });
  }
  if (latest !== undefined && latest.manifest.magic !== magicOf(latest.manifest.version)) {
    throw damaged(path, "its manifest's magic does not match its version");
  }
  return parsed.data;
}

/** Opens the secrets of a checkpoint. */
export function openDeployment(file: CheckpointJson | undefined, codec: SecretCodec): Deployment {
  const json = file?.checkpoint.latest ?? undefined;
  const resources = (json?.resources ?? []).map((item) => resourceFromJson(item as ResourceJson, codec));
  const pending = (json?.pending_operations ?? []).map((operation) => ({
    type: operation.type as PendingType,
    resource: resourceFromJson(operation.resource as ResourceJson, codec),
  }));
  return { resources, pending, metadata: json?.metadata ?? {}, ...(file === undefined ? {} : { rest: around(file) }) };
}

function around({ checkpoint, ...file }: CheckpointJson): Surroundings {
  const { latest, ...others } = checkpoint;
  const { resources: _, pending_operations: __, ...rest } = latest ?? {};
  return { file, checkpoint: others, latest: rest };
}

/**
 * A checkpoint file's text, compact, version 3.
 * @param texts what an operation's saves share, so that each makes the text of only those resources that changed since the last
 */
export function formatCheckpoint(
  stackPath: string,
  deployment: Deployment,
  codec: SecretCodec & { salt: string },
  texts = new ResourceTexts(codec),
): string {
  const { resources, pending, metadata, rest } = deployment;
  const latest = objectText({
    ...textsOf({
      ...rest?.latest,
      manifest: { time: new Date().toISOString(), magic: magicOf(engineVersion), version: engineVersion },
      secrets_providers: { type: "passphrase", state: { salt: codec.salt } },
    }),
    ...(resources.length > 0 ? { resources: listText(resources.map((state) => texts.of(state))) } : {}),
    ...(pending.length > 0
      ? {
          pending_operations: listText(
            pending.map(({ resource, type }) =>
              objectText({ resource: texts.of(resource), type: JSON.stringify(type) }),
            ),
          ),
        }
      : {}),
    ...textsOf({ metadata }),
  });
  const checkpoint = objectText({ ...textsOf({ ...rest?.checkpoint, stack: stackPath }), latest });
  return objectText({ ...textsOf({ ...rest?.file, version: knownVersion }), checkpoint });
}

/** The JSON text of each field; what JSON has no text for is left out. */
function textsOf(fields: object): Record<string, string> {
  const texts = Object.entries(fields).map(([key, value]) => [key, JSON.stringify(value) as string | undefined]);
  return Object.fromEntries(texts.filter(([, text]) => text !== undefined)) as Record<string, string>;
}

/** A JSON object out of the texts of its fields. */
function objectText(texts: Record<string, string>): string {
  const fields = Object.entries(texts).map(([key, text]) => `${JSON.stringify(key)}:${text}`);
  return `{${fields.join(",")}}`;
}

function listText(texts: readonly string[]): string {
  return `[${texts.join(",")}]`;
}

/** True where two checkpoints differ in nothing but when and by whom they were written, and in the order of what they list. */
export function saysTheSame(text: string, other: string): boolean {
  return isDeepStrictEqual(meaningOf(text), meaningOf(other));
}

function meaningOf(text: string) {
  const { checkpoint, ...file } = JSON.parse(text) as CheckpointJson;
  const { manifest: _, resources, pending_operations: pending, ...latest } = checkpoint.latest ?? { manifest: {} };
  const byUrn = Object.groupBy(resources ?? [], ({ urn }) => urn);
  const pendingByUrn = Object.groupBy(pending ?? [], ({ resource }) => resource.urn);
  return { ...file, ...checkpoint, latest: { ...latest, resources: byUrn, pending: pendingByUrn } };
}

function magicOf(version: string): string {
  return createHash("sha256").update(version).digest("hex");
}

/** The error for a checkpoint that cannot be trusted. */
export function damaged(path: string, why: string, cause?: unknown): SlipwayError {
  return new SlipwayError("E_STATE_DAMAGED", `the checkpoint ${path} cannot be used: ${why}`, {
    cause,
    hint: `Restore it from ${path}.bak or from .pulumi/backups; nothing was changed.`,
  });
}
