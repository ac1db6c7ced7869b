import type { Evaluation } from "../frontend/evaluation.ts";
import { type Filter, rowsMatching, type Selection } from "../frontend/selection.ts";
import { featureNames, type ModelCard, thresholdOf } from "../models/card.ts";
import { bar, counted } from "./figures.ts";
import { type Html, html } from "./html.ts";
import type { View } from "./layout.ts";

/** More columns than these leave no room for the rows' own values beside their predictions. */
const MOST_FEATURES = 12;

/** A page of predictions beside the truth, with the ways to the other pages and classes. */
export function predictionsPage(evaluation: Evaluation, selection: Selection): View {
  const { model, predictions, labels, accuracy } = evaluation;
  const { filter } = selection;
  const known =
    accuracy === undefined ? undefined : html` <a href="/accuracy">Accuracy is ${accuracy.toFixed(2)} %</a>.`;
  return {
    title: selection.page === 1 ? "Predictions" : `Predictions, page ${selection.page}`,
    body: html`<h1>Predictions</h1>
<p class="lead">${model.name}, version ${model.version}, on the ${counted(predictions.length, "row")} that travel with it.${known}</p>
<div class="filters">
${choices("Predicted class", filter, classChoices(evaluation, filter))}
${labels && choices("Against the truth", filter, truthChoices(evaluation, filter))}
</div>
${selection.matching === 0 ? html`<p>No row is like that.</p>` : table(evaluation, selection)}
${pager(selection)}`,
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
  const counts = new Map(predictions.map((prediction) => [prediction.class, 0]));
  const rows = rowsMatching(evaluation, { only: filter.only });
  for (const row of rows) {
    const predicted = predictions[row]?.class as number;
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
function choices(label: string, current: Filter, all: Choice[]): Html {
  return html`<nav class="choices" aria-label="${label}"><span>${label}</span>${all.map(({ name, filter, rows }) => {
    const isCurrent = filter.class === current.class && filter.only === current.only;
    return html`<a href="${address(filter, 1)}"${isCurrent ? html` aria-current="true"` : undefined}>${name} <small>${rows}</small></a>`;
  })}</nav>`;
}

function table({ card, rows, predictions, labels }: Evaluation, selection: Selection): Html {
  const names = card.input.features <= MOST_FEATURES ? featureNames(card.input) : [];
  return html`<div class="scroll"><table class="rows">
<caption>Rows ${range(selection)} of ${selection.matching}; ${meaning(card.output)}</caption>
<thead><tr><th scope="col">Row</th>${names.map((name) => html`<th scope="col" class="feature">${name}</th>`)}<th scope="col">True</th><th scope="col">Predicted</th><th scope="col">Probability</th></tr></thead>
<tbody>
${selection.rows.map((row) => {
  const prediction = predictions[row];
  const label = labels?.[row];
  if (!prediction) return html``;
  const wrong = label !== undefined && label !== prediction.class;
  return html`<tr><th scope="row"><a href="/predict?row=${row + 1}" aria-label="Try row ${row + 1}">${row + 1}</a></th>${names.map((_, column) => html`<td class="feature">${rows[row]?.[column]}</td>`)}<td>${label ?? "–"}</td><td${wrong ? html` class="wrong"` : undefined}>${prediction.class}${wrong ? html` <span>wrong</span>` : undefined}</td><td><span class="measure">${prediction.probability.toFixed(5)}${bar(prediction.probability, thresholdOf(card.output))}</span></td></tr>
`;
})}</tbody>
</table></div>`;
}

function meaning(output: ModelCard["output"]): string {
  return output.kind === "binary"
    ? `the probability is that of class 1, predicted above ${output.threshold}`
    : "the probability is that of the predicted class";
}

/** `26–50`, counted within what the filter lets through. */
function range({ page, pages, matching, rows }: Selection): string {
  const last = page === pages ? matching : page * rows.length;
  return `${last - rows.length + 1}–${last}`;
}

function pager({ filter, page, pages }: Selection): Html | undefined {
  if (pages === 1) return undefined;
  const link = (to: number, name: string, rel: string) =>
    to < 1 || to > pages || to === page
      ? html`<span>${name}</span>`
      : html`<a href="${address(filter, to)}" rel="${rel}">${name}</a>`;
  return html`<nav class="pager" aria-label="Pages of predictions">${link(1, "First", "first")}${link(page - 1, "Previous", "prev")}<strong>Page ${page} of ${pages}</strong>${link(page + 1, "Next", "next")}${link(pages, "Last", "last")}</nav>`;
}

function address(filter: Filter, page: number): string {
  const query = new URLSearchParams({ page: `${page}` });
  if (filter.class !== undefined) query.set("class", `${filter.class}`);
  if (filter.only !== undefined) query.set("only", filter.only);
  return `/predictions?${query}`;
}
