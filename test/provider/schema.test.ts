import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type PropertyMap, type PropertyValue, unknown } from "../../src/engine/resource-provider.ts";
import { encoded } from "../../src/provider/compute/instance-create.ts";
import { resourceKinds } from "../../src/provider/kinds.ts";
import { checkInputs } from "../../src/provider/schema/check.ts";
import { changesBetween } from "../../src/provider/schema/diff.ts";
import { foreseenOutputs } from "../../src/provider/schema/outputs.ts";
import {
  anObject,
  aString,
  flag,
  integer,
  list,
  map,
  type Properties,
  set,
  text,
} from "../../src/provider/schema/property.ts";
import { cidrOf, sameNetwork } from "../../src/provider/schema/suppress.ts";
import { stateValue } from "../../src/provider/schema/values.ts";

const table: Properties = {
  name: text(),
  size: integer({ default: 4, allowed: [4, 6] }),
  on: flag({ default: false, conflictsWith: ["off"] }),
  off: text({ conflictsWith: ["on"] }),
  zone: text({ computed: true, replaces: true }),
  fixed: text({ required: true, replaces: true }),
  labels: set(aString),
  servers: list(aString),
  meta: map(),
  nics: list(anObject({ port: text({ computed: true, replaces: true }), main: flag({ default: false }) }), {
    computed: true,
  }),
  made: text({ output: true, computed: true }),
};

const paths = (state: PropertyMap, inputs: PropertyMap) =>
  changesBetween(table, state, { fixed: "f", ...inputs }).map(
    ({ path, kind, replace }) => `${kind}${replace ? "!" : ""} ${path}`,
  );

describe("check", () => {
  test("fills in defaults at all depths and lists them", () => {
    const { inputs, failures } = checkInputs(table, {}, { fixed: "f", nics: [{ port: "p" }] });
    expect(failures).toEqual([]);
    expect(inputs).toEqual({
      fixed: "f",
      size: 4,
      on: false,
      nics: [{ port: "p", main: false, __defaults: ["main"] }],
      __defaults: ["on", "size"],
    });
  });

  test("gives no default beside what it conflicts with", () => {
    expect(checkInputs(table, {}, { fixed: "f", off: "x" }).inputs).not.toHaveProperty("on");
  });

  test("passes unknown values through", () => {
    const { inputs, failures } = checkInputs(
      table,
      {},
      { fixed: unknown, size: unknown, nics: [{ port: unknown }], labels: unknown },
    );
    expect(failures).toEqual([]);
    expect(inputs).toMatchObject({ fixed: unknown, size: unknown, labels: unknown });
  });

  test.each<[PropertyMap, string]>([
    [{}, "fixed is required and missing"],
    [{ fixed: 1 }, "fixed must be a string, not 1"],
    [{ fixed: "f", size: 5 }, "size must be one of 4, 6, not 5"],
    [{ fixed: "f", size: 4.5 }, "size must be an integer, not 4.5"],
    [{ fixed: "f", on: true, off: "x" }, "on conflicts with off: give only one"],
    [{ fixed: "f", nmae: "x" }, "nmae is not an input of this resource"],
    [{ fixed: "f", made: "x" }, "made is not an input of this resource"],
    [{ fixed: "f", nics: [{ prot: "x" }] }, "nics[0].prot is not an input of this resource"],
  ])("%j: %s", (news, reason) => {
    expect(checkInputs(table, {}, news).failures.map((failure) => failure.reason)).toContain(reason);
  });
});

describe("diff", () => {
  const state = {
    fixed: "f",
    size: 4,
    zone: "nova",
    labels: ["a", "b"],
    servers: ["1", "2"],
    meta: { a: "1" },
    nics: [{ port: "p", main: false }],
  };
  test.each<[string, PropertyMap, string[]]>([
    ["nothing", { size: 4, labels: ["b", "a"], servers: ["1", "2"], meta: { a: "1" } }, []],
    [
      "a set element",
      { size: 4, labels: ["b", "c"], servers: ["1", "2"], meta: { a: "1" } },
      ["delete labels[0]", "add labels[1]"],
    ],
    [
      "the order of a list",
      { size: 4, labels: ["a", "b"], servers: ["2", "1"], meta: { a: "1" } },
      ["update servers[0]", "update servers[1]"],
    ],
    [
      "a map entry",
      { size: 4, labels: ["a", "b"], servers: ["1", "2"], meta: { b: "1" } },
      ["delete meta.a", "add meta.b"],
    ],
    ["what is no more given", { size: 4, meta: { a: "1" }, servers: ["1", "2"] }, ["delete labels"]],
    [
      "a computed object field",
      { size: 4, labels: ["a", "b"], servers: ["1", "2"], meta: { a: "1" }, nics: [{ port: "q" }] },
      ["update! nics[0].port"],
    ],
    [
      "an unknown value",
      { size: 4, labels: ["a", "b"], servers: ["1", "2"], meta: { a: "1" }, zone: unknown },
      ["update! zone"],
    ],
  ])("%s", (_, inputs, expected) => {
    expect(paths(state, inputs)).toEqual(expected);
  });

  test("zero values are the same as none", () => {
    expect(paths({ fixed: "f" }, { name: "", size: 0, on: false, labels: [], meta: {} })).toEqual([]);
  });

  test("a new nested object without unknown parts is no reason to replace what the cloud chose", () => {
    expect(
      paths({ fixed: "f", nics: [{ port: "p", main: false }] }, { nics: [{ __defaults: ["main"], main: false }] }),
    ).toEqual([]);
  });
});

