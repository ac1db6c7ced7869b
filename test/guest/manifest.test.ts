import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Digest, hexOf } from "../../src/common/digest.ts";
import { type Manifest, openManifest, sealManifest } from "../../src/guest/manifest.ts";

const stackKey = generateKeyPairSync("ed25519");
const otherKey = generateKeyPairSync("ed25519");

const digest: fc.Arbitrary<Digest> = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes): Digest => `sha256:${Buffer.from(bytes).toString("hex")}`);
const fileRef = fc
  .record({ digest, size: fc.nat() })
  .map(({ digest, size }) => ({ path: `layers/${hexOf(digest)}.tar.gz`, digest, size }));
const manifest: fc.Arbitrary<Manifest> = fc.record({
  schemaVersion: fc.constant(1 as const),
  stack: fc.string({ unit: "grapheme" }),
  sequence: fc.integer({ min: 1 }),
  payload: fc.record({ digest, runtime: fileRef, app: fileRef }),
  models: fc.array(
    fc
      .tuple(fc.record({ name: fc.string({ unit: "grapheme" }), version: fc.nat().map(String) }), fileRef)
      .map(([identity, file]) => ({ ...identity, ...file })),
    { minLength: 1, maxLength: 3 },
  ),
  settings: fc.record(
    {
      tokens: fc.constant([{ name: "ci", role: "deploy" as const, sha256: "ab".repeat(32) }]),
      serving: fc.constant({ models: { m: { durable: true } }, limits: { requestRows: 8 } }),
    },
    { requiredKeys: [] },
  ),
});

test("what was sealed opens with the stack's key, and is the same", () => {
  fc.assert(
    fc.property(manifest, (sealed) => {
      expect(openManifest(sealManifest(sealed, stackKey.privateKey), stackKey.publicKey)).toEqual(sealed);
    }),
  );
});

test("with another stack's key it does not open", () => {
  fc.assert(
    fc.property(manifest, (sealed) => {
      const document = sealManifest(sealed, otherKey.privateKey);
      expect(() => openManifest(document, stackKey.publicKey)).toThrow("signature does not fit");
    }),
    { numRuns: 20 },
  );
});

test("a byte that is flipped anywhere, signature and header included, is refused", () => {
  fc.assert(
    fc.property(manifest, fc.nat(), fc.integer({ min: 1, max: 255 }), (sealed, place, flip) => {
      const bytes = Buffer.from(sealManifest(sealed, stackKey.privateKey));
      const at = place % bytes.length;
      bytes.writeUInt8((bytes.readUInt8(at) ^ flip) & 0xff, at);
      expect(() => openManifest(bytes.toString("utf8"), stackKey.publicKey)).toThrow();
    }),
    { numRuns: 1000 },
  );
});

test("every single-bit flip of the first line is refused", () => {
  const document = sealManifest(fc.sample(manifest, { numRuns: 1, seed: 1 })[0] as Manifest, stackKey.privateKey);
  for (let at = 0; at <= document.indexOf("\n"); at++) {
    for (let bit = 0; bit < 8; bit++) {
      const bytes = Buffer.from(document);
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
      expect(() => openManifest(bytes.toString("utf8"), stackKey.publicKey), `byte ${at}, bit ${bit}`).toThrow();
    }
  }
});

test("a cut or lengthened document is refused", () => {
  fc.assert(
    fc.property(manifest, fc.nat(), fc.string({ minLength: 1 }), (sealed, cut, more) => {
      const document = sealManifest(sealed, stackKey.privateKey);
      expect(() => openManifest(document.slice(0, cut % document.length), stackKey.publicKey)).toThrow();
      expect(() => openManifest(document + more, stackKey.publicKey)).toThrow();
    }),
  );
});

test("anything else than a manifest is refused with words", () => {
  for (const text of ["", "\n", "<html>404</html>", "slipway-manifest/1", "slipway-manifest/2 AAAA\n{}"]) {
    expect(() => openManifest(text, stackKey.publicKey), JSON.stringify(text)).toThrow("not a slipway manifest");
  }
});

test("a signature does not make a manifest valid: its content is checked too", () => {
  const valid = fc.sample(manifest, { numRuns: 1, seed: 1 })[0] as Manifest;
  for (const wrong of [{ sequence: 0 }, { models: [] }, { schemaVersion: 2 }, { stack: undefined }]) {
    const document = sealManifest({ ...valid, ...wrong } as Manifest, stackKey.privateKey);
    expect(() => openManifest(document, stackKey.publicKey), JSON.stringify(wrong)).toThrow(Object.keys(wrong)[0]);
  }
});
