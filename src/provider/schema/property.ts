import type { PropertyValue } from "../../engine/resource-provider.ts";

/** What a value looks like. A set is a list whose order means nothing. */
export type Shape =
  | { is: "string" | "boolean" | "integer" | "number" | "map" }
  | { is: "list" | "set"; of: Shape }
  | { is: "object"; fields: Properties };

/** Declarations by Pulumi name. */
export type Properties = Record<string, Property>;

/** One property of a resource kind or of an object inside one; the flags are those of the Terraform schema behind it. */
export interface Property {
  shape: Shape;
  /** Its name in the cloud's API; without one it is not mapped by table. */
  field?: string;
  required?: boolean;
  /** The cloud may choose it: an absent input is no difference. */
  computed?: boolean;
  /** A change needs a new resource. */
  replaces?: boolean;
  /** Never an input. */
  output?: boolean;
  /** Not read back: the state keeps the input. */
  kept?: boolean;
  /** Known only from the create call; later reads keep what the state has. */
  once?: boolean;
  secret?: boolean;
  /** The input whose values the cloud repeats here: what is secret there is secret here. */
  repeats?: string;
  deprecated?: boolean;
  default?: PropertyValue;
  /** A default that depends on where the program runs; `told` says how, e.g. `env:OS_POOL_NAME`. */
  defaultFrom?: { told: string; value: (env: NodeJS.ProcessEnv) => PropertyValue | undefined };
  allowed?: PropertyValue[];
  conflictsWith?: string[];
  /** Of these properties, this one among them, exactly one has to be given. */
  exactlyOneOf?: string[];
  /** Why a value of the right shape is refused; undefined when it is fine. */
  refuse?: (value: PropertyValue) => string | undefined;
  /** The form that a given value has in the state. */
  toState?: (value: PropertyValue) => PropertyValue;
  /** Differences that mean nothing: the cloud's normal form of what was sent. */
  same?: (state: PropertyValue, input: PropertyValue) => boolean;
}

type Flags = Omit<Property, "shape">;

export const text = (flags: Flags = {}): Property => ({ shape: { is: "string" }, ...flags });
export const flag = (flags: Flags = {}): Property => ({ shape: { is: "boolean" }, ...flags });
export const integer = (flags: Flags = {}): Property => ({ shape: { is: "integer" }, ...flags });
export const map = (flags: Flags = {}): Property => ({ shape: { is: "map" }, ...flags });
export const list = (of: Shape, flags: Flags = {}): Property => ({ shape: { is: "list", of }, ...flags });
export const set = (of: Shape, flags: Flags = {}): Property => ({ shape: { is: "set", of }, ...flags });
export const object = (fields: Properties, flags: Flags = {}): Property => ({
  shape: { is: "object", fields },
  ...flags,
});

/** A default out of the first environment variable that is set. */
export const fromEnv = (...names: string[]): NonNullable<Property["defaultFrom"]> => ({
  told: `env:${names.join(",")}`,
  value: (env) => names.map((name) => env[name]).find((value) => value !== undefined && value !== ""),
});

/** Element shapes. */
export const aString: Shape = { is: "string" };
export const anObject = (fields: Properties): Shape => ({ is: "object", fields });
