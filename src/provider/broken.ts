import type { PropertyMap } from "../engine/resource-provider.ts";
import type { ResourceKind } from "./kind.ts";
import { defaultsKey, textOf } from "./schema/values.ts";

/** Key in the outputs of an object that was never usable: the cloud's word for it. No property of the official provider's. */
const statusKey = "status";

/** How a kind tells that a create of its never came to an end. */
export interface NeverUsable {
  /** The statuses between the create call and the first use, e.g. `creating`, `PENDING_CREATE`. */
  pending: string[];
  /** A property that every state has that was read once. */
  witness: string;
}

/**
 * What a read adds to the state of an object that was never usable. Only such an object is replaced for its status: one that was used
 * before may hold somebody's data, or an address that somebody knows, and is somebody's to mend.
 * @param status the cloud's
 */
export function neverUsable(
  { pending, witness }: NeverUsable,
  status: string,
  inputs: PropertyMap,
  olds: PropertyMap,
): PropertyMap {
  const imported = inputs[defaultsKey] === undefined;
  const usedBefore = olds[witness] !== undefined && olds[statusKey] === undefined;
  const unusable = pending.includes(status) || status.toUpperCase() === "ERROR";
  return unusable && !imported && !usedBefore ? { [statusKey]: status } : {};
}

/** A `brokenBy` for kinds whose read adds {@link neverUsable}. */
export const brokenByStatus: NonNullable<ResourceKind["brokenBy"]> = (olds) =>
  textOf(olds, statusKey)?.toUpperCase() === "ERROR" ? statusKey : undefined;
