import { maskedSecrets } from "../secrets/redactor.ts";
import { Vault } from "../secrets/vault.ts";
import { stackType } from "../urn.ts";
import { mapToPlain } from "../values/plain.ts";
import { decodeState } from "../values/state-json.ts";
import type { ValueMap } from "../values/value.ts";
import type { Json } from "../values/wire.ts";
import { requireCheckpoint, type StackPlace } from "./place.ts";

/**
 * A stack's outputs as its state has them. Throws SlipwayError E_STACK_UNKNOWN, E_STATE_DAMAGED, E_PASSPHRASE_WRONG.
 * @param passphrase opens the secrets; without it they are `[secret]`
 */
export async function stackOutputs(place: StackPlace, passphrase?: string): Promise<Record<string, unknown>> {
  const { latest } = (await requireCheckpoint(place)).checkpoint;
  const outputs = (latest?.resources?.find(({ type }) => type === stackType)?.outputs ?? {}) as Json;
  const salt = latest?.secrets_providers?.state?.salt;
  const codec = passphrase === undefined || salt === undefined ? maskedSecrets : await Vault.open(passphrase, salt);
  return mapToPlain(decodeState(outputs, codec, "outputs") as ValueMap);
}
