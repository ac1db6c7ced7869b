import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unpackAs } from "../../../src/guest/source.ts";
import { accuracyOf, labelledRows, readGateTable } from "../../../src/serving/judging/accuracy.ts";
import { dropCheck } from "../../../src/serving/judging/checks.ts";
import { classOf, decide, type RowForm } from "../../../src/serving/models/card.ts";
import { importAnyModel } from "../../../src/serving/models/import-any.ts";
import { packageTar, readPackage } from "../../../src/serving/models/package.ts";
import { differenceOf, probeOf } from "../../../src/serving/models/probe.ts";
import { loadPackage } from "../../../src/serving/models/verify.ts";
import { floatRows, numbersIn, type RawTensor } from "../../../src/serving/tensors/raw-tensor.ts";
import { parseNumbers } from "../../../src/serving/training/data/csv.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const models = join(import.meta.dirname, "../../../models/diabetes");
const table = join(models, "development/data.csv");
/** The unpacked packages of the two variants. */
const packed: Record<string, string> = {};

const folder = mkdtempSync(join(tmpdir(), "slipway-accuracy-"));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(async () => {
  for (const variant of ["development", "production"]) {
    const { bytes } = await packageTar(await importAnyModel(join(models, variant)));
    packed[variant] = join(folder, variant);
    await unpackAs(packed[variant], variant, 60_000, async (archive) => writeFileSync(archive, bytes));
  }
});

const accuracy = async (variant: string, path: string) =>
  accuracyOf(packed[variant] ?? "", await readGateTable(path), undefined);

/** Of which rows of the table a variant finds the class. */
async function rightRows(variant: string): Promise<boolean[]> {
  const model = await loadPackage(packed[variant] ?? "");
  try {
    const { input, output } = model.card.rows as RowForm;
    const { features, labels } = labelledRows(await readGateTable(table), input, undefined);
    const [answer] = await model.run([floatRows(features, labels.length)]);
    const classes = decide(output, numbersIn(answer as RawTensor) as Float32Array).map(classOf);
    return labels.map((label, row) => classes[row] === label);
  } finally {
    await model.close();
  }
}

/** Seven rows of the table of which both variants put equally many into their class, but not the same ones. */
async function sevenRowsThatTellNothing(): Promise<string> {
  const [header = "", ...rows] = readFileSync(table, "utf8").trim().split("\n");
  const [one, other] = [await rightRows("development"), await rightRows("production")];
  const those = (wanted: string, count: number) =>
    rows.filter((_, row) => `${one[row]} ${other[row]}` === wanted).slice(0, count);
  const chosen = [...those("true true", 5), ...those("true false", 1), ...those("false true", 1)];
  expect(chosen).toHaveLength(7);
  const path = join(temporaryFolder(), "seven.csv");
  writeFileSync(path, `${[header, ...chosen].join("\n")}\n`);
  return path;
}

describe("the seven-row trap", () => {
  it("two models that are right equally often on seven rows pass a gate over these, and not over a longer table", async () => {
    const seven = await sevenRowsThatTellNothing();
    const [now, before] = [await accuracy("production", seven), await accuracy("development", seven)];
    expect([now, before]).toEqual([
      { right: 6, rows: 7 },
      { right: 6, rows: 7 },
    ]);
    expect(dropCheck(now, before, 0)).toMatchObject({ passed: true });

    const [all, allBefore] = [await accuracy("production", table), await accuracy("development", table)];
    // as Keras counted when it had trained them: models/diabetes/README.md
    expect((all.right / all.rows).toFixed(3)).toBe("0.750");
    expect((allBefore.right / allBefore.rows).toFixed(3)).toBe("0.812");
    expect(dropCheck(all, allBefore, 0.01)).toMatchObject({ passed: false, text: expect.stringContaining("0.7503") });
  });

  it("their golden rows tell them apart", async () => {
    const [one, other] = await Promise.all(
      ["development", "production"].map(async (variant) => {
        const { card, golden } = await readPackage(packed[variant] ?? "");
        return probeOf("diabetes", card, golden);
      }),
    );
    if (one === undefined || other === undefined) throw new Error("a probe is missing");
    expect(one.body).toEqual(other.body);
    expect(differenceOf(one, other.expected)).toMatch(/is served, .* expected \(element 1\)/);
    expect(differenceOf(one, one.expected)).toBeUndefined();
  });
});

describe("labelledRows", () => {
  const input = { name: "x", features: 2, columns: ["a", "b"] };
  it("takes features by name and the class by the target's", () => {
    const found = labelledRows(parseNumbers("class,b,other,a\n1,2,9,3\n0,4,9,5\n"), input, "class");
    expect({ ...found, features: [...found.features] }).toEqual({ features: [3, 2, 5, 4], labels: [1, 0] });
  });
  it("takes them in order where the table does not name them", () => {
    const found = labelledRows(parseNumbers("1,2,0\n3,4,1\n"), { name: "x", features: 2 }, undefined);
    expect({ ...found, features: [...found.features] }).toEqual({ features: [1, 2, 3, 4], labels: [0, 1] });
  });
  it.each([
    ["a target that is not there", "a,b\n1,2\n", "class", 'no column "class"'],
    ["another number of columns", "p,q,r,s\n1,2,3,4\n", undefined, "3 columns besides the class, the model takes 2"],
  ])("refuses %s", (_, text, target, reason) => {
    expect(() => labelledRows(parseNumbers(text), input, target)).toThrow(reason);
  });
});

it("a table that is none is the configuration's fault", async () => {
  const path = join(temporaryFolder(), "table.csv");
  writeFileSync(path, "a,b\n1,x\n");
  await expect(readGateTable(path)).rejects.toMatchObject({ code: "E_CONFIG_INVALID" });
  await expect(readGateTable(`${path}.gone`)).rejects.toMatchObject({ code: "E_CONFIG_INVALID" });
});
