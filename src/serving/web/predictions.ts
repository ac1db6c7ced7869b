import type { AskedModel } from "../frontend/context.ts";
import type { Evaluation } from "../frontend/models/evaluation.ts";
import { type Filter, rowsMatching, type Selection } from "../frontend/pages/selection.ts";
import { classOf, featureNames, numbersOf, type RowForm, thresholdOf } from "../models/card.ts";
import { pageAddress } from "./addresses.ts";
import { bar, counted, plain } from "./figures.ts";
import { type Html, html } from "./html.ts";
import type { View } from "./layout.ts";

/** More columns than these leave no room for the rows' own values beside their predictions. */
const MOST_FEATURES = 12;

/** What a page has beside what it shows. */
export interface Around {
  asked: AskedModel;
  /** The ways to other models. */
  choices: Html | undefined;
}

/** A page of predictions beside the truth, with the ways to the other pages and classes. */
export function predictionsPage(
  evaluation: Evaluation,
  selection: Selection,
  { asked, choices: others }: Around,
): View {
  const { model, predictions, labels, accuracy } = evaluation;
  const { filter } = selection;
  const known =
    accuracy === undefined
      ? undefined
      : html` <a href="${pageAddress("/accuracy", asked)}">Accuracy is ${accuracy.toFixed(2)} %</a>.`;
  return {
    title: selection.page === 1 ? "Predictions" : `Predictions, page ${selection.page}`,
    body: html`${others}<h1>Predictions</h1>
<p class="lead">${model.name}, version ${model.version}, on the ${counted(predictions.length, "row")} that travel with it.${known}</p>
<div class="filters">
${choices("Predicted class", filter, asked, classChoices(evaluation, filter))}
${labels && choices("Against the truth", filter, asked, truthChoices(evaluation, filter))}
</div>
${selection.matching === 0 ? html`<p>No row is like that.</p>` : table(evaluation, selection, asked)}
${pager(selection, asked)}`,
  };
}

interface Choice {
  name: string;
  filter: Filter;
  /** How many rows it leads to. */
  rows: number;
}

function classChoices(evaluation: Evaluation, filter: Filter): Choice[] {
  const { predictions } = evaluation;
  const told = predictions.map(classOf).filter((value) => value !== undefined);
  const counts = new Map(told.map((value) => [value, 0]));
  const rows = rowsMatching(evaluation, { only: filter.only });
  for (const row of rows) {
    const predicted = classOf(predictions[row]);
    if (predicted === undefined) continue;
    counts.set(predicted, (counts.get(predicted) ?? 0) + 1);
  }
  return [
    { name: "All", filter: { ...filter, class: undefined }, rows: rows.length },
    ...[...counts]
      .sort(([a], [b]) => a - b)
      .map(([value, count]) => ({ name: `Class ${value}`, filter: { ...filter, class: value }, rows: count })),
  ];
}

function truthChoices(evaluation: Evaluation, filter: Filter): Choice[] {
  const choice = (name: string, only: Filter["only"]): Choice => {
    const changed = { ...filter, only };
    return { name, filter: changed, rows: rowsMatching(evaluation, changed).length };
  };
  return [choice("All", undefined), choice("Right", "right"), choice("Wrong", "wrong")];
}

/** Links of which one is the current. */
function choices(label: string, current: Filter, asked: AskedModel, all: Choice[]): Html {
  return html`<nav class="choices" aria-label="${label}"><span>${label}</span>${all.map(({ name, filter, rows }) => {
    const isCurrent = filter.class === current.class && filter.only === current.only;
    return html`<a href="${address(asked, filter, 1)}"${isCurrent ? html` aria-current="true"` : undefined}>${name} <small>${rows}</small></a>`;
  })}</nav>`;
}

function table({ card, rows, predictions, labels }: Evaluation, selection: Selection, asked: AskedModel): Html {
  const tellsClasses = card.rows.output.kind !== "values";
  const names = card.rows.input.features <= MOST_FEATURES ? featureNames(card.rows.input) : [];
  return html`<div class="scroll"><table class="rows">
<caption>Rows ${range(selection)} of ${selection.matching}; ${meaning(card.rows.output)}</caption>
<thead><tr><th scope="col">Row</th>${names.map((name) => html`<th scope="col" class="feature">${name}</th>`)}<th scope="col">True</th>${tellsClasses ? html`<th scope="col">Predicted</th><th scope="col">Probability</th>` : html`<th scope="col">Predicted</th>`}</tr></thead>
<tbody>
${selection.rows.map((row) => {
  const prediction = predictions[row];
  const label = labels?.[row];
  if (!prediction) return html``;
  const predicted = classOf(prediction);
  const wrong = tellsClasses && label !== undefined && label !== predicted;
  if (predicted === undefined)
    return html`${rowHead(row, asked)}${names.map((_, column) => html`<td class="feature">${rows[row]?.[column]}</td>`)}<td>${label ?? "–"}</td><td>${numbersOf(prediction).map(plain).join(", ")}</td></tr>
`;
  return html`${rowHead(row, asked)}${names.map((_, column) => html`<td class="feature">${rows[row]?.[column]}</td>`)}<td>${label ?? "–"}</td><td${wrong ? html` class="wrong"` : undefined}>${predicted}${wrong ? html` <span>wrong</span>` : undefined}</td><td><span class="measure">${numbersOf(prediction)[0]?.toFixed(5)}${bar(numbersOf(prediction)[0] as number, thresholdOf(card.rows.output))}</span></td></tr>
`;
})}</tbody>
</table></div>`;
}

function rowHead(row: number, asked: AskedModel): Html {
  return html`<tr><th scope="row"><a href="${pageAddress("/predict", asked, { row: `${row + 1}` })}" aria-label="Try row ${row + 1}">${row + 1}</a></th>`;
}

function meaning(output: RowForm["output"]): string {
  switch (output.kind) {
    case "binary":
      return `the probability is that of class 1, predicted above ${output.threshold}`;
    case "classes":
      return "the probability is that of the predicted class";
    case "values":
      return "the model answers numbers, not classes";
  }
}

/** `26–50`, counted within what the filter lets through. */
function range({ page, pages, matching, rows }: Selection): string {
  const last = page === pages ? matching : page * rows.length;
  return `${last - rows.length + 1}–${last}`;
}

function pager({ filter, page, pages }: Selection, asked: AskedModel): Html | undefined {
  if (pages === 1) return undefined;
  const link = (to: number, name: string, rel: string) =>
    to < 1 || to > pages || to === page
      ? html`<span>${name}</span>`
      : html`<a href="${address(asked, filter, to)}" rel="${rel}">${name}</a>`;
  return html`<nav class="pager" aria-label="Pages of predictions">${link(1, "First", "first")}${link(page - 1, "Previous", "prev")}<strong>Page ${page} of ${pages}</strong>${link(page + 1, "Next", "next")}${link(pages, "Last", "last")}</nav>`;
}

function address(asked: AskedModel, filter: Filter, page: number): string {
  return pageAddress("/predictions", asked, {
    page: `${page}`,
    ...(filter.class !== undefined && { class: `${filter.class}` }),
    ...(filter.only !== undefined && { only: filter.only }),
  });
}
