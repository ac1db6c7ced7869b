import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { ResourceKind } from "../../src/provider/kind.ts";
import { resourceKinds } from "../../src/provider/kinds.ts";
import type { Properties, Property, Shape } from "../../src/provider/schema/property.ts";

/** What `@pulumi/openstack` 3.15.2 declares of a kind. */
interface Facts {
  autoName: boolean;
  /** Seconds by phase. */
  timeouts: Record<string, number>;
  /** Whether there are changes in place. */
  update: boolean;
  /** The form of an id to import by; null where there is no import. */
  import: string | null;
  schemaVersion: number;
  /** By path: type, flags, `default=`, `values=`, `conflicts=`. */
  properties: Record<string, string>;
}

const official = JSON.parse(readFileSync(new URL("fixtures/official-kinds.json", import.meta.url), "utf8")) as Record<
  string,
  Facts
>;

const core = ["compute", "networking", "blockstorage", "images", "objectstorage", "identity"];

test("every core kind is there", () => {
  const wanted = Object.keys(official).filter((type) => core.includes(type.split(":")[1]?.split("/")[0] ?? ""));
  expect(wanted.filter((type) => !resourceKinds.has(type))).toEqual([]);
});

test.each([...resourceKinds])("%s is declared as the official provider declares it", (type, kind) => {
  expect(factsOf(kind, official[type])).toEqual(official[type]);
});

function factsOf(kind: ResourceKind, facts: Facts | undefined): Facts {
  return {
    autoName: kind.autoName,
    timeouts: { ...kind.timeouts },
    update: kind.update !== undefined,
    import: kind.importable === false ? null : (facts?.import ?? "an id"),
    schemaVersion: kind.schemaVersion ?? 0,
    properties: Object.fromEntries(
      propertyFacts("", kind.properties).map(([path, told]) => [path, comparable(told, facts?.properties[path])]),
    ),
  };
}

function propertyFacts(prefix: string, properties: Properties): [string, string][] {
  return Object.entries(properties).flatMap(([name, property]): [string, string][] => [
    [prefix + name, describe(property, prefix === "")],
    ...propertyFacts(`${prefix}${name}.`, fieldsOf(property.shape)),
  ]);
}

/** Values that are listed here and checked in another way there are no difference. */
function comparable(told: string, wanted = ""): string {
  return wanted.includes(" values=") ? told : told.replace(/ values=\S+/, "");
}

function fieldsOf(shape: Shape): Properties {
  if (shape.is === "object") return shape.fields;
  return shape.is === "list" || shape.is === "set" ? fieldsOf(shape.of) : {};
}

function describe(property: Property, isTop: boolean): string {
  const { shape, required, computed, replaces, output, secret, deprecated, kept, once, allowed, conflictsWith } =
    property;
  const flags = { required, computed, forceNew: replaces, output, secret, deprecated };
  return [
    typeOf(shape),
    ...Object.entries(flags).flatMap(([flag, set]) => (set ? [flag] : [])),
    ...(isTop && (kept || once) ? ["unread"] : []),
    ...(property.default === undefined ? [] : [`default=${JSON.stringify(property.default)}`]),
    ...(property.defaultFrom === undefined ? [] : [`default=${property.defaultFrom.told}`]),
    ...(allowed === undefined ? [] : [`values=${allowed.map(String).join(",")}`]),
    ...(conflictsWith === undefined ? [] : [`conflicts=${conflictsWith.toSorted().join(",")}`]),
  ].join(" ");
}

function typeOf(shape: Shape): string {
  return shape.is === "list" || shape.is === "set" ? `${shape.is}<${shape.of.is}>` : shape.is;
}
