import { Vault } from "../secrets/vault.ts";
import { type Json, signatureKey, signatures } from "../values/wire.ts";
import { requireCheckpoint, requireRawCheckpoint, type StackPlace } from "./place.ts";

/** What `pulumi stack export` prints and `import` takes. */
export interface ExportedDeployment {
  version: number;
  features?: string[];
  deployment: object;
}

/** A stack's state as it stands, its secrets sealed. It need not be of a form that this engine can work with. */
export async function exportStack(place: StackPlace): Promise<ExportedDeployment> {
  const { version, features, checkpoint } = await requireRawCheckpoint(place);
  return { version, ...(features?.length ? { features } : {}), deployment: checkpoint.latest ?? {} };
}

/** A stack's state with its secrets in clear text. Throws SlipwayError E_PASSPHRASE_WRONG, E_STATE_DAMAGED. */
export async function exportStackInClear(place: StackPlace, passphrase: string): Promise<ExportedDeployment> {
  const file = await requireCheckpoint(place);
  const latest = file.checkpoint.latest ?? {};
  const salt = file.checkpoint.latest?.secrets_providers?.state?.salt;
  if (salt === undefined) return { version: file.version, deployment: latest };
  const vault = await Vault.open(passphrase, salt);
  return { version: file.version, deployment: inClear(latest as Json, vault, "export") as object };
}

function inClear(json: Json, vault: Vault, slot: string): Json {
  if (json === null || typeof json !== "object") return json;
  if (Array.isArray(json)) return json.map((item, index) => inClear(item, vault, `${slot}/${index}`));
  if (json[signatureKey] === signatures.secret && typeof json.ciphertext === "string") {
    return { [signatureKey]: signatures.secret, plaintext: vault.decrypt(json.ciphertext, slot) };
  }
  return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, inClear(item, vault, `${slot}/${key}`)]));
}
