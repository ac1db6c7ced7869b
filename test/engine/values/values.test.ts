// Compares prototypes; vitest's toStrictEqual compares properties named `constructor`, which a generated object may have.
import { deepStrictEqual } from "node:assert/strict";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePath, pathWithin, valueAt, withIgnoredChanges } from "../../../src/engine/embedded/values/paths.ts";
import { mapToProvider, withRepeated, withSecretsOf } from "../../../src/engine/embedded/values/provider-values.ts";
import { decodeState, encodeState, type SecretCodec } from "../../../src/engine/embedded/values/state-json.ts";
import {
  ResourceReference,
  Secret,
  someWithin,
  type Value,
  type ValueMap,
} from "../../../src/engine/embedded/values/value.ts";
import {
  decodeWire,
  encodeWire,
  type Json,
  mapFromStruct,
  structFromMap,
} from "../../../src/engine/embedded/values/wire.ts";
import { unknown } from "../../../src/engine/resource-provider.ts";

/** Names that JSON objects of programs have; `__proto__` is none in a protobuf Struct's JavaScript form. */
const key = fc.string({ minLength: 1 }).filter((name) => name !== "__proto__");
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0));
const { value } = fc.letrec<{ value: Value; plain: Value }>((tie) => ({
  plain: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    number,
    fc.boolean(),
    fc.constant(null),
    fc.constant(unknown),
    fc.record({ urn: fc.string(), id: fc.string() }).map(({ urn, id }) => new ResourceReference(urn, id, "1.2.3")),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(key, tie("value"), { maxKeys: 3, noNullPrototype: true }),
  ),
  value: fc.oneof({ weight: 4, arbitrary: tie("plain") }, { weight: 1, arbitrary: tie("plain").map(Secret.of) }),
}));
const map = fc.dictionary(key, value, { maxKeys: 4, noNullPrototype: true }) as fc.Arbitrary<ValueMap>;

/** Stands in for encryption: shows that each secret passes through it, and only secrets. */
const codec: SecretCodec = {
  encrypt: (text) => `sealed:${Buffer.from(text).toString("base64")}`,
  decrypt: (text) => Buffer.from(text.slice("sealed:".length), "base64").toString(),
};

describe("property values", () => {
  it("survive the way to the program and back", () => {
    fc.assert(
      fc.property(map, (given) => {
        deepStrictEqual(mapFromStruct(structFromMap(given)), given);
      }),
    );
  });

  it("survive the state file", () => {
    fc.assert(
      fc.property(map, (given) => {
        const text = JSON.stringify(encodeState(given, codec, "slot"));
        deepStrictEqual(decodeState(JSON.parse(text) as Json, codec, "slot"), given);
      }),
    );
  });

  it("leave no secret in clear in the state file", () => {
    fc.assert(
      fc.property(map, fc.uuid(), (given, secret) => {
        expect(
          JSON.stringify(encodeState({ ...given, a: [{ b: Secret.of({ c: secret }) }] }, codec, "")),
        ).not.toContain(secret);
      }),
    );
  });

  it("reach a provider without secrets or references, and get their secrecy back", () => {
    fc.assert(
      fc.property(map, (given) => {
        const seen = mapToProvider(given) as ValueMap;
        expect(someWithin(seen, (part) => part instanceof Secret || part instanceof ResourceReference)).toBe(false);
        const back = withSecretsOf(seen, given);
        for (const name of Object.keys(given)) {
          if (given[name] instanceof Secret) expect(back[name]).toBeInstanceOf(Secret);
        }
      }),
    );
  });

  it("are secret in outputs that repeat them under another name", () => {
    const inputs = { metadata: { note: Secret.of("hush"), role: "web" }, tags: ["open", Secret.of("closed")] };
    const answer = {
      allMetadata: { note: "hush", role: "web", foreign: "1" },
      allTags: ["closed", "open"],
      other: "hush",
    };
    expect(
      withSecretsOf(answer, withRepeated(inputs, { allMetadata: "metadata", allTags: "tags", other: "absent" })),
    ).toEqual({
      allMetadata: { note: Secret.of("hush"), role: "web", foreign: "1" },
      allTags: Secret.of(["closed", "open"]),
      other: "hush",
    });
  });

  it("keep infinities in the state file by their bits", () => {
    for (const number of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]) {
      const text = JSON.stringify(encodeState(number, codec, ""));
      expect(decodeState(JSON.parse(text) as Json, codec, "")).toBe(number);
    }
  });

  it("understand envelopes as the SDK sends them", () => {
    const signature = "4dabf18193072939515e22adb298388d";
    expect(decodeWire("1c4a061d-8072-4f0a-a4cb-0ff528b18fe7")).toBe(unknown);
    const output = { [signature]: "d0e6a833031e9bbcd3f4e8bde6ca49a4", secret: true };
    expect(decodeWire(output)).toEqual(Secret.of(unknown));
    const text = { [signature]: "c44067f5952c0a294b673a41bacd8c17", text: "hello" };
    expect(decodeWire(text)).toMatchObject({ text: "hello", hash: expect.stringMatching(/^2cf24dba/) });
    expect(() => decodeWire({ [signature]: "0def7320c3a5731c473e5ecbe6d01bc7", path: "x" })).toThrow("archive");
    const secret = { [signature]: "1b47061264138c4ac30d75fd1eb44270", value: "v" };
    expect(encodeWire(Secret.of(Secret.of("v")))).toEqual(secret);
  });

  it("drop unknowns for an SDK that wants no partial values", () => {
    expect(encodeWire({ a: unknown, b: [unknown], c: 1 }, false)).toEqual({ b: [null], c: 1 });
  });
});

