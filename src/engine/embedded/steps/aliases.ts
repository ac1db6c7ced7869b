import { makeUrn, nameOf, qualifiedTypeOf, stackType, typeOf } from "../urn.ts";
import type { AliasSpec } from "./goal.ts";

/** A resource as the program names it. */
export interface Named {
  type: string;
  name: string;
  /** URN, or empty. */
  parent: string;
}

/** What an alias is completed with. */
export interface AliasContext {
  stack: string;
  project: string;
  /** The URN under which the state has a parent that was itself found through an alias. */
  formerOf(urn: string): string | undefined;
}

/**
 * The URNs that a resource may have had, in the order in which the state is searched for them: its own aliases, then, where its
 * parent was found through an alias, what it was called below that (pulumi/pulumi, step_generator.go, generateAliases).
 */
export function aliasUrns(named: Named, specs: readonly AliasSpec[], context: AliasContext): string[] {
  const own = specs.map((spec) => specUrn(named, spec, context));
  const former = named.parent === "" ? undefined : context.formerOf(named.parent);
  if (former === undefined) return [...new Set(own)];
  const before = { parent: nameOf(named.parent), former, context };
  const inherited = own.map((urn) => belowFormer(typeOf(urn), nameOf(urn), before));
  return [...new Set([...own, belowFormer(named.type, named.name, before), ...inherited])];
}

/** An alias as a URN; what it leaves open is as the resource has it now. */
function specUrn(named: Named, spec: AliasSpec, { stack, project, formerOf }: AliasContext): string {
  if ("urn" in spec) return spec.urn;
  const given = spec.parentUrn ? (formerOf(spec.parentUrn) ?? spec.parentUrn) : named.parent;
  const parent = spec.noParent || qualifiedTypeOf(given) === stackType ? "" : given;
  return makeUrn(
    spec.stack || stack,
    spec.project || project,
    parent,
    spec.type || named.type,
    spec.name || named.name,
  );
}

/** A child's URN below its parent's former one. A name that begins with the parent's is taken to follow it. */
function belowFormer(
  type: string,
  name: string,
  { parent, former, context }: { parent: string; former: string; context: AliasContext },
): string {
  const formerName = name.startsWith(parent) ? nameOf(former) + name.slice(parent.length) : name;
  return makeUrn(context.stack, context.project, former, type, formerName);
}
