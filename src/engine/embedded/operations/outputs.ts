import type { StackReference } from "../../engine.ts";
import { stackType } from "../urn.ts";
import { mapToPlain } from "../values/plain.ts";
import { decodeState, type SecretCodec } from "../values/state-json.ts";
import type { ValueMap } from "../values/value.ts";
import { type Json, signatureKey, signatures } from "../values/wire.ts";
import { openVault, readStackFiles, readState } from "./stack-files.ts";

/** The stack's outputs as the state has them; the passphrase is used only where one of them is secret. */
export async function outputs(stack: StackReference): Promise<Record<string, unknown> | undefined> {
  const files = await readStackFiles(stack);
  const json = await readState(files);
  if (json === undefined) return undefined;
  const root = json.checkpoint.latest?.resources?.find((resource) => resource.type === stackType);
  const stored = (root?.outputs ?? {}) as Json;
  const codec = holdsSecret(stored) ? await openVault(stack, files.file, json) : needsNoSecret;
  return mapToPlain(decodeState(stored, codec, `${String(root?.urn)}  outputs`) as ValueMap);
}

function holdsSecret(json: Json): boolean {
  if (json === null || typeof json !== "object") return false;
  if (!Array.isArray(json) && json[signatureKey] === signatures.secret) return true;
  return Object.values(json).some(holdsSecret);
}

const noSecret = () => {
  throw new Error("a secret was found where none was expected");
};
const needsNoSecret: SecretCodec = { encrypt: noSecret, decrypt: noSecret };
