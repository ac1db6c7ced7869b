import type { ResourceJson } from "../state/resource-state.ts";
import { stackType } from "../urn.ts";
import { type Json, signatureKey, signatures } from "../values/wire.ts";

/** A URN, or a provider reference that begins with one, as the same resource has it in a stack of another name. */
function inStack(urn: string, stack: string): string {
  const [, project, type, ...name] = urn.split("::");
  // the root resource is named after project and stack
  const own = type === stackType ? [`${project}-${stack}`] : name;
  return [`urn:pulumi:${stack}`, project, type, ...own].join("::");
}

const urnFields = ["urn", "parent", "provider", "deletedWith", "viewOf"] as const;
const listFields = ["dependencies", "aliases", "replaceWith"] as const;

/** A resource as a stack of another name has it (pulumi/pulumi, pkg/resource/edit, RenameStack); its secrets may stay sealed. */
export function resourceInStack(resource: ResourceJson, stack: string): ResourceJson {
  const moved = { ...resource };
  const rename = (urn: Json): Json => (typeof urn === "string" && urn !== "" ? inStack(urn, stack) : urn);
  for (const field of urnFields) if (moved[field] !== undefined) moved[field] = rename(moved[field]);
  for (const field of listFields) if (Array.isArray(moved[field])) moved[field] = moved[field].map(rename);
  const byProperty = moved.propertyDependencies;
  if (byProperty !== null && typeof byProperty === "object" && !Array.isArray(byProperty)) {
    const lists = Object.entries(byProperty).map(([key, urns]) => [key, Array.isArray(urns) ? urns.map(rename) : urns]);
    moved.propertyDependencies = Object.fromEntries(lists);
  }
  for (const field of ["inputs", "outputs"] as const) {
    if (moved[field] !== undefined) moved[field] = withReferences(moved[field], rename);
  }
  return moved;
}

/** Values name resources only in envelopes of their own; a text that looks like a URN is the program's affair. */
function withReferences(value: Json, rename: (urn: Json) => Json): Json {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item) => withReferences(item, rename));
  if (value[signatureKey] === signatures.resource) return { ...value, urn: rename(value.urn ?? null) };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withReferences(item, rename)]));
}
