import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { SlipwayError } from "../../../../src/common/errors.ts";
import { readKerasArchive } from "../../../../src/serving/models/keras/archive.ts";
import { convertNetwork } from "../../../../src/serving/models/keras/convert.ts";
import { parseKerasModel } from "../../../../src/serving/models/keras/description.ts";
import { readKerasHdf5 } from "../../../../src/serving/models/keras/weights/hdf5-thread.ts";
import type { KerasHdf5 } from "../../../../src/serving/models/keras/weights/keras-hdf5.ts";
import { hostileFiles, type ReferenceCase, referenceCases, writeCase } from "./reference-cases.ts";
import { zipOf } from "./zip.ts";

const cases = await referenceCases();
const named = (name: string) => cases.find((one) => one.name === name) as ReferenceCase;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-hostile-"));
  vi.stubEnv("TMPDIR", folder); // so that nobody else's folders are among those that an archive is unpacked into
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const refused = (message: RegExp) =>
  expect.objectContaining({ code: "E_MODEL_INVALID", message: expect.stringMatching(message) });

async function file(name: string, content: Buffer): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

describe("an HDF5 file that no Keras writes", () => {
  const reasons: Record<string, RegExp> = {
    "external-storage": /unable to open external raw data file/,
    "external-link": /is missing/,
    virtual: /holds no array of its own/,
    endless: /larger than 1073741824 bytes/,
    circle: /is missing/,
    texts: /does not hold numbers/,
  };
  it("reads nothing but itself, and no more than a model has", async () => {
    const hostile = await hostileFiles();
    expect(hostile.map(({ what }) => what).sort()).toEqual(Object.keys(reasons).sort());
    for (const { what, content } of hostile) {
      await expect(readKerasHdf5(await file(`${what}.h5`, content))).rejects.toThrow(refused(reasons[what] as RegExp));
    }
  });

  it("is refused, cut and garbled as it may be, and the next one is read as ever", async () => {
    const good = await file("good.h5", named("keras3/compiled").files.get("model.h5") as Buffer);
    const originals = ["keras3/compiled", "keras2/nested"].flatMap((name) =>
      ["model.h5", "pair/model.h5"].map((path) => named(name).files.get(path) as Buffer),
    );
    const damage = fc.record({
      original: fc.constantFrom(...originals),
      // the first kilobytes hold what leads to all else
      bytes: fc.array(fc.tuple(fc.oneof(fc.nat(3000), fc.nat(1 << 20)), fc.oneof(fc.constant(255), fc.nat(255))), {
        minLength: 1,
        maxLength: 12,
      }),
      kept: fc.oneof(
        { weight: 3, arbitrary: fc.constant(1) },
        { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
      ),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ original, bytes, kept }) => {
        const garbled = Buffer.from(original);
        for (const [at, value] of bytes) garbled[at % garbled.length] = value;
        const path = await file("garbled.h5", garbled.subarray(0, Math.floor(garbled.length * kept)));
        await readKerasHdf5(path).catch((error: unknown) => {
          expect(error).toBeInstanceOf(SlipwayError);
          expect(error).toMatchObject({ code: "E_MODEL_INVALID" });
        });
        expect((await readKerasHdf5(good)).weights).toMatchObject({ layout: "by-layer" });
      }),
      { numRuns: 12 },
    );
  });
});

describe("a .keras file that no Keras writes", () => {
  const content = { "config.json": "{}", "metadata.json": '{"keras_version":"3.15.1"}', "model.weights.h5": "" };
  const entries = (changes: Record<string, string> = {}) =>
    Object.entries({ ...content, ...changes }).map(([name, text]) => ({ name, content: Buffer.from(text) }));
  const zeros = Buffer.alloc(80 * 1024 ** 2);

  it.each<[string, () => Buffer, RegExp]>([
    ["no zip archive", () => Buffer.from("<html>404</html>"), /cannot be read: .*[Ee]nd of central directory/],
    ["an empty file", () => Buffer.alloc(0), /cannot be read/],
    ["without weights", () => zipOf(entries().slice(0, 2)), /it has no model.weights.h5/],
    ["without a description", () => zipOf(entries().slice(1)), /it has no config.json/],
    [
      "weights that are no HDF5",
      () => zipOf(entries({ "model.weights.h5": "<html>404</html>" })),
      /it is no HDF5 file/,
    ],
    ["no version", () => zipOf(entries({ "metadata.json": "[]" })), /names no version of Keras/],
    [
      "metadata that are no JSON",
      () => zipOf(entries({ "metadata.json": "{" })),
      /metadata.json in x.keras is no JSON/,
    ],
    [
      "a name that leads out of it",
      () => zipOf([...entries(), { name: "../../outside", content: zeros.subarray(0, 1) }]),
      /invalid relative path/,
    ],
    [
      "an absolute name",
      () => zipOf([...entries(), { name: "/etc/outside", content: zeros.subarray(0, 1) }]),
      /absolute path/,
    ],
    ["an entry twice", () => zipOf([...entries(), ...entries()]), /two entries config.json/],
    [
      "a bomb that says so",
      () => zipOf([{ name: "model.weights.h5", content: zeros, deflated: true }]),
      /declares 83886080 bytes/,
    ],
    [
      "a description that declares gigabytes",
      () => zipOf([{ name: "config.json", content: Buffer.from("{}"), declares: 2 ** 31 }]),
      /size mismatch|declares/,
    ],
    [
      "a bomb that does not say so",
      () => zipOf([{ name: "model.weights.h5", content: zeros, deflated: true, declares: 1000 }]),
      /too many bytes/,
    ],
    [
      "an entry that is shorter than it says",
      () => zipOf([{ name: "config.json", content: Buffer.from("{}"), deflated: true, declares: 50 }]),
      /not enough bytes/,
    ],
  ])("is refused: %s", async (_, make, message) => {
    const before = await temporaryFolders();
    await expect(readKerasArchive(await file("x.keras", make()), "x.keras")).rejects.toThrow(refused(message));
    expect(await temporaryFolders()).toEqual(before);
  });

  it("is refused, cut and garbled as it may be", async () => {
    const original = named("keras3/dense-values").files.get("model.keras") as Buffer;
    const ends = fc.oneof(
      fc.nat(400),
      fc.nat(400).map((at) => original.length - 1 - at),
      fc.nat(original.length - 1),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(ends, fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        async (bytes, cut) => {
          const garbled = Buffer.from(original);
          for (const [at, value] of bytes) garbled[at] = value;
          const path = await file("g.keras", cut ? garbled.subarray(0, bytes[0]?.[0]) : garbled);
          const outcome = await readKerasArchive(path, "g.keras").catch((error: unknown) => error);
          expect(outcome instanceof SlipwayError ? outcome.code : "weights" in (outcome as KerasHdf5)).toEqual(
            outcome instanceof SlipwayError ? "E_MODEL_INVALID" : true,
          );
        },
      ),
      { numRuns: 40 },
    );
  });
});

