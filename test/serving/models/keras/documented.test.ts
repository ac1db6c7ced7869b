import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { activationNames } from "../../../../src/serving/models/keras/activations.ts";
import { layerKinds } from "../../../../src/serving/models/keras/kinds.ts";
import { referenceCases } from "./reference-cases.ts";

const page = readFileSync(join(import.meta.dirname, "../../../../docs/reference/models.md"), "utf8");
const section = (title: string) => page.split(`\n## ${title}\n`)[1]?.split("\n## ")[0] ?? "";
const codeIn = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);
const rows = section("Layers")
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .map(([, names = "", options = ""]) => ({ names: codeIn(names), options, exact: names.includes("¹") }));
const rowOf = (name: string) => rows.find(({ names }) => names.includes(name));
/** Read with the options of the layer that a row refers to. */
const optionsOf = (options: string): string[] => {
  const other = options.match(/^as `(\w+)`/)?.[1];
  return [...codeIn(options), ...(other ? optionsOf(rowOf(other)?.options ?? "") : [])];
};

describe("the page of models lists", () => {
  it("each layer that is converted, and no other", () => {
    const beside = ["InputLayer", "Sequential", "Functional", "Model"];
    expect(rows.flatMap(({ names }) => names).sort()).toEqual([...beside, ...layerKinds.keys()].sort());
  });

  it.each([...layerKinds])("the options of %s, and whether it is computed without ONNX", (name, kind) => {
    const row = rowOf(name);
    expect(optionsOf(row?.options ?? "")).toEqual(
      expect.arrayContaining(Object.keys(kind.options.shape).filter((key) => key !== "alpha" || name === "ELU")),
    );
    expect(row?.exact).toBe(kind.forward !== undefined);
  });

  it("each activation, and whether recurrent layers have it", () => {
    const list = section("Activations").split("\n\n").at(-1) ?? "";
    const documented = [...list.matchAll(/`(\w+)`( ²)?/g)].map(([, name, mark]) => ({
      name,
      recurrent: mark !== undefined,
    }));
    expect(documented).toEqual(activationNames());
  });
});

it("each layer that is converted is in a reference model", async () => {
  const used = new Set(
    (await referenceCases()).flatMap(({ files }) =>
      [...(files.get("pair/model.json") as Buffer).toString().matchAll(/"class_name": "(\w+)"/g)].map(
        ([, name]) => name,
      ),
    ),
  );
  expect([...layerKinds.keys()].filter((name) => !used.has(name))).toEqual([]);
});
