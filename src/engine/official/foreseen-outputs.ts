import { maskedSecrets } from "../embedded/secrets/redactor.ts";
import { stackType } from "../embedded/urn.ts";
import { mapToPlain } from "../embedded/values/plain.ts";
import { decodeState } from "../embedded/values/state-json.ts";
import type { ValueMap } from "../embedded/values/value.ts";
import type { Json } from "../embedded/values/wire.ts";
import type { EngineEvent } from "../events.ts";

/** The stack's outputs as a preview tells them: its events are all that the CLI says of them, and show no secrets. */
export class ForeseenOutputs {
  #json: Json = {};

  note({ resOutputsEvent }: EngineEvent): void {
    const { type, new: state } = resOutputsEvent?.metadata ?? {};
    if (type === stackType && state) this.#json = state.outputs;
  }

  /** Secrets as `[secret]`, undefined for what is not known yet. */
  get plain(): Record<string, unknown> {
    return mapToPlain(decodeState(this.#json, maskedSecrets, "") as ValueMap);
  }
}
