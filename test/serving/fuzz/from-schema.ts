import fc, { type Arbitrary } from "fast-check";

/** JSON Schema, as far as routes use it. */
export interface JsonSchema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  prefixItems?: JsonSchema[];
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
}

/** Keys and texts that have broken programs before. */
export const nasty = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "",
  " ",
  "\0",
  "..",
  "../../etc/passwd",
  "%2e%2e%2f",
  "NaN",
  "Infinity",
  "-0",
  "1e999",
  "null",
  "<script>",
  "'; DROP TABLE models; --",
  "💥",
  "\ud800",
  "a".repeat(5000),
];

export const text = fc.oneof(fc.constantFrom(...nasty), fc.string({ unit: "grapheme", maxLength: 20 }));

/** Values that a schema allows, now and then with more than it says, and now and then something else. */
export function valuesOf(schema: JsonSchema, components: Record<string, JsonSchema>, depth = 0): Arbitrary<unknown> {
  const within = (inner: JsonSchema) => valuesOf(inner, components, depth + 1);
  const fitting = (): Arbitrary<unknown> => {
    if (depth > 6) return fc.constant(null);
    if (schema.$ref !== undefined) return within(components[schema.$ref.split("/").at(-1) ?? ""] ?? {});
    if (schema.const !== undefined) return fc.constant(schema.const);
    if (schema.enum) return fc.constantFrom(...schema.enum);
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices) return fc.oneof(...choices.map(within));
    if (schema.allOf) {
      const parts = fc.tuple(...schema.allOf.map(within));
      return parts.map((values) => Object.assign({}, ...values.filter((one) => typeof one === "object")));
    }
    const [type] = [schema.type].flat();
    switch (type) {
      case "string":
        return text;
      case "boolean":
        return fc.boolean();
      case "null":
        return fc.constant(null);
      case "integer":
        return fc.oneof(fc.integer({ min: schema.minimum ?? -5, max: schema.maximum ?? 50 }), fc.maxSafeInteger());
      case "number":
        return fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: -3, max: 300 }));
      case "array":
        return schema.prefixItems
          ? fc.tuple(...schema.prefixItems.map(within))
          : fc.array(within(schema.items ?? {}), { minLength: schema.minItems ?? 0, maxLength: 9 });
      case "object":
        return objectsOf(schema, within);
      default:
        return fc.jsonValue({ maxDepth: 3 });
    }
  };
  return fc.oneof({ weight: 12, arbitrary: fitting() }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) });
}

function objectsOf(
  { properties = {}, required = [], additionalProperties }: JsonSchema,
  within: (schema: JsonSchema) => Arbitrary<unknown>,
): Arbitrary<unknown> {
  const fields = Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, within(inner)]));
  const known = fc.record(fields, { requiredKeys: required.filter((name) => name in fields) });
  const values =
    typeof additionalProperties === "object" ? within(additionalProperties) : fc.jsonValue({ maxDepth: 1 });
  const more = fc.array(fc.tuple(fc.oneof(text, fc.constantFrom(...Object.keys(properties), "x")), values), {
    maxLength: additionalProperties ? 4 : 1,
  });
  return fc.tuple(known, more).map(([one, extra]) => ({ ...one, ...Object.fromEntries(extra) }));
}
