import type { ModelIdentity } from "../../models/registry.ts";

/** Names the model that answered where the answer itself does not. */
export const MODEL_HEADER = "slipway-model";

/** A model as {@link MODEL_HEADER} has it. */
export function modelText({ name, version, digest }: ModelIdentity): string {
  return `${encodeURIComponent(name)}/${encodeURIComponent(version)}@${digest}`;
}
