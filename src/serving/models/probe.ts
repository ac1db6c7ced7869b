import { z } from "zod";
import { jsonElements } from "../tensors/json.ts";
import type { RawTensor } from "../tensors/raw-tensor.ts";
import { type ModelCard, numbersOf } from "./card.ts";
import { deviation, type Golden, goldenInputs, goldenNumbers, hasGoldenRows, toleranceOf } from "./golden.ts";
import type { ModelIdentity } from "./registry.ts";

const elementSchema = z.union([z.number(), z.string(), z.boolean(), z.null()]);

export const probeSchema = z.object({
  /** Of the URL that is asked by POST. */
  path: z.string(),
  body: z.unknown(),
  /** The elements of the answer, one output after the other. */
  expected: z.array(elementSchema),
  /** How far numbers may be from them: absolute, and relative for those above 1. */
  tolerance: z.number(),
});

/** A golden question as an endpoint is asked it over HTTP, and what it must answer. */
export type Probe = z.infer<typeof probeSchema>;
type Element = z.infer<typeof elementSchema>;

const rowAnswer = z.object({
  predictions: z.array(
    z.union([z.object({ probability: z.number(), class: z.number() }), z.object({ values: z.array(z.number()) })]),
  ),
});
const tensorAnswer = z.object({ outputs: z.array(z.object({ name: z.string(), data: z.array(elementSchema) })) });

/** The question for a model of this name: by its rows where it takes rows, else by its tensors. */
export function probeOf(name: string, card: ModelCard, golden: Golden): Probe {
  if (card.rows && hasGoldenRows(golden)) {
    return {
      path: "/v1/predict",
      body: { rows: golden.rows },
      expected: goldenNumbers(card.rows.output, golden),
      tolerance: toleranceOf(golden),
    };
  }
  return tensorProbe(`/v2/models/${encodeURIComponent(name)}/infer`, card, golden);
}

/** The question for this very version, by its tensors: whether it is live or not. */
export function versionProbeOf({ name, version }: ModelIdentity, card: ModelCard, golden: Golden): Probe {
  const path = `/v2/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}/infer`;
  return tensorProbe(path, card, golden);
}

function tensorProbe(path: string, card: ModelCard, golden: Golden): Probe {
  const inputs = goldenInputs(card, golden);
  const known = hasGoldenRows(golden)
    ? [{ name: card.outputs[0]?.name ?? "", data: golden.outputs as unknown[] }]
    : golden.outputs;
  return {
    path,
    body: {
      inputs: card.inputs.map(({ name, datatype }, index) => {
        const tensor = inputs[index] as RawTensor;
        return { name, datatype, shape: tensor.shape, data: jsonElements(tensor) };
      }),
      outputs: known.map(({ name }) => ({ name })),
    },
    expected: known.flatMap(({ data }) => data.flat(Number.POSITIVE_INFINITY) as Element[]),
    tolerance: toleranceOf(golden),
  };
}

/** The elements of an answer, in the order of {@link Probe.expected}; undefined for what is no answer of a model. */
export function elementsIn(answer: unknown): Element[] | undefined {
  const rows = rowAnswer.safeParse(answer);
  if (rows.success) return rows.data.predictions.flatMap(numbersOf);
  const tensors = tensorAnswer.safeParse(answer);
  return tensors.success ? tensors.data.outputs.flatMap(({ data }) => data) : undefined;
}

/** How an answer differs from what is expected, in words; undefined where numbers are within the tolerance and all else is equal. */
export function differenceOf({ expected, tolerance }: Probe, answered: readonly Element[]): string | undefined {
  if (answered.length !== expected.length) return `${answered.length} elements came, ${expected.length} are expected`;
  const place = expected.findIndex((value, index) => {
    const other = answered[index];
    if (typeof value !== "number" || typeof other !== "number") return value !== other;
    return !(deviation(other, value) <= tolerance);
  });
  return place === -1 ? undefined : `${answered[place]} is served, ${expected[place]} expected (element ${place + 1})`;
}
