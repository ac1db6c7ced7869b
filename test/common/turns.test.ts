import { describe, expect, it } from "vitest";
import { Turns } from "../../src/common/turns.ts";

describe("turns", () => {
  it("run one after the other under one key, in order, and beside those of other keys", async () => {
    const turns = new Turns();
    const seen: string[] = [];
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first = turns.run("a", async () => {
      await held;
      seen.push("a1");
    });
    const second = turns.run("a", async () => seen.push("a2"));
    await turns.run("b", async () => seen.push("b"));
    expect(seen).toEqual(["b"]);
    expect(["a", "b"].map((key) => turns.isTaken(key))).toEqual([true, false]);
    release();
    await Promise.all([first, second]);
    expect(seen).toEqual(["b", "a1", "a2"]);
  });

  it("go on after one that failed; its caller is told", async () => {
    const turns = new Turns();
    const failed = turns.run("a", async () => {
      throw new Error("no");
    });
    const next = turns.run("a", async () => "yes");
    await expect(failed).rejects.toThrow("no");
    expect(await next).toBe("yes");
  });

  it("are idle when those that work itself began have ended too", async () => {
    const turns = new Turns();
    const seen: string[] = [];
    void turns.run("a", async () => {
      void turns.run("b", async () => seen.push("b"));
    });
    await turns.idle();
    expect(seen).toEqual(["b"]);
  });
});
