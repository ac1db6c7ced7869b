import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digestOf, digestOfFile, hexOf } from "../../src/common/digest.ts";

// FIPS 180-2, appendix B.1
const ABC = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-digest-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("the digest of text and of its bytes is SHA-256 with its prefix", () => {
  expect(digestOf("abc")).toBe(ABC);
  expect(digestOf(new TextEncoder().encode("abc"))).toBe(ABC);
});

test("a file is digested whole, also past one chunk of its stream", async () => {
  const content = Buffer.alloc(300_000, "slipway ");
  await writeFile(join(folder, "big"), content);
  expect(await digestOfFile(join(folder, "big"))).toBe(digestOf(content));
});

test("a file that is not there rejects instead of digesting nothing", async () => {
  await expect(digestOfFile(join(folder, "absent"))).rejects.toThrow("ENOENT");
});

test("the name of a digest is its 64 hex digits", () => {
  expect(hexOf(ABC)).toMatch(/^[0-9a-f]{64}$/);
  expect(`sha256:${hexOf(ABC)}`).toBe(ABC);
});
