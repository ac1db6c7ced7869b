import { messageOf, SlipwayError } from "../common/errors.ts";
import { InitializationFailed, type PropertyMap } from "../engine/resource-provider.ts";
import { OpenStackError } from "../openstack/errors.ts";
import { TransportError } from "../openstack/transport.ts";
import type { Context, Made, ResourceKind } from "./kind.ts";
import { keptInputs, onceOutputs } from "./schema/outputs.ts";

/**
 * The state after a call, read back from the cloud.
 * @throws SlipwayError E_UPDATE_FAILED where the object is gone
 */
export async function outputsOf(
  kind: ResourceKind,
  context: Context,
  id: string,
  inputs: PropertyMap,
  olds: PropertyMap,
): Promise<PropertyMap> {
  const found = await kind.read(context, id, inputs, olds);
  if (found !== undefined) return composed(kind, context, id, inputs, olds, found);
  throw new SlipwayError("E_UPDATE_FAILED", `${kind.type} ${id} is gone right after it was made or changed`, {
    hint: "Run the command again.",
  });
}

/** A state: what the cloud says, the inputs that it is not asked for, and what only an earlier call told. */
export function composed(
  { properties }: ResourceKind,
  { region }: Context,
  id: string,
  inputs: PropertyMap,
  olds: PropertyMap,
  found: PropertyMap,
): PropertyMap {
  const meta: PropertyMap = olds.__meta === undefined ? {} : { __meta: olds.__meta };
  return { ...meta, id, region, ...keptInputs(properties, inputs), ...onceOutputs(properties, olds), ...found };
}

/** The object exists but is not what it should be: the engine keeps its id, and what can be known of it. */
export async function halfMade(
  kind: ResourceKind,
  context: Context,
  { id, requestId }: Made,
  inputs: PropertyMap,
  olds: PropertyMap,
  cause: unknown,
): Promise<InitializationFailed> {
  const planned = keptInputs(everythingKept(kind), inputs);
  // only kinds that can break beyond repair are read again: for the others "never read" must stay visible in the state
  const seen = kind.brokenBy && (await kind.read(context, id, inputs, olds).catch(() => undefined));
  const state = composed(kind, context, id, inputs, olds, { ...planned, ...seen });
  const made = requestId === undefined ? "" : ` (created by request ${requestId})`;
  const failure = new InitializationFailed(id, state, [`${messageOf(cause)}${made}. ${adviceOn(kind, state, cause)}`]);
  failure.cause = cause;
  return failure;
}

/**
 * An object that a failed update has left broken: the state says so, and the next run replaces it.
 * @returns undefined where it is not broken beyond repair
 */
export async function broken(
  kind: ResourceKind,
  context: Context,
  id: string,
  inputs: PropertyMap,
  olds: PropertyMap,
  cause: unknown,
): Promise<InitializationFailed | undefined> {
  if (kind.brokenBy === undefined) return undefined;
  const found = await kind.read(context, id, inputs, olds).catch(() => undefined);
  const state = found && composed(kind, context, id, inputs, olds, found);
  if (state === undefined || kind.brokenBy(state) === undefined) return undefined;
  const failure = new InitializationFailed(id, state, [`${messageOf(cause)}. ${adviceOn(kind, state, cause)}`]);
  failure.cause = cause;
  return failure;
}

/** What to do about a resource that is not what it should be: engines show the reasons only, no hints. */
function adviceOn(kind: ResourceKind, state: PropertyMap, cause: unknown): string {
  if (kind.brokenBy?.(state) !== undefined) return "The next `slipway up` replaces it.";
  const hint = cause instanceof SlipwayError && cause.code === "E_UPDATE_FAILED" ? cause.hint : undefined;
  return hint ?? "The next `slipway up` waits for it again.";
}

/** True where the cloud may have done what a call asked, though its answer was lost on the way or at a gateway. */
export function mayHaveMade(error: unknown): boolean {
  if (error instanceof OpenStackError) return error.status === 502 || error.status === 504;
  if (error instanceof SlipwayError && error.code === "E_TIMEOUT") return true; // a wait for what was asked and granted
  const cause = error instanceof SlipwayError ? error.cause : error;
  return cause instanceof TransportError && !cause.notSent;
}

function everythingKept({ properties }: ResourceKind): ResourceKind["properties"] {
  return Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, { ...property, kept: true }]));
}
