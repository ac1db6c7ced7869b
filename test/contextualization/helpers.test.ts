import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { indentLines, quoteForShell, toJson, toYaml } from "../../src/contextualization/helpers.ts";

const text = fc.string({ unit: "grapheme-composite", maxLength: 40 });
const nasty = fc.oneof(
  text,
  fc.constantFrom("", "'", "'\\''", "$(x)`y`", "a\nb", "-n", "\u0085\u2028", "yes", "0644", "~", "!x"),
);

describe("{{sh}}", () => {
  it("comes out of sh as it went in", () => {
    const words = fc.sample(
      nasty.filter((word) => !word.includes("\0")),
      300,
    );
    const script = words.map((word) => `printf '%s\\0' ${quoteForShell(word)}`).join("\n");
    const out = execFileSync("sh", { input: script, encoding: "utf8" });
    expect(out.split("\0").slice(0, -1)).toEqual(words);
  });

  it("refuses what no word can hold", () => {
    expect(() => quoteForShell("a\0b")).toThrow("NUL");
    expect(() => quoteForShell({})).toThrow("not one word");
  });
});

describe("{{yaml}}", () => {
  const value = fc
    .jsonValue({ stringUnit: "grapheme-composite" })
    .filter((v) => !JSON.stringify(v).includes("__proto__"));

  it.each(["1.1", "1.2"] as const)("is read back by YAML %s", (version) => {
    fc.assert(
      fc.property(fc.oneof(nasty, value), (v) => {
        expect(parse(`k: ${toYaml(v)}\n`, { version })).toEqual({ k: JSON.parse(JSON.stringify(v)) });
      }),
    );
  });

  it("is printable ASCII on one line", () => {
    fc.assert(fc.property(nasty, (v) => /^[ -~]*$/.test(toYaml(v))));
  });
});

describe("{{json}}", () => {
  it("is read back", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (v) => {
        expect(JSON.parse(toJson(v))).toEqual(JSON.parse(JSON.stringify(v)));
      }),
    );
  });

  it("refuses what JSON has no word for", () => {
    expect(() => toJson(undefined)).toThrow("JSON");
    expect(() => toJson(Number.NaN)).toThrow("JSON");
  });
});

describe("{{indent}}", () => {
  it("moves each line that is not empty", () => {
    expect(indentLines("a\n\n b\n", 2)).toBe("  a\n\n   b\n");
  });
});