/** Inputs of a kind, as a program could give them: every value of the right shape. */
function inputsOf(properties: Properties): fc.Arbitrary<PropertyMap> {
  const scalar = fc.string({ minLength: 1, maxLength: 5 });
  const value = (name: string): fc.Arbitrary<PropertyValue> => {
    const property = properties[name];
    if (property === undefined) return fc.constant(null);
    if (property.allowed !== undefined) return fc.constantFrom(...property.allowed);
    if (property.refuse !== undefined) return fc.constant(null);
    switch (property.shape.is) {
      case "string":
        return scalar;
      case "boolean":
        return fc.boolean();
      case "integer":
      case "number":
        return fc.integer({ min: 0, max: 100 });
      case "map":
        return fc.dictionary(
          scalar.filter((key) => key !== "__proto__"),
          scalar,
        );
      case "list":
      case "set":
        return property.shape.of.is === "string" ? fc.uniqueArray(scalar, { maxLength: 3 }) : fc.constant(null);
      case "object":
        return fc.constant(null);
    }
  };
  const names = Object.keys(properties).filter((name) => !properties[name]?.output);
  return fc.record(Object.fromEntries(names.map((name) => [name, fc.option(value(name), { freq: 3 })])));
}

describe("every kind", () => {
  test.each([...resourceKinds.keys()])("%s: a state that echoes the inputs is no difference", (type) => {
    const kind = resourceKinds.get(type);
    if (kind === undefined) throw new Error(type);
    fc.assert(
      fc.property(inputsOf(kind.properties), (news) => {
        const { inputs } = checkInputs(kind.properties, {}, news, { resourceName: "r" });
        const state: PropertyMap = {};
        for (const [name, property] of Object.entries(kind.properties)) {
          const input = inputs[name];
          if (input !== undefined && input !== null) state[name] = stateValue(property, input);
        }
        expect(changesBetween(kind.properties, state, inputs)).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  test("foreseen outputs are unknown exactly where the cloud chooses", () => {
    const foreseen = foreseenOutputs(table, { fixed: "f", nics: [{ main: true }] });
    expect(foreseen).toEqual({
      id: unknown,
      fixed: "f",
      zone: unknown,
      made: unknown,
      nics: [{ port: unknown, main: true }],
    });
  });

  test("a preview shows what the program says, not the form that the state will have of it", () => {
    const properties: Properties = { script: text({ kept: true, toState: (value) => String(value).length }) };
    expect(foreseenOutputs(properties, { script: "echo" })).toEqual({ id: unknown, script: "echo" });
    expect(stateValue(properties.script ?? text(), "echo")).toBe(4);
  });
});

describe("small forms", () => {
  test.each([
    ["10.0.0.0/24", "10.0.0.5/24", true],
    ["10.0.0.0/24", "10.0.1.0/24", false],
    ["10.0.0.0/24", "10.0.0.0/25", false],
    ["10.0.0.1/32", "10.0.0.1", true],
    ["2001:db8::/32", "2001:DB8:0::1/32", true],
    ["2001:db8::/32", "10.0.0.0/32", false],
    ["", "10.0.0.0/24", false],
  ])("%s and %s", (one, other, same) => {
    expect(sameNetwork(one, other)).toBe(same);
  });

  test.each(["10.0.0.0/33", "10.0.0/24", "10.0.0.0/", "x", "10.0.0.0/24/1", "10.0.0.0/-1"])(
    "%s is no range",
    (text) => {
      expect(cidrOf(text)).toBeUndefined();
    },
  );

  test("user-data is sent in base64; what is base64 already goes as it is", () => {
    expect(encoded("#cloud-config\n")).toBe("I2Nsb3VkLWNvbmZpZwo=");
    expect(encoded("H4sIAAAA")).toBe("H4sIAAAA");
    expect(encoded("")).toBe("");
  });
});
