import type { Evaluation } from "../frontend/models/evaluation.ts";
import { type ClassScore, classScores } from "../models/scores.ts";
import { pageAddress } from "./addresses.ts";
import { bar, counted, percent } from "./figures.ts";
import { type Html, html } from "./html.ts";
import type { View } from "./layout.ts";
import type { Around } from "./predictions.ts";

/** How often the model is right, and in which classes. */
export function accuracyPage({ model, predictions, labels, accuracy }: Evaluation, { asked, choices }: Around): View {
  const to = (more: Record<string, string>) => pageAddress("/predictions", asked, more);
  const what = html`${model.name}, version ${model.version}, on the ${counted(predictions.length, "row")} that travel with it`;
  if (labels === undefined || accuracy === undefined) {
    return {
      title: "Accuracy",
      body: html`${choices}<h1>The accuracy is unknown</h1>
<p class="lead">${what}: the rows have no true class. There are <a href="${to({ page: "1" })}">predictions</a>.</p>`,
    };
  }
  const scores = classScores(predictions, labels);
  const largest = scores.reduce((most, { actual }) => Math.max(most, actual), 0) / labels.length;
  const right = scores.reduce((sum, score) => sum + score.right, 0);
  return {
    title: "Accuracy",
    body: html`${choices}<h1>The accuracy is ${accuracy.toFixed(2)} %</h1>
<p class="lead">${what}: <a href="${to({ only: "right" })}">${right} right</a>, <a href="${to({ only: "wrong" })}">${labels.length - right} wrong</a>.</p>
<div class="wide">${bar(accuracy / 100, largest)}</div>
<p class="note">The tick marks ${percent(largest)}: who always answers the most frequent class is right that often.</p>
<h2>Class by class</h2>
${table(scores, to)}`,
  };
}

/** The address of the predictions with these parameters. */
type Way = (more: Record<string, string>) => string;

function table(scores: ClassScore[], to: Way): Html {
  return html`<div class="scroll"><table class="scores">
<caption>Recall: the share of a class's rows that the model puts into it. Precision: the share of the rows put into a class that belong there.</caption>
<thead><tr><th scope="col">Class</th><th scope="col">Rows</th><th scope="col">Predicted</th><th scope="col" class="spare">Right</th><th scope="col">Recall</th><th scope="col">Precision</th></tr></thead>
<tbody>
${scores.map(
  (
    score,
  ) => html`<tr><th scope="row">${score.class}</th><td>${score.actual}</td><td>${predicted(score, to)}</td><td class="spare">${score.right}</td><td>${ratio(score.right, score.actual)}</td><td>${ratio(score.right, score.predicted)}</td></tr>
`,
)}</tbody>
</table></div>`;
}

function predicted({ class: name, predicted }: ClassScore, to: Way): Html {
  return predicted === 0 ? html`0` : html`<a href="${to({ class: `${name}` })}">${predicted}</a>`;
}

function ratio(part: number, whole: number): Html {
  if (whole === 0) return html`–`;
  return html`<span class="measure">${percent(part / whole)}${bar(part / whole)}</span>`;
}
