import type { ModelData } from "../frontend/models/model-data.ts";
import { type ClassPrediction, featureNames, type Prediction, type RowForm, thresholdOf } from "../models/card.ts";
import { outsideColumns } from "../models/columns.ts";
import type { RowModel } from "../routing/rows.ts";
import { bar, counted, percent, plain } from "./figures.ts";
import { type Html, html } from "./html.ts";

/** What the model answered for one row. */
export interface Answer {
  prediction: Prediction;
  /** The outputs: class by class, or the values. */
  outputs: number[];
}

/** More classes or values than these are not listed. */
const MOST_LISTED = 10;

/** The answer for a row: the predicted class with the probability of each, or the values; and which inputs are unlike those that are known. */
export function answerPanel(
  { model, card }: RowModel,
  { ranges, table }: ModelData,
  row: number[],
  answer: Answer,
): Html {
  const names = featureNames(card.rows.input);
  const outside = outsideColumns(row, ranges).map((column) => names[column]);
  return html`<section class="panel" aria-labelledby="told" tabindex="-1" autofocus>
<h2 id="told">The answer</h2>
${"class" in answer.prediction ? classes(card.rows.output, answer.prediction, answer.outputs) : values(answer.outputs)}
${outside.length > 0 ? html`<p class="caution"><strong>Outside of what is known:</strong> ${outside.join(", ")}. None of the ${counted(table.rows.length, "row")} that travel with the model goes that far, so take the answer with care.</p>` : undefined}
<p class="note">Computed by ${model.name}, version ${model.version} (<code>${model.digest.slice(0, 19)}…</code>).</p>
</section>`;
}

function classes(output: RowForm["output"], prediction: ClassPrediction, outputs: number[]): Html {
  const isBinary = output.kind === "binary";
  const order = [...outputs.keys()].sort((a, b) => (outputs[b] as number) - (outputs[a] as number));
  const shown = isBinary ? [0, 1] : order.slice(0, MOST_LISTED);
  return html`<p class="figure">Class ${prediction.class}</p>
<dl>
${shown.map((name) => html`<dt>Class ${name}</dt><dd><span class="measure">${percent(outputs[name] as number)}${bar(outputs[name] as number, name === 1 ? thresholdOf(output) : undefined)}</span></dd>`)}
</dl>
${shown.length < order.length ? html`<p class="note">The ${shown.length} most probable of ${order.length} classes.</p>` : undefined}
<p class="note">Probability of class ${isBinary ? 1 : prediction.class} in full: ${prediction.probability}.</p>`;
}

function values(outputs: number[]): Html {
  const shown = outputs.slice(0, MOST_LISTED);
  if (outputs.length === 1) return html`<p class="figure">${plain(outputs[0] as number)}</p>`;
  return html`<dl>
${shown.map((value, index) => html`<dt>Value ${index + 1}</dt><dd>${plain(value)}</dd>`)}
</dl>
${shown.length < outputs.length ? html`<p class="note">The first ${shown.length} of ${outputs.length} values.</p>` : undefined}`;
}

/** What a model answers, in words. */
export function answers(output: RowForm["output"]): string {
  switch (output.kind) {
    case "binary":
      return `the probability of class 1, which it predicts above ${output.threshold}`;
    case "classes":
      return `the most probable of ${output.classes} classes`;
    case "values":
      return counted(output.width, "number");
  }
}
