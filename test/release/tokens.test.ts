import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import {
  type DeclaredTokens,
  ensureStackTokens,
  findOwnToken,
  findStackToken,
  renewStackToken,
} from "../../src/release/tokens.ts";
import { entryOf } from "../../src/serving/access/tokens.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let home: string;
beforeEach(() => {
  home = temporaryFolder();
});
const declared: DeclaredTokens = { alice: { role: "admin" }, ci: { role: "deploy", expires: "2099-01-01T00:00:00Z" } };

describe("a stack's tokens", () => {
  it("are made once, and hosts are told their hashes alone", async () => {
    const entries = (await ensureStackTokens(home, declared)) ?? [];
    const token = (await findStackToken(home, "ci")) ?? "";
    expect(entryOf(token, entries)).toMatchObject({ name: "ci", role: "deploy", expires: "2099-01-01T00:00:00Z" });
    expect(JSON.stringify(entries)).not.toContain(token);
    expect(statSync(join(home, "tokens.json")).mode & 0o777).toBe(0o600);
    expect(await ensureStackTokens(home, declared)).toEqual(entries);
  });

  it("have one with which the verbs ask, and which may no more than that", async () => {
    const entries = (await ensureStackTokens(home, declared)) ?? [];
    expect(entryOf((await findOwnToken(home)) ?? "", entries)).toMatchObject({ name: "slipway", role: "predict" });
  });

  it("are another one after a renewal, and the others stay", async () => {
    const before = (await ensureStackTokens(home, declared)) ?? [];
    const old = (await findStackToken(home, "ci")) ?? "";
    const renewed = await renewStackToken(home, "ci", "deploy");
    const after = (await ensureStackTokens(home, declared)) ?? [];
    expect(entryOf(old, after)).toBeUndefined();
    expect(entryOf(renewed, after)).toMatchObject({ name: "ci" });
    expect(after.filter(({ name }) => name !== "ci")).toEqual(before.filter(({ name }) => name !== "ci"));
  });

  it("are forgotten with their names", async () => {
    await ensureStackTokens(home, declared);
    await ensureStackTokens(home, { alice: { role: "read" } });
    expect(await findStackToken(home, "ci")).toBeUndefined();
    expect(readFileSync(join(home, "tokens.json"), "utf8")).toContain("alice");
  });

  it("are none where none are declared", async () => {
    expect(await ensureStackTokens(home, undefined)).toBeUndefined();
    expect(await findOwnToken(home)).toBeUndefined();
  });
});
