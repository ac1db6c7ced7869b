import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Caller } from "../../src/cloud/object/caller.ts";
import { dynamicWhole } from "../../src/cloud/object/dynamic-large-object.ts";
import { type Piece, staticPieces } from "../../src/cloud/object/pieces.ts";
import { objectTables, type Segment, type StoredObject } from "../../src/cloud/object/records.ts";
import { Store } from "../../src/cloud/store/store.ts";

const store = new Store(":memory:");
const tables = objectTables(store);
afterAll(() => store.close());

const caller: Caller = { kind: "bearer", projectId: "p" };
const reading = { tables, projectId: "p", caller };
tables.containers.put({
  ...{ id: "p/c", projectId: "p", name: "c", readAcl: "", writeAcl: "", metadata: {}, timestamp: 1 },
});

const contents = new Map<string, Buffer>();

function put(name: string, text: string, more: Partial<StoredObject> = {}): void {
  contents.set(name, Buffer.from(text));
  tables.objects.put({
    ...{ id: `p/c/${name}`, containerId: "p/c", name, etag: name, size: text.length, file: name, timestamp: 1 },
    ...{ contentType: "", contentEncoding: null, contentDisposition: null, metadata: {}, ...more },
  });
}

const bytesOf = (pieces: Iterable<Piece>): string =>
  [...pieces]
    .map(({ from, start, size }) => {
      const all = "data" in from ? from.data : (contents.get(from.file) ?? Buffer.of());
      return all.subarray(start, start + size).toString();
    })
    .join("");

/** A content, and the manifests that make it up: plain, in the manifest itself, or of parts of others. */
type Tree = { text: string; isData: boolean } | { parts: { tree: Tree; range?: [number, number] }[] };

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.record({ text: fc.stringMatching(/^[a-z]{1,6}$/), isData: fc.boolean() }),
    fc.record({
      parts: fc.array(
        fc.record({ tree: tie("tree"), range: fc.tuple(fc.nat(8), fc.nat(8)) }, { requiredKeys: ["tree"] }),
        { minLength: 1, maxLength: 3 },
      ),
    }),
  ),
}));

let made = 0;
/** Stores a tree; the segment that names it, and what it reads as. */
function stored(one: Tree, range?: [number, number]): { segment: Segment; text: string } {
  const name = `o${made++}`;
  if ("text" in one && one.isData) {
    return { segment: { data: Buffer.from(one.text).toString("base64") }, text: one.text };
  }
  const below = "parts" in one ? one.parts.map((part) => stored(part.tree, part.range)) : [];
  const text = "parts" in one ? below.map((part) => part.text).join("") : one.text;
  const isManifest = "parts" in one;
  const manifest = { segments: below.map(({ segment }) => segment), slo: { size: text.length, etag: name } };
  put(name, isManifest ? "" : text, isManifest ? manifest : {});
  const first = Math.min(range?.[0] ?? 0, text.length - 1);
  const last = range === undefined ? text.length - 1 : Math.min(first + range[1], text.length - 1);
  return {
    segment: {
      ...{ name: `/c/${name}`, bytes: text.length, hash: name, content_type: "", last_modified: "" },
      ...(range === undefined ? {} : { range: `${first}-${last}` }),
      ...(isManifest ? { sub_slo: true } : {}),
    },
    text: text.slice(first, last + 1),
  };
}

describe("a static large object", () => {
  it("in part is what the same part of its whole is", () => {
    fc.assert(
      fc.property(fc.array(tree, { minLength: 1, maxLength: 3 }), fc.nat(30), fc.nat(30), (trees, start, length) => {
        const below = trees.map((one) => stored(one));
        const text = below.map((part) => part.text).join("");
        const segments = below.map(({ segment }) => segment);
        expect(bytesOf(staticPieces(reading, segments, 0, text.length - 1))).toBe(text);
        const end = Math.min(start + length, text.length - 1);
        expect(bytesOf(staticPieces(reading, segments, start, end))).toBe(text.slice(start, end + 1));
      }),
      { numRuns: 200 },
    );
  });

  it("of a thousand times a thousand times a thousand parts is not spread out before it is read", () => {
    put("m0", "x");
    let name = "m0";
    for (let level = 1; level <= 5; level++) {
      const size = 1000 ** (level - 1);
      const one = { name: `/c/${name}`, bytes: size, hash: name, content_type: "", last_modified: "" };
      const segments = Array.from({ length: 1000 }, () => (level === 1 ? one : { ...one, sub_slo: true }));
      name = `m${level}`;
      put(name, "", { segments, slo: { size: size * 1000, etag: name } });
    }
    const { segments = [] } = tables.objects.get(`p/c/${name}`) ?? {};
    expect(bytesOf(staticPieces(reading, segments, 10 ** 14, 10 ** 14 + 2))).toBe("xxx");
  });
});

it("a dynamic large object of more parts than a listing has is read page by page, and not counted before", () => {
  store.transaction(() => {
    for (let part = 0; part < 10_001; part++) put(`part/${String(part).padStart(5, "0")}`, String(part % 10));
  });
  const { size, etag, pieces } = dynamicWhole(reading, "c/part/", "own");
  expect([size, etag]).toEqual([undefined, "own"]);
  const text = bytesOf(pieces(0, Number.POSITIVE_INFINITY));
  expect([text.length, text.slice(-3)]).toEqual([10_001, "890"]);
  expect(bytesOf(pieces(9_998, 10_000))).toBe("890");
  tables.objects.delete("p/c/part/00000");
  expect(dynamicWhole(reading, "c/part/", "own")).toMatchObject({ size: undefined });
  tables.objects.delete("p/c/part/00001");
  expect(dynamicWhole(reading, "c/part/", "own").size).toBe(9999);
});
