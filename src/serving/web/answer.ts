import type { ModelData } from "../frontend/model-data.ts";
import { featureNames, type ModelCard, type Prediction, thresholdOf } from "../models/card.ts";
import { outsideColumns } from "../models/columns.ts";
import type { Hello } from "../runtime/hello.ts";
import { bar, counted, percent } from "./figures.ts";
import { type Html, html } from "./html.ts";

/** What the model answered for one row. */
export interface Answer extends Prediction {
  /** The outputs, class by class. */
  classes: number[];
}

/** More classes than these are not listed. */
const MOST_CLASSES = 10;

/** The answer for a row: the predicted class, every class with its probability, and which values are unlike those that are known. */
export function answerPanel({ model, card }: Hello, { ranges, table }: ModelData, row: number[], answer: Answer): Html {
  const { classes } = answer;
  const isBinary = card.output.kind === "binary";
  const order = [...classes.keys()].sort((a, b) => (classes[b] as number) - (classes[a] as number));
  const shown = isBinary ? [0, 1] : order.slice(0, MOST_CLASSES);
  const names = featureNames(card.input);
  const outside = outsideColumns(row, ranges).map((column) => names[column]);
  return html`<section class="panel" aria-labelledby="told" tabindex="-1" autofocus>
<h2 id="told">The answer</h2>
<p class="figure">Class ${answer.class}</p>
<dl>
${shown.map((name) => html`<dt>Class ${name}</dt><dd><span class="measure">${percent(classes[name] as number)}${bar(classes[name] as number, name === 1 ? thresholdOf(card.output) : undefined)}</span></dd>`)}
</dl>
${shown.length < order.length ? html`<p class="note">The ${shown.length} most probable of ${order.length} classes.</p>` : undefined}
${outside.length > 0 ? html`<p class="caution"><strong>Outside of what is known:</strong> ${outside.join(", ")}. None of the ${counted(table.rows.length, "row")} that travel with the model goes that far, so take the answer with care.</p>` : undefined}
<p class="note">Probability of class ${isBinary ? 1 : answer.class} in full: ${answer.probability}. Computed by ${model.name}, version ${model.version} (<code>${model.digest.slice(0, 19)}…</code>).</p>
</section>`;
}

/** What a model answers, in words. */
export function answers(output: ModelCard["output"]): string {
  return output.kind === "binary"
    ? `the probability of class 1, which it predicts above ${output.threshold}`
    : `the most probable of ${output.classes} classes`;
}
