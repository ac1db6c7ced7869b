import { type KeyObject, sign, verify } from "node:crypto";
import { z } from "zod";
import { digestSchema as digest } from "../common/digest-schema.ts";
import { fileRef } from "./file-ref.ts";
import { gateSchema, originSchema, pushSchema, trafficSchema } from "./release-terms.ts";
import { hostSettingsSchema } from "./settings.ts";

/** A model as a manifest names it. `version` counts the stack's publications of that name from "1". */
const modelRef = z.object({ name: z.string(), version: z.string() }).extend(fileRef.shape);

/** What a stack's hosts shall run: published beside the layers, signed with the stack's key. Hosts follow the highest sequence. */
export const manifestSchema = z.object({
  schemaVersion: z.literal(1),
  stack: z.string(),
  /** Grows with every publication; a host never follows a lower one. */
  sequence: z.number().int().positive(),
  /** The digest that names the payload: over its layers' digests. */
  payload: z.object({ digest, runtime: fileRef, app: fileRef }),
  /** The first is the default model. */
  models: z.array(modelRef).min(1),
  /** Another version of the default model that serves beside it, until it is promoted or aborted. */
  trial: z.object({ model: modelRef, traffic: trafficSchema }).optional(),
  /** What the hosts themselves ask of this release before and after it takes over. */
  gate: gateSchema.optional(),
  /** Who published it, and for what. */
  origin: originSchema.optional(),
  /** Of a release that the host has made of what was pushed to it, upon the signed one of this sequence. Never in a signed document. */
  push: pushSchema.optional(),
  /** As the stack's configuration says; nothing where it says nothing. */
  settings: hostSettingsSchema.default({}),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** A model as a manifest names it. */
export type Model = z.infer<typeof modelRef>;

/** The model that a manifest's hosts serve. */
export function defaultModel({ models }: Pick<Manifest, "models">): Model {
  return models[0] as Model; // the schema wants at least one
}

const HEADER = "slipway-manifest/1";

/** The signed document: a first line `slipway-manifest/1 <base64 Ed25519 signature of the rest>`, then the manifest's JSON. */
export function sealManifest(manifest: Manifest, key: KeyObject): string {
  const body = `${JSON.stringify(manifest)}\n`;
  return `${HEADER} ${sign(null, Buffer.from(body), key).toString("base64")}\n${body}`;
}

/** The manifest in a signed document. Throws an Error saying what is wrong with it. */
export function openManifest(document: string, publicKey: KeyObject): Manifest {
  const end = document.indexOf("\n");
  const firstLine = document.slice(0, end);
  const signature = Buffer.from(firstLine.slice(HEADER.length + 1), "base64");
  const body = document.slice(end + 1);
  // Node's base64 reads over strange characters and spare bits: only the one spelling that sealManifest writes is taken.
  if (firstLine !== `${HEADER} ${signature.toString("base64")}`) throw new Error("not a slipway manifest");
  if (!verify(null, Buffer.from(body), publicKey, signature)) {
    throw new Error("the manifest's signature does not fit the stack's key");
  }
  return manifestSchema.omit({ push: true }).parse(JSON.parse(body));
}