/** The folders that an archive's weights are unpacked into. */
async function temporaryFolders(): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith("slipway-keras-")).sort();
}

describe("a description that no Keras writes", () => {
  const names = [
    "nested",
    "several",
    "cnn",
    "lstm-bidirectional",
    "normalization",
    "merge-broadcast",
    "time-distributed",
    "pad-crop-2d",
    "advanced-activations",
    "conv1d",
  ];
  const chosen = cases.filter(({ name }) => names.includes(name.split("/")[1] as string));
  let read: KerasHdf5[];
  beforeAll(async () => {
    read = [];
    for (const one of chosen)
      read.push(await readKerasArchive(join(await writeCase(folder, one), "model.keras"), "model.keras"));
  });

  type Step = string | number;
  /** Where in a description something is changed: a number chooses among what there is at a step down. */
  const anywhere = fc.array<Step>(fc.nat(1000), { minLength: 2, maxLength: 9 });
  const option = fc
    .tuple(fc.nat(100), fc.nat(100))
    .map(([layer, key]): Step[] => ["config", "layers", layer, "config", key]);
  const call = fc
    .tuple(fc.nat(100), fc.array(fc.nat(10), { maxLength: 6 }))
    .map(([layer, below]): Step[] => ["config", "layers", layer, "inbound_nodes", ...below]);
  const odd = [
    undefined,
    null,
    true,
    false,
    0,
    -1,
    1,
    2,
    3,
    1e9,
    2 ** 53,
    1.5,
    "",
    "same",
    "relu",
    "a",
    [],
    {},
    [null],
  ];
  const change = fc.record({
    path: fc.oneof(anywhere, option, call),
    value: fc.oneof(fc.constantFrom<unknown>(...odd), fc.jsonValue({ maxDepth: 2 })),
  });

  function changed(value: unknown, [step = 0, ...rest]: Step[], to: unknown): unknown {
    if (typeof value !== "object" || value === null) return to;
    const keys = Object.keys(value);
    const key = typeof step === "number" ? keys[step % keys.length] : step;
    if (key === undefined) return to;
    const part = (value as Record<string, unknown>)[key];
    const next = rest.length === 0 ? to : changed(part, rest, to);
    if (!Array.isArray(value)) return { ...value, [key]: next };
    return value.flatMap((item, index) => {
      if (`${index}` !== key) return [item];
      return next === undefined ? [] : [next];
    });
  }

  it("converts or is refused, whatever is changed in it", () => {
    const outcomes = new Set<string>();
    fc.assert(
      fc.property(fc.nat(chosen.length - 1), fc.array(change, { minLength: 1, maxLength: 2 }), (which, changes) => {
        const { description, version, weights } = read[which] as KerasHdf5;
        const garbled = changes.reduce((value: unknown, { path, value: to }) => changed(value, path, to), description);
        try {
          convertNetwork(parseKerasModel(garbled, version), weights);
          outcomes.add("converted");
        } catch (error) {
          if (!(error instanceof SlipwayError)) throw error;
          expect(error.code).toMatch(/^E_MODEL_(INVALID|MISMATCH|LAYER_UNKNOWN)$/);
          outcomes.add(error.code);
        }
      }),
      { numRuns: 1500 },
    );
    expect([...outcomes].sort()).toEqual(["E_MODEL_INVALID", "E_MODEL_LAYER_UNKNOWN", "E_MODEL_MISMATCH", "converted"]);
  });
});