describe("property paths", () => {
  it("are read in every spelling", () => {
    expect(parsePath('a.b[0]["k.l"].*')).toEqual(["a", "b", 0, "k.l", "*"]);
    expect(parsePath('["say \\"x\\""][*]')).toEqual(['say "x"', "*"]);
  });

  it("lie within a pattern or not", () => {
    expect(pathWithin(parsePath("networks[0].port"), parsePath("networks[*]"))).toBe(true);
    expect(pathWithin(parsePath("networks"), parsePath("networks[0]"))).toBe(false);
    expect(pathWithin(parsePath("tags"), parsePath("*"))).toBe(true);
  });

  it("find values and keep their secrecy", () => {
    expect(valueAt({ a: Secret.of({ b: [1, 2] }) }, parsePath("a.b[1]"))).toEqual(Secret.of(2));
    expect(valueAt({ a: 1 }, parsePath("a.b"))).toBeUndefined();
    expect(valueAt({}, parsePath("constructor"))).toBeUndefined();
  });

  it("reset ignored changes", () => {
    const olds = { a: { b: 1, c: 2 }, list: [{ x: 1 }, { x: 2 }], only: "old" };
    const news = { a: { b: 9, c: 9 }, list: [{ x: 9 }, { x: 9 }, { x: 9 }], added: true };
    const paths = ["a.b", "list[*].x", "only", "added", "missing.parent"];
    expect(withIgnoredChanges(news, olds, paths)).toEqual({
      inputs: { a: { b: 1, c: 9 }, list: [{ x: 1 }, { x: 2 }, { x: 9 }], only: "old" },
      missed: ["list[*].x"],
    });
    expect(withIgnoredChanges(news, olds, [])).toEqual({ inputs: news, missed: [] });
  });

  it("leave the new inputs where an ignored path has no place in one of the two", () => {
    const cases: [ValueMap, ValueMap, string][] = [
      [{ list: [1, 2] }, { list: [1] }, "list[1]"],
      [{ list: [1] }, { list: [1, 2] }, "list[1]"],
      [{}, { a: { b: 1 } }, "a.b"],
      [{ a: 1 }, { a: { b: 1 } }, "a.b"],
      [{ a: { b: { c: 1 } } }, { a: 1 }, "a.b.c"],
      [{ list: 1 }, { list: [1] }, "list[0]"],
    ];
    for (const [news, olds, path] of cases) {
      expect(withIgnoredChanges(news, olds, [path])).toEqual({ inputs: news, missed: [path] });
    }
    const same: [ValueMap, ValueMap, string][] = [
      [{ list: [1] }, { list: [2] }, "list[5]"],
      [{ a: 1 }, { a: 2 }, "a.b"],
      [{}, {}, "a.b.c"],
    ];
    for (const [news, olds, path] of same) {
      expect(withIgnoredChanges(news, olds, [path])).toEqual({ inputs: news, missed: [] });
    }
  });

  it("keep an old value's secrecy where they reset it", () => {
    const reset = (news: ValueMap, olds: ValueMap, path: string) => withIgnoredChanges(news, olds, [path]).inputs;
    expect(reset({ a: { b: 1 } }, { a: Secret.of({ b: 2 }) }, "a.b")).toEqual({ a: { b: Secret.of(2) } });
    expect(reset({ a: Secret.of({ b: 1 }) }, { a: { b: 2 } }, "a.b")).toEqual({ a: Secret.of({ b: 2 }) });
    expect(reset({ a: 1 }, { a: Secret.of(2) }, "a")).toEqual({ a: Secret.of(2) });
  });

  it("resetting everything gives the old values back", () => {
    fc.assert(
      fc.property(map, map, (olds, news) => {
        expect(withIgnoredChanges(news, olds, ["*"])).toEqual({ inputs: olds, missed: [] });
      }),
    );
  });
});
