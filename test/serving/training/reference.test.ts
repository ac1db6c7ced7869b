import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { activations } from "../../../src/serving/models/keras/activations.ts";
import { externalTrainerSchema, trainRequestSchema } from "../../../src/serving/training/contract.ts";
import { dataBounds } from "../../../src/serving/training/data/csv.ts";
import { gateSchema } from "../../../src/serving/training/gate.ts";
import { activationFunctions } from "../../../src/serving/training/mlp/activation-functions.ts";
import { networkBounds } from "../../../src/serving/training/mlp/keras-json.ts";
import { planBounds } from "../../../src/serving/training/plan-cost/plans.ts";
import { optimizerSchema, trainingSpecSchema } from "../../../src/serving/training/spec.ts";

const reference = await readFile(new URL("../../../docs/reference/training.md", import.meta.url), "utf8");
const howTo = await readFile(new URL("../../../docs/how-to/train.md", import.meta.url), "utf8");

/** The names in backquotes that begin the rows of the table below a heading. */
function fieldsBelow(heading: string): string[] {
  const section = reference.slice(reference.indexOf(heading)).split(/\n(?=##)/)[0] ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, name]) => name as string));
}

describe("the reference", () => {
  it.each(trainingSpecSchema.options.map((option) => [option.shape.kind.value, option] as const))(
    "lists every field of the kind %s",
    (kind, option) => {
      const fields = Object.keys(option.shape).filter((field) => field !== "kind");
      expect(fieldsBelow(`### \`kind: "${kind}"\``).sort()).toEqual(fields.sort());
    },
  );

  it("lists every optimizer with its fields and defaults", () => {
    expect(fieldsBelow("### Optimizers")).toEqual(optimizerSchema.options.map((option) => option.shape.name.value));
    for (const { shape } of optimizerSchema.options) {
      const row = reference.split("\n").find((line) => line.startsWith(`| \`${shape.name.value}\``)) ?? "";
      const defaults = optimizerSchema.parse({ name: shape.name.value }) as Record<string, unknown>;
      for (const [field, value] of Object.entries(defaults))
        if (field !== "name") expect(row).toContain(`\`${field}\` ${value}`);
    }
  });

  it("lists every condition of the gate", () => {
    expect(fieldsBelow("## Gate")).toEqual(Object.keys(gateSchema.shape));
  });

  it("tells the defaults and bounds that hold", () => {
    const parse = (spec: object) => trainingSpecSchema.parse(spec) as Record<string, unknown>;
    const kinds = {
      network: parse({ kind: "network", loss: "mse" }),
      "plan-cost": parse({ kind: "plan-cost", labels: "S" }),
    };
    for (const [kind, defaults] of Object.entries(kinds)) {
      const section = reference.slice(reference.indexOf(`### \`kind: "${kind}"\``));
      for (const [field, value] of Object.entries(defaults)) {
        if (typeof value !== "number" && typeof value !== "boolean") continue;
        const row = section.split("\n").find((line) => line.startsWith(`| \`${field}\` |`));
        if (row !== undefined) expect(row.split("|")[2]?.trim().replace("−", "-")).toBe(String(value));
      }
    }
    for (const bound of [
      ...Object.values(networkBounds),
      dataBounds.rows,
      dataBounds.cells,
      planBounds.nodes,
      planBounds.encoding,
    ]) {
      expect(reference).toMatch(new RegExp(`\\b(${bound}|${bound.toLocaleString("en")})\\b`));
    }
  });

  it("lists the activations, all of which can be served", () => {
    const listed = /^- Activations: ([^.]+)\./m.exec(reference)?.[1]?.split(/,\s+/);
    expect(listed).toEqual([...activationFunctions.keys()]);
    expect([...activationFunctions.keys()].filter((name) => !activations.has(name))).toEqual([]);
  });
});

it("the how-to's examples are valid", () => {
  const blocks = (language: string) =>
    [...howTo.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"))].map(([, text = ""]) => text);
  const specs = blocks("json").map((text) => JSON.parse(text));
  expect(specs).toHaveLength(3);
  for (const spec of specs) expect(trainRequestSchema.safeParse({ spec, data: { text: "" } }).error).toBeUndefined();
  const [settings = ""] = blocks("yaml");
  const { logistic } = parse(settings)["slipway:serving"].trainers;
  expect(externalTrainerSchema.safeParse(logistic).error).toBeUndefined();
});
