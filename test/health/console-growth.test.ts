import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { growth, lastLines, wholeLines } from "../../src/health/console-growth.ts";

const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `[${from + index}] a line of the log\n`).join("");

describe("what a console log has gained", () => {
  it("is what follows the text that is known", () => {
    expect(growth("", "a\n")).toEqual({ text: "a\n", gap: false });
    expect(growth("a\n", "a\nb\n")).toEqual({ text: "b\n", gap: false });
    expect(growth("a\n", "a\n")).toEqual({ text: "", gap: false });
  });

  it("is found in a log whose head is gone, also where that was cut within a line", () => {
    const now = lines(40, 130).slice(7);
    expect(growth(lines(0, 100), now)).toEqual({ text: lines(100, 130), gap: false });
  });

  it("is everything, after a gap, where nothing of the known text is left", () => {
    expect(growth(lines(0, 100), lines(200, 300))).toEqual({ text: lines(200, 300), gap: true });
    expect(growth(lines(0, 100), "new boot\n")).toEqual({ text: "new boot\n", gap: true });
    expect(growth(lines(0, 100), "")).toEqual({ text: "", gap: true });
  });

  it("comes out whole, however much is written between two looks and however little the cloud keeps", () => {
    const line = fc.string({ unit: fc.constantFrom("a", "b", " ", "1"), maxLength: 12 });
    const looks = fc.array(fc.array(line, { maxLength: 8 }), { maxLength: 12 });
    fc.assert(
      fc.property(looks, fc.integer({ min: 400, max: 900 }), (written, kept) => {
        let all = "";
        let known = "";
        let shown = "";
        for (const [look, more] of written.entries()) {
          // numbered, as the lines of a real log have times
          all += more.map((text, index) => `${look}.${index} ${text}\n`).join("");
          const now = all.slice(-kept);
          const { text, gap } = growth(known, now);
          expect(gap).toBe(false);
          known = now;
          shown += text;
        }
        expect(shown).toBe(all);
      }),
    );
  });
});

it("a line is whole when it has ended", () => {
  expect(["", "a", "a\nb", "a\nb\n"].map(wholeLines)).toEqual(["", "", "a\n", "a\nb\n"]);
});

it("the last lines of a log", () => {
  expect([undefined, 0, 1, 2, 9].map((count) => lastLines("a\nb\nc\n", count))).toEqual([
    "a\nb\nc\n",
    "",
    "c\n",
    "b\nc\n",
    "a\nb\nc\n",
  ]);
});
