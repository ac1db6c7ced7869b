import { describe, expect, it } from "vitest";
import { withCurrentUrns } from "../../../src/engine/embedded/state/renames.ts";
import { aliasUrns } from "../../../src/engine/embedded/steps/aliases.ts";
import type { AliasSpec } from "../../../src/engine/embedded/steps/goal.ts";
import { UrnPatterns } from "../../../src/engine/embedded/steps/urn-patterns.ts";
import { resourceState } from "../support/resource-state.ts";

const urn = (type: string, name: string) => `urn:pulumi:dev::shop::${type}::${name}`;
const stackUrn = urn("pulumi:pulumi:Stack", "shop-dev");

describe("the URNs of aliases", () => {
  const context = (former: Record<string, string> = {}) => ({
    stack: "dev",
    project: "shop",
    formerOf: (parent: string) => former[parent],
  });
  const named = { type: "t:m:T", name: "n", parent: stackUrn };
  const cases: [string, AliasSpec, string][] = [
    ["a whole URN", { urn: "urn:x" }, "urn:x"],
    ["another name", { name: "old" }, urn("t:m:T", "old")],
    ["another type", { type: "t:m:Old" }, urn("t:m:Old", "n")],
    ["another stack and project", { stack: "s", project: "p" }, "urn:pulumi:s::p::t:m:T::n"],
    ["another parent", { parentUrn: urn("c:m:C", "c") }, urn("c:m:C$t:m:T", "n")],
    ["the stack as parent", { parentUrn: stackUrn }, urn("t:m:T", "n")],
    ["no parent", { noParent: true }, urn("t:m:T", "n")],
  ];
  it.each(cases)("have %s", (_, spec, expected) => {
    expect(aliasUrns(named, [spec], context())).toEqual([expected]);
  });

  it("stay below the parent unless they say otherwise, and name one that was renamed by its old name", () => {
    const parent = urn("c:m:C", "new");
    const child = { ...named, parent };
    expect(aliasUrns(child, [{ name: "x" }], context())).toEqual([urn("c:m:C$t:m:T", "x")]);
    const other = urn("c:m:New", "c");
    const former = { [other]: urn("c:m:Old", "c") };
    expect(aliasUrns(child, [{ parentUrn: other }], context(former))).toEqual([urn("c:m:Old$t:m:T", "n")]);
  });

  it("of a renamed parent's child come after its own, each with the old name for the new at its beginning", () => {
    const parent = urn("a:m:A$c:m:C", "new");
    const former = { [parent]: urn("a:m:A$c:m:Old", "old") };
    expect(aliasUrns({ type: "t:m:T", name: "new-net", parent }, [{ name: "new-lan" }], context(former))).toEqual([
      urn("a:m:A$c:m:C$t:m:T", "new-lan"),
      urn("a:m:A$c:m:Old$t:m:T", "old-net"),
      urn("a:m:A$c:m:Old$t:m:T", "old-lan"),
    ]);
    expect(aliasUrns({ type: "t:m:T", name: "net", parent }, [], context(former))).toEqual([
      urn("a:m:A$c:m:Old$t:m:T", "net"),
    ]);
  });
});

describe("renamed resources", () => {
  const [old, now] = [urn("c:m:C", "old"), urn("c:m:New", "new")];

  it("are renamed wherever they are named, and so are those below them", () => {
    const child = urn("c:m:C$t:m:T", "child");
    const resources = [
      resourceState(now),
      resourceState(child, { parent: old, provider: `${old}::id` }),
      resourceState("x", {
        dependencies: [old, "y"],
        propertyDependencies: { a: [old], b: [child] },
        deletedWith: old,
      }),
      resourceState(old, { delete: true }),
    ];
    const moved = urn("c:m:New$t:m:T", "child");
    expect(withCurrentUrns(resources, new Map([[old, now]]))).toEqual([
      resourceState(now),
      resourceState(moved, { parent: now, provider: `${now}::id` }),
      resourceState("x", {
        dependencies: [now, "y"],
        propertyDependencies: { a: [now], b: [moved] },
        deletedWith: now,
      }),
      resourceState(now, { delete: true }),
    ]);
    expect(resources[1]?.urn).toBe(child);
  });

  it("do not take the URN of one that is there", () => {
    const [before, after] = [urn("c:m:C$t:m:T", "child"), urn("c:m:New$t:m:T", "child")];
    const resources = [
      resourceState(now),
      resourceState(after, { parent: now }),
      resourceState(before, { parent: old }),
    ];
    expect(withCurrentUrns(resources, new Map([[old, now]])).map((item) => item.urn)).toEqual([now, after, before]);
  });
});

describe("patterns of URNs", () => {
  it("match whole URNs, * up to a colon, ** anything, and nothing else literally", () => {
    const patterns = new UrnPatterns([urn("t:m:T", "a$b"), "urn:pulumi:dev::shop::x:m:*::n", "**::web.1"]);
    expect(patterns.has(urn("t:m:T", "a$b"))).toBe(true);
    expect(patterns.has(urn("t:m:T", "a"))).toBe(false);
    expect(patterns.has(urn("x:m:X", "n"))).toBe(true);
    expect(patterns.has(urn("x:m:X:Y", "n"))).toBe(false);
    expect(patterns.has(urn("any$thing:m:T", "web.1"))).toBe(true);
    expect(patterns.has(urn("any$thing:m:T", "webx1"))).toBe(false);
    expect([...patterns.literals]).toEqual([urn("t:m:T", "a$b")]);
    expect(new UrnPatterns([]).isEmpty).toBe(true);
  });
});
