import type { LiveSnapshot } from "../frontend/pages/live-snapshot.ts";
import { type Cell, tables, totals, trainingWords } from "./client/words.js";
import { bar } from "./figures.ts";
import { type Html, html } from "./html.ts";
import type { View } from "./layout.ts";

/** Without scripts the page is asked for anew so often. */
const REFRESH_S = 5;

/** What the host does, as it is now; the script at `script` keeps it up to date and draws. */
export function livePage(look: LiveSnapshot, script: string): View {
  const known = totals(look);
  const rows = tables(look);
  const total = (name: string, text: string) =>
    html`<div><dt>${text}</dt><dd data-total="${name}">${known[name]}</dd></div>`;
  const { work, workNote } = look;
  return {
    title: "Live",
    script,
    head: html`<noscript><meta http-equiv="refresh" content="${REFRESH_S}"></noscript>`,
    body: html`<div class="live-head"><h1>Live</h1>
<div id="live-controls" class="controls" hidden><span id="live-status" class="status" role="status">Connecting</span>
<button id="live-pause" class="quiet" type="button">Pause</button>
<button id="live-say" class="quiet" type="button">Say the figures</button></div></div>
<p id="live-spoken" class="lead" aria-live="polite"></p>
<noscript><p class="lead">The charts need the page's script. The figures are asked for anew every ${REFRESH_S} seconds.</p></noscript>
<h2 class="first">In the last two minutes</h2>
<div id="live-charts" class="charts">
${chart("requests", "Requests", "a second", [
  ["requests", "all"],
  ["failures", "failed"],
])}
${chart("latency", "Latency", "from question to answer", [
  ["p50", "p50"],
  ["p99", "p99"],
])}
${chart("batch", "Rows in a batch", "computed together", [["batchRows", "mean"]])}
${chart("in-flight", "In flight", "not answered yet", [
  ["inFlight", "requests"],
  ["rowsInFlight", "rows"],
])}
</div>
<h2>Since the frontend was started</h2>
<dl class="totals">
${total("answered", "Requests answered")}
${total("failed", "Failed")}
${total("rows", "Rows")}
${total("rows-per-batch", "Rows a batch")}
${total("p50", "Latency, p50")}
${total("p99", "Latency, p99")}
${total("in-flight", "In flight now")}
${total("rows-in-flight", "Rows in flight now")}
</dl>
<div class="pair">
<section><h2 id="runtimes">Runtimes</h2>
${table("runtimes", ["Group", "Computes on", "Rows in flight"], rows.runtimes, "No runtime is connected.")}</section>
<section><h2 id="models">Models</h2>
${table("models", ["Model", "Answered", "Failed", "Rows"], rows.models, "No model serves.")}</section>
</div>
<h2>Jobs</h2>
<p id="live-work-note" class="message"${work === null ? undefined : html` hidden`}>${workNote === undefined ? undefined : `${workNote}.`}</p>
<div id="live-work" class="pair"${work === null ? html` hidden` : undefined}>
<section><h3 id="queues">Queues</h3>
${table("queues", ["Queue", "Waiting", "Active", "Delayed", "Failed", "Workers"], rows.queues, "There is no queue.")}</section>
<section><h3 id="jobs">Latest</h3>
${table("jobs", ["Job", "State", "Progress"], rows.jobs, "No job is known.")}</section>
</div>
<section id="live-training"${work?.training ? undefined : html` hidden`}><h2>Training</h2>
<p id="live-training-words">${work?.training && trainingWords(work.training)}</p>
<div class="charts">
${chart("loss", "Loss", "by epoch", [
  ["", "training"],
  ["", "validation"],
])}
${chart("accuracy", "Accuracy", "share of rows, by epoch", [
  ["", "training"],
  ["", "validation"],
])}
</div></section>`,
  };
}

/** A chart's frame: its heading, what its lines are and what they are now; lines are told apart by their dashes, too. */
function chart(id: string, title: string, unit: string, lines: [name: string, text: string][]): Html {
  return html`<figure class="chart"><figcaption><h3>${title} <small>${unit}</small></h3>
<ul>${lines.map(
    ([name, text], at) =>
      html`<li><svg class="key" viewBox="0 0 22 8" aria-hidden="true"><path class="line line-${at + 1}" d="M1 4H21"/></svg>${text}${
        name === "" ? undefined : html` <strong data-now="${name}">–</strong>`
      }</li>`,
  )}</ul></figcaption>
<svg id="chart-${id}" class="plot" aria-hidden="true"></svg></figure>`;
}

function table(name: string, columns: string[], rows: Cell[][] = [], empty: string): Html {
  const heads = columns.map(
    (column, at) => html`<th scope="col"${at === 0 ? html` class="text"` : undefined}>${column}</th>`,
  );
  return html`<div class="scroll" role="region" aria-labelledby="${name}" tabindex="0"><table class="live-table">
<thead><tr>${heads}</tr></thead>
<tbody data-rows="${name}">${rows.map((cells) => html`<tr>${cells.map(cellOf)}</tr>`)}</tbody>
</table></div>
<p class="note" data-empty="${name}"${rows.length > 0 ? html` hidden` : undefined}>${empty}</p>`;
}

function cellOf(cell: Cell, column: number): Html {
  const content =
    typeof cell === "string"
      ? html`${cell}`
      : html`${cell.text}${cell.note ? html` <small>${cell.note}</small>` : undefined}${cell.share === undefined ? undefined : bar(cell.share)}`;
  return column === 0 ? html`<th scope="row" class="text">${content}</th>` : html`<td>${content}</td>`;
}
