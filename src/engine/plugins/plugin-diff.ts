import type { DiffResponse } from "@pulumi/pulumi/proto/provider_pb.js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import { diffInputs } from "../embedded/steps/decision.ts";
import type { ValueMap } from "../embedded/values/value.ts";
import type { DiffKind, DiffResult } from "../resource-provider.ts";

const kinds: Record<number, DiffKind> = {
  [provider.PropertyDiff.Kind.ADD]: "add",
  [provider.PropertyDiff.Kind.ADD_REPLACE]: "add-replace",
  [provider.PropertyDiff.Kind.DELETE]: "delete",
  [provider.PropertyDiff.Kind.DELETE_REPLACE]: "delete-replace",
  [provider.PropertyDiff.Kind.UPDATE]: "update",
  [provider.PropertyDiff.Kind.UPDATE_REPLACE]: "update-replace",
};

/** The number of a kind of change on the wire. */
export function kindNumber(kind: DiffKind): number {
  return Number(Object.keys(kinds).find((number) => kinds[Number(number)] === kind));
}

/** A plugin's answer to Diff; one that cannot tell (DIFF_UNKNOWN) leaves it to a comparison of the inputs, as in Pulumi's engine. */
export function diffFrom(response: DiffResponse, oldInputs: ValueMap, news: ValueMap): DiffResult {
  const compared = diffInputs(oldInputs, news);
  const replaces = response.getReplacesList();
  const isUnknown = response.getChanges() === provider.DiffResponse.DiffChanges.DIFF_UNKNOWN;
  const changes = isUnknown ? compared.changes : response.getChanges() === provider.DiffResponse.DiffChanges.DIFF_SOME;
  return {
    changes,
    replaces,
    deleteBeforeReplace: response.getDeletebeforereplace(),
    detailedDiff: changes ? detailsOf(response, compared) : {},
  };
}

/** Older plugins name the changed properties only, or not even these. */
function detailsOf(response: DiffResponse, compared: DiffResult): DiffResult["detailedDiff"] {
  if (response.getHasdetaileddiff()) {
    const entries = [...response.getDetaileddiffMap().entries()];
    return Object.fromEntries(
      entries.map(([path, diff]) => [
        path,
        { kind: kinds[diff.getKind()] ?? "update", inputDiff: diff.getInputdiff() },
      ]),
    );
  }
  const names = new Set([...response.getDiffsList(), ...response.getReplacesList()]);
  if (names.size === 0) return compared.detailedDiff;
  return Object.fromEntries(
    [...names].map((name) => {
      const kind: DiffKind = response.getReplacesList().includes(name) ? "update-replace" : "update";
      return [name, { kind, inputDiff: true }];
    }),
  );
}
