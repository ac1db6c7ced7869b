import { createHash } from "node:crypto";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { mayAct, roles } from "../../../src/serving/access/roles.ts";
import { openSession, SESSION_MS, sealSession } from "../../../src/serving/access/session.ts";
import { openTokenStore, storeOf } from "../../../src/serving/access/store.ts";
import { entryOf, newToken, parseTokens } from "../../../src/serving/access/tokens.ts";

describe("roles", () => {
  it("may what those before them may, and no more", () => {
    const allowed = roles.map((held) => roles.filter((needed) => mayAct(held, needed)).join(" "));
    expect(allowed).toEqual(["read", "read predict", "read predict deploy", "read predict deploy admin"]);
  });
});

describe("a new token", () => {
  it("is known by its hash alone", () => {
    const { token, entry } = newToken("ci", "deploy");
    expect(entry).toEqual({ name: "ci", role: "deploy", sha256: createHash("sha256").update(token).digest("hex") });
    expect(JSON.stringify(entry)).not.toContain(token);
    expect(Buffer.from(token.replace("slipway_", ""), "base64url")).toHaveLength(32);
    expect(newToken("ci", "deploy").token).not.toBe(token);
  });

  it("opens what its entry says, until it expires", () => {
    const { token, entry } = newToken("ci", "deploy", new Date(5000));
    const entries = [newToken("other", "admin").entry, entry];
    expect(entryOf(token, entries, 4999)).toBe(entry);
    expect(entryOf(token, entries, 5000)).toBeUndefined();
    expect(entryOf(entry.sha256, entries, 0)).toBeUndefined();
  });

  it("is the only text that opens its entry", () => {
    const { token, entry } = newToken("ci", "read");
    const texts = fc.oneof(
      fc.string(),
      fc.nat(token.length - 1).map((at) => token.slice(0, at)),
      fc.constant(`${token} `),
    );
    fc.assert(fc.property(texts, (text) => entryOf(text, [entry]) === undefined));
  });
});

describe("a tokens file", () => {
  const { entry } = newToken("ci", "read");

  it.each([
    ["no JSON", "{"],
    ["no tokens", "{}"],
    ["an unknown role", JSON.stringify({ tokens: [{ ...entry, role: "root" }] })],
    ["a token in clear", JSON.stringify({ tokens: [{ ...entry, sha256: "secret" }] })],
    ["a misspelt expiry", JSON.stringify({ tokens: [{ ...entry, expire: "2026-01-01T00:00:00Z" }] })],
    ["a name twice", JSON.stringify({ tokens: [entry, newToken("ci", "admin").entry] })],
    ["a token twice", JSON.stringify({ tokens: [entry, { ...entry, name: "other", role: "admin" }] })],
  ])("is refused with %s", (_what, text) => {
    expect(() => parseTokens(text)).toThrow();
  });

  describe("on a host", () => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "slipway-tokens-"));
    });
    afterAll(() => rm(folder, { recursive: true }));

    it("is read again when it is replaced, and a broken one changes nothing", async () => {
      const path = join(folder, "tokens.json");
      const [first, second] = [newToken("first", "read"), newToken("second", "read")];
      await writeFile(path, JSON.stringify({ tokens: [first.entry] }));
      const told: string[] = [];
      const log = pino({ level: "info" }, { write: (line) => told.push(line) });
      const store = await openTokenStore(path, log);
      expect(store.find(first.token)).toEqual(first.entry);
      await writeFile(path, "{");
      await waitFor("the refusal", async () => told.find((line) => line.includes("stay as they were")), {
        timeoutMs: 10_000,
      });
      expect(store.find(first.token)).toEqual(first.entry);
      await writeFile(`${path}.next`, JSON.stringify({ tokens: [second.entry] }));
      await rename(`${path}.next`, path);
      await waitFor("the new token", async () => store.find(second.token), { timeoutMs: 10_000 });
      expect(store.find(first.token)).toBeUndefined();
      store.close();
    });

    it("keeps a frontend from starting where it is missing", async () => {
      const opened = openTokenStore(join(folder, "none"), pino({ enabled: false }));
      await expect(opened).rejects.toMatchObject({
        code: "E_CONFIG_INVALID",
        message: expect.stringContaining("none"),
      });
    });
  });
});

describe("a browser's session", () => {
  const { entry } = newToken("ada", "admin");
  const store = storeOf([entry]);
  const key = new Uint8Array(32).fill(7);

  it("stands for its token until it is over", () => {
    const session = sealSession(entry, key, 1000);
    expect(openSession(session, store, key, 1000 + SESSION_MS - 1)).toBe(entry);
    expect(openSession(session, store, key, 1000 + SESSION_MS)).toBeUndefined();
  });

  it("ends with its token, and with the token's role", () => {
    const session = sealSession(entry, key);
    expect(openSession(session, storeOf([]), key)).toBeUndefined();
    expect(openSession(session, storeOf([{ ...entry, role: "read" }]), key)).toBeUndefined();
    expect(openSession(session, storeOf([newToken("ada", "admin").entry]), key)).toBeUndefined();
  });

  const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

  it("cannot be forged", () => {
    const session = sealSession(entry, key);
    const other = sealSession(entry, new Uint8Array(32).fill(8));
    expect(openSession(other, store, key)).toBeUndefined();
    fc.assert(
      fc.property(fc.nat(session.length - 1), fc.constantFrom(...base64url), (at, letter) => {
        const changed = session.slice(0, at) + letter + session.slice(at + 1);
        // the last letter of base64 has bits that say nothing
        const same = at === session.length - 1 || changed === session;
        return same || openSession(changed, store, key) === undefined;
      }),
    );
  });
});
