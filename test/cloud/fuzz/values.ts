import fc from "fast-check";

/** The part of JSON Schema that `z.toJSONSchema` writes. */
export interface JsonSchema {
  type?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  prefixItems?: JsonSchema[];
  minItems?: number;
  minimum?: number;
  maximum?: number;
}

/** What exists, by kind in the singular: `{network: ["<id>", "<name>", …]}`. */
export type Known = Record<string, string[]>;

/** Values that some code somewhere has stumbled over. */
const hostile: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    ...[null, true, false, 0, -1, 1.5, 2 ** 31, 2 ** 53, 1e308, [], {}, [[]], [null], { a: { b: { c: [] } } }],
    ...["", " ", "\u0000", "\ud800", "é".repeat(200), "x".repeat(300), "../../../etc/passwd", "%00", "%ZZ", "null"],
    ...["__proto__", "constructor", "toString", "hasOwnProperty", "-1", "NaN", "1e400", "0x10", "(a+)+$", "[", "*"],
    ...[
      "<script>",
      "a\r\nx-injected: 1",
      "9999-99-99T99:99:99Z",
      "::1",
      "10.0.0.0/33",
      "256.1.1.1",
      "http://127.0.0.1:1/",
    ],
  ),
  fc.constant(JSON.parse('{"__proto__": {"polluted": true}, "constructor": {}}')),
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Texts that are right somewhere. */
const plausible = fc.oneof(
  fc.constantFrom(
    ...["web", "default", "tcp", "ingress", "IPv4", "10.9.0.0/24", "10.9.0.7", "0.0.0.0/0", "80", "1", "raw", "bare"],
    ...["2030-01-01T00:00:00Z", "aGVsbG8=", "private", "public", "nova", "/etc/motd", "true", "None", "name:asc"],
  ),
  fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/),
);

/** A text for a field or parameter of that name: mostly something that exists. */
export function textFor(name: string, known: Known): fc.Arbitrary<string> {
  const lower = name.toLowerCase();
  const fitting = Object.entries(known).flatMap(([kind, texts]) => (lower.includes(kind) ? texts : []));
  const any = Object.values(known).flat();
  return fc.oneof(
    { weight: 6, arbitrary: fitting.length > 0 ? fc.constantFrom(...fitting) : plausible },
    { weight: 2, arbitrary: plausible },
    { weight: 1, arbitrary: any.length > 0 ? fc.constantFrom(...any) : plausible },
    { weight: 1, arbitrary: hostile.filter((value) => typeof value === "string") as fc.Arbitrary<string> },
  );
}

/** Mostly what the schema describes; here and there something else. */
export function valueFor(schema: JsonSchema, known: Known, name = ""): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 14, arbitrary: proper(schema, known, name) }, { weight: 1, arbitrary: hostile });
}

function proper(schema: JsonSchema, known: Known, name: string): fc.Arbitrary<unknown> {
  if ("const" in schema) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices !== undefined) return fc.oneof(...choices.map((one) => valueFor(one, known, name)));
  switch (schema.type) {
    case "object":
      return properObject(schema, known);
    case "array": {
      if (schema.prefixItems !== undefined)
        return fc.tuple(...schema.prefixItems.map((one) => valueFor(one, known, name)));
      const item = valueFor(schema.items ?? {}, known, name);
      return fc.array(item, { minLength: Math.min(schema.minItems ?? 0, 3), maxLength: 3 });
    }
    case "string":
      return textFor(name, known);
    case "integer":
    case "number": {
      const min = Math.max(schema.minimum ?? -1, -(2 ** 31));
      const max = Math.max(Math.min(schema.maximum ?? 100, 2 ** 31 - 1), min);
      return fc.oneof(fc.integer({ min, max: Math.min(max, min + 20) }), fc.constantFrom(min, max));
    }
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    default:
      return fc.oneof(fc.boolean(), fc.constantFrom("true", "1", 1, 0), textFor(name, known), hostile);
  }
}

function properObject(schema: JsonSchema, known: Known): fc.Arbitrary<unknown> {
  const fields = Object.entries(schema.properties ?? {});
  const model = Object.fromEntries(fields.map(([key, one]) => [key, valueFor(one, known, key)]));
  const requiredKeys = (schema.required ?? []).filter((key) => Object.hasOwn(model, key));
  const more = typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
  const own = fc.record(model, { requiredKeys });
  const others = fc.dictionary(
    fc.oneof(fc.constantFrom("a", "b", "name", "__proto__", "constructor"), plausible),
    more === undefined ? hostile : valueFor(more, known),
    { maxKeys: 2, noNullPrototype: true },
  );
  if (more !== undefined) return fc.tuple(own, others).map(([a, b]) => ({ ...b, ...a }));
  return fc.oneof(
    { weight: 14, arbitrary: own },
    { weight: 1, arbitrary: fc.tuple(own, others).map(([a, b]) => ({ ...b, ...a })) },
    // one that is required is missing
    { weight: 1, arbitrary: fc.record(model, { requiredKeys: [] }) },
  );
}

export { hostile };
