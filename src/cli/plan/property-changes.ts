import { isDeepStrictEqual } from "node:util";
import { parsePath } from "../../engine/embedded/values/paths.ts";
import { signatureKey } from "../../engine/embedded/values/wire.ts";
import type { MaskedJson, StepMetadata } from "../../engine/events.ts";
import type { DiffKind } from "../../engine/resource-provider.ts";

/** One property that a step changes; secrets are envelopes, what is not known yet is the sentinel. */
export interface PropertyChange {
  path: string;
  kind: DiffKind;
  before: MaskedJson | undefined;
  after: MaskedJson | undefined;
}

/** What a step changes, property by property: as its provider says, else what differs in the inputs. */
export function propertyChanges({ old, new: now, detailedDiff, keys }: StepMetadata): PropertyChange[] {
  if (old === null || now === null) return [];
  const said = Object.entries(detailedDiff ?? {}).map(([path, { diffKind }]) => ({ path, kind: diffKind }));
  const changes = said.length > 0 ? said : differingInputs(old.inputs, now.inputs, new Set(keys));
  return changes.map(({ path, kind }) => {
    const parts = parsePath(path);
    const after = valueAt(now.inputs, parts);
    const asked = valueAt(old.inputs, parts);
    // What was asked for says more than what the provider made of it (a digest), unless the state has drifted away from it.
    const before = asked === undefined || isDeepStrictEqual(asked, after) ? valueAt(old.outputs, parts) : asked;
    return { path, kind, before, after };
  });
}

function differingInputs(
  olds: Record<string, MaskedJson>,
  news: Record<string, MaskedJson>,
  keys: ReadonlySet<string>,
): { path: string; kind: DiffKind }[] {
  const names = [...new Set([...Object.keys(olds), ...Object.keys(news)])].filter((name) => !name.startsWith("__"));
  return names
    .filter((name) => (keys.size > 0 ? keys.has(name) : !isDeepStrictEqual(olds[name], news[name])))
    .map((name) => ({
      path: name,
      kind: olds[name] === undefined ? "add" : news[name] === undefined ? "delete" : "update",
    }));
}

/** The value at a path; a secret on the way is all that can be said. */
function valueAt(map: Record<string, MaskedJson>, path: readonly (string | number)[]): MaskedJson | undefined {
  let value: MaskedJson | undefined = map;
  for (const part of path) {
    if (typeof value !== "object" || value === null || isEnvelope(value)) return isEnvelope(value) ? value : undefined;
    value = Array.isArray(value) ? value[Number(part)] : Object.hasOwn(value, part) ? value[part] : undefined;
  }
  return value;
}

/** What stands for a secret, or for another value that JSON has not. */
type Envelope = { [key: string]: MaskedJson; [signatureKey]: MaskedJson };

/** True for what stands for a secret (or another value that JSON has not). */
export function isEnvelope(value: MaskedJson | undefined): value is Envelope {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, signatureKey);
}
