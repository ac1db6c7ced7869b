import { unknown } from "../../resource-provider.ts";
import { isMap, mapValues, ResourceReference, Secret, type Value } from "./value.ts";
import {
  isUnknownSentinel,
  type Json,
  referenceEnvelope,
  referenceFrom,
  signatureKey,
  signatures,
  unknownSentinel,
} from "./wire.ts";

/** Turns a secret's JSON text into its stored form and back; `slot` names the place so that unchanged secrets keep their ciphertext. */
export interface SecretCodec {
  encrypt(plaintext: string, slot: string): string;
  decrypt(ciphertext: string, slot: string): string;
}

/** A value as a checkpoint stores it: secrets as `ciphertext` of their JSON text. */
export function encodeState(value: Value, codec: SecretCodec, slot: string): Json {
  if (value === unknown) return unknownSentinel;
  if (value instanceof Secret) {
    const plaintext = JSON.stringify(encodeState(value.value, codec, `${slot}!`));
    return { [signatureKey]: signatures.secret, ciphertext: codec.encrypt(plaintext, slot) };
  }
  if (value instanceof ResourceReference) return referenceEnvelope(value);
  if (typeof value === "number" && !Number.isFinite(value)) return numberEnvelope(value);
  if (Array.isArray(value)) return value.map((item, index) => encodeState(item, codec, `${slot}/${index}`));
  return isMap(value) ? mapValues(value, (item, key) => encodeState(item, codec, `${slot}/${key}`)) : (value as Json);
}

/** A value out of a checkpoint. */
export function decodeState(json: Json, codec: SecretCodec, slot: string): Value {
  if (isUnknownSentinel(json)) return unknown;
  if (json === null || typeof json !== "object") return json;
  if (Array.isArray(json)) return json.map((item, index) => decodeState(item, codec, `${slot}/${index}`));
  switch (json[signatureKey]) {
    case signatures.secret: {
      const text =
        json.ciphertext === undefined ? String(json.plaintext) : codec.decrypt(String(json.ciphertext), slot);
      return Secret.of(decodeState(JSON.parse(text) as Json, codec, `${slot}!`));
    }
    case signatures.resource:
      return referenceFrom(json);
    case signatures.number:
      return Buffer.from(String(json.value), "hex").readDoubleBE();
    default:
      return mapValues(json, (item, key) => decodeState(item, codec, `${slot}/${key}`));
  }
}

/** JSON has no infinities: their IEEE 754 bits are stored. */
function numberEnvelope(value: number): Json {
  const bits = Buffer.alloc(8);
  bits.writeDoubleBE(value);
  return { [signatureKey]: signatures.number, value: bits.toString("hex") };
}
