import { SlipwayError } from "../../../common/errors.ts";
import type { Value, ValueMap } from "../values/value.ts";

/** What the program wants of one resource. */
export interface Goal {
  type: string;
  name: string;
  custom: boolean;
  parent: string;
  inputs: ValueMap;
  /** `<urn>::<id>`, or empty for the package's default provider. */
  provider: string;
  version: string;
  dependencies: string[];
  propertyDependencies: Record<string, string[]>;
  protect: boolean;
  retainOnDelete: boolean;
  deletedWith: string;
  /** Undefined: the provider decides. */
  deleteBeforeReplace: boolean | undefined;
  ignoreChanges: string[];
  replaceOnChanges: string[];
  additionalSecretOutputs: string[];
  /** Seconds by operation. */
  customTimeouts: Record<string, number>;
  aliases: AliasSpec[];
  /** The id of what exists already and is to be taken over; empty for most. */
  importId: string;
  /** Replaces the resource whenever it changes. */
  replacementTrigger: Value | undefined;
  /** Where the provider's plugin comes from, for packages whose SDK says so. */
  pluginDownloadUrl: string;
  /** Left out: nobody knows. */
  positions?: SourcePositions;
}

/** A resource of which only type and name are asked: one that a provider keeps, without parent, inputs and options. */
export function bareGoal(type: string, name: string): Goal {
  return {
    type,
    name,
    custom: true,
    parent: "",
    inputs: {},
    provider: "",
    version: "",
    dependencies: [],
    propertyDependencies: {},
    protect: false,
    retainOnDelete: false,
    deletedWith: "",
    deleteBeforeReplace: undefined,
    ignoreChanges: [],
    replaceOnChanges: [],
    additionalSecretOutputs: [],
    customTimeouts: {},
    aliases: [],
    importId: "",
    replacementTrigger: undefined,
    pluginDownloadUrl: "",
  };
}

/** Where in the program a registration was made, as checkpoints have it. */
export interface SourcePositions {
  sourcePosition?: string;
  stackTrace?: { sourcePosition?: string }[];
}

/** Another URN that the resource may have had: given whole, or as what differed. */
export type AliasSpec =
  | { urn: string }
  | { name?: string; type?: string; stack?: string; project?: string; parentUrn?: string; noParent?: boolean };

/** What the program wants to read and not to own. */
export interface ReadGoal {
  id: string;
  type: string;
  name: string;
  parent: string;
  provider: string;
  version: string;
  pluginDownloadUrl: string;
  inputs: ValueMap;
  dependencies: string[];
  additionalSecretOutputs: string[];
}

const units: Record<string, number> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };

/** Seconds of a Go duration such as `5m` or `1h30m`. Throws SlipwayError E_CONFIG_INVALID. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    throw new SlipwayError("E_CONFIG_INVALID", `"${text}" is no duration`, { hint: "Write it like 90s, 5m or 1h30m." });
  }
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (units[unit ?? ""] ?? 0), 0);
}
