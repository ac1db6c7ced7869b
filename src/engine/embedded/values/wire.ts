import { createHash } from "node:crypto";
import struct, { type Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import { SlipwayError } from "../../../common/errors.ts";
import { unknown } from "../../resource-provider.ts";
import { isMap, mapValues, ResourceReference, Secret, type Value, type ValueMap } from "./value.ts";

/** JSON as `google.protobuf.Struct` and checkpoint files carry it. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The key that marks an object as an envelope; its value says of what (pulumi/pulumi, sdk/go/common/resource/sig). */
export const signatureKey = "4dabf18193072939515e22adb298388d";

/** What an envelope holds. */
export const signatures = {
  secret: "1b47061264138c4ac30d75fd1eb44270",
  asset: "c44067f5952c0a294b673a41bacd8c17",
  archive: "0def7320c3a5731c473e5ecbe6d01bc7",
  resource: "5cf8f73096256a8f31e491e813e4eb8e",
  outputValue: "d0e6a833031e9bbcd3f4e8bde6ca49a4",
  number: "8ad145fe-0d11-4827-bfd7-1abcbf086f5c",
} as const;

/** Stands for a value that is not known yet. */
export const unknownSentinel = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const sentinels = new Set([
  unknownSentinel,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

/** True for the text that stands for a value not known yet, of any type. */
export function isUnknownSentinel(value: unknown): boolean {
  return typeof value === "string" && sentinels.has(value);
}

/** Reads what the program's SDK sent. Throws SlipwayError E_UNSUPPORTED for archives. */
export function decodeWire(json: Json): Value {
  if (isUnknownSentinel(json)) return unknown;
  if (json === null || typeof json !== "object") return json;
  if (Array.isArray(json)) return json.map(decodeWire);
  const signature = json[signatureKey];
  if (signature === undefined) return mapValues(json, decodeWire);
  switch (signature) {
    case signatures.secret:
      return Secret.of(decodeWire(json.value ?? null));
    case signatures.resource:
      return referenceFrom(json);
    case signatures.outputValue: {
      const value = json.value === undefined ? unknown : decodeWire(json.value);
      return json.secret === true ? Secret.of(value) : value;
    }
    case signatures.asset:
      return assetFrom(json);
    default:
      throw unsupportedEnvelope(signature);
  }
}

/** A resource reference's envelope, as a value. */
export function referenceFrom(json: { [key: string]: Json }): ResourceReference {
  const id = isUnknownSentinel(json.id) ? "" : json.id;
  return new ResourceReference(
    String(json.urn),
    id === undefined ? undefined : String(id),
    String(json.packageVersion ?? ""),
  );
}

/** A resource reference as an envelope. */
export function referenceEnvelope(reference: ResourceReference): { [key: string]: Json } {
  return {
    [signatureKey]: signatures.resource,
    urn: reference.urn,
    ...(reference.id === undefined ? {} : { id: reference.id }),
    packageVersion: reference.packageVersion,
  };
}

/** Text assets get the hash that the state needs to notice a change, and lose what the SDK adds for itself; other kinds belong to the official engine. */
function assetFrom(json: { [key: string]: Json }): ValueMap {
  if (typeof json.text !== "string") throw unsupportedEnvelope("asset that is not text");
  return {
    [signatureKey]: signatures.asset,
    text: json.text,
    hash: createHash("sha256").update(json.text).digest("hex"),
  };
}

function unsupportedEnvelope(kind: Json): SlipwayError {
  const name = kind === signatures.archive ? "archive" : String(kind);
  return new SlipwayError(
    "E_UNSUPPORTED",
    `the program passes a value that the embedded engine does not carry: ${name}`,
    {
      hint: "Pass text instead, or run the stack with the official engine (pulumi on PATH).",
    },
  );
}

/** Writes a value for the program's SDK. Unknowns become the sentinel, or are dropped from maps where the SDK wants no partial values. */
export function encodeWire(value: Value, keepUnknowns = true): Json {
  if (value === unknown) return keepUnknowns ? unknownSentinel : null;
  if (value instanceof Secret) {
    return { [signatureKey]: signatures.secret, value: encodeWire(value.value, keepUnknowns) };
  }
  if (value instanceof ResourceReference) return referenceEnvelope(value);
  if (Array.isArray(value)) return value.map((item) => encodeWire(item, keepUnknowns));
  if (!isMap(value)) return value as Json;
  const known = Object.entries(value).filter(([, item]) => keepUnknowns || item !== unknown);
  return Object.fromEntries(known.map(([key, item]) => [key, encodeWire(item, keepUnknowns)]));
}

/** Named values out of a protobuf Struct. */
export function mapFromStruct(message: Struct | undefined): ValueMap {
  return message === undefined ? {} : (decodeWire(message.toJavaScript() as Json) as ValueMap);
}

/** Named values as a protobuf Struct. */
export function structFromMap(map: ValueMap, keepUnknowns = true): Struct {
  return struct.Struct.fromJavaScript(encodeWire(map, keepUnknowns) as { [key: string]: Json });
}
