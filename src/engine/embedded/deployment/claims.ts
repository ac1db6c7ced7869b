import { type AliasContext, aliasUrns, type Named } from "../steps/aliases.ts";
import type { AliasSpec } from "../steps/goal.ts";
import { makeUrn } from "../urn.ts";
import { InvalidRequest } from "./failures.ts";

/** A URN that the program has claimed in this run. */
export interface Claim {
  urn: string;
  /** The URN under which the state has the resource: another one where an alias was followed. */
  formerUrn: string;
}

/** Which URNs the program has registered or read in this run, and which of the state's it has thereby spoken for. */
export class Claims {
  readonly #context: Omit<AliasContext, "formerOf">;
  readonly #registered = new Set<string>();
  readonly #formerOf = new Map<string, string>();
  readonly #heirOf = new Map<string, string>();

  constructor(context: Omit<AliasContext, "formerOf">) {
    this.#context = context;
  }

  /** True for a URN that the program has registered, and for one that it has renamed. */
  has(urn: string): boolean {
    return this.#registered.has(urn) || this.#heirOf.has(urn);
  }

  /** The URN that a resource of the state has now. */
  current(urn: string): string {
    return this.#heirOf.get(urn) ?? urn;
  }

  /** The URN under which the state has a resource that was found through an alias. */
  former(urn: string): string | undefined {
    return this.#formerOf.get(urn);
  }

  /**
   * Claims a URN that is new to this run, of a parent that is not, and with it what the state has of it: under that URN or else
   * under the first of its aliases. Throws InvalidRequest where two resources claim one.
   */
  claim(named: Named, aliases: readonly AliasSpec[], isInState: (urn: string) => boolean): Claim {
    const { stack, project } = this.#context;
    if (named.parent !== "") this.mustHave(named.parent, `${named.name} has the parent`);
    const urn = makeUrn(stack, project, named.parent, named.type, named.name);
    if (this.#registered.has(urn)) {
      throw new InvalidRequest(`the program registers ${urn} twice: names must differ within a type`);
    }
    const heir = this.#heirOf.get(urn);
    if (heir !== undefined) throw new InvalidRequest(`the program registers ${urn}, which is an alias of ${heir}`);
    const former = (parent: string) => this.#formerOf.get(parent);
    const candidates = [urn, ...aliasUrns(named, aliases, { stack, project, formerOf: former })];
    const formerUrn = candidates.find(isInState) ?? urn;
    if (formerUrn !== urn) this.#rename(formerUrn, urn);
    this.#registered.add(urn);
    return { urn, formerUrn };
  }

  /** Throws InvalidRequest, beginning with `what`, unless the program has claimed a URN before. */
  mustHave(urn: string, what: string): void {
    if (!this.has(urn)) throw new InvalidRequest(`${what} ${urn}, which is not registered`);
  }

  #rename(formerUrn: string, urn: string): void {
    const holder = this.#registered.has(formerUrn) ? formerUrn : this.#heirOf.get(formerUrn);
    if (holder !== undefined) {
      throw new InvalidRequest(
        `the alias ${formerUrn} of ${urn} is ${holder === formerUrn ? "registered itself" : `also one of ${holder}`}`,
      );
    }
    this.#heirOf.set(formerUrn, urn);
    this.#formerOf.set(urn, formerUrn);
  }
}
