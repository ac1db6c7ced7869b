import { describe, expect, it } from "vitest";
import { printable, seconds } from "../../src/cli/ui/reporter.ts";

describe("text for a terminal", () => {
  it("loses what a guest could use to control it, and keeps its lines", () => {
    expect(printable("a\x1b[2Jb\x1b]0;title\x07c\rd\ne\x9b31m")).toBe("abc d\ne");
  });

  it("shows times as people read them", () => {
    expect([seconds(12), seconds(949), seconds(4210)]).toEqual(["12 ms", "949 ms", "4.2 s"]);
  });
});
