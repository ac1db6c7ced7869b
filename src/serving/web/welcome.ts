import type { ModelData } from "../frontend/models/model-data.ts";
import { takesRows } from "../models/card.ts";
import { hasGoldenRows } from "../models/golden.ts";
import type { ServedModel } from "../routing/question.ts";
import { modelAddress } from "./addresses.ts";
import { answers } from "./answer.ts";
import { counted } from "./figures.ts";
import { type Html, html } from "./html.ts";
import type { View } from "./layout.ts";

/** The welcome page: what serves here, and the ways to ask it. `origin` is where the caller reached it. */
export function welcome(served: ServedModel, models: readonly ServedModel[], data: ModelData, origin: string): View {
  const { model, onnxruntime } = served;
  const { rows, labels } = data.table;
  const others = models.filter((other) => other.model.name !== model.name);
  return {
    title: model.name,
    body: html`<h1>Welcome. ${model.name} is ready${takesRows(served.card) ? " to predict" : undefined}.</h1>
<p class="lead">It ${does(served)}. Version ${model.version}, served by ONNX Runtime ${onnxruntime}.</p>
<p class="actions"><a class="button" href="/predict">Try it${takesRows(served.card) ? " with one row" : undefined}</a></p>
<ul class="cards">
${
  takesRows(served.card)
    ? html`<li><a href="/predictions">Predictions</a><p>${rows.length === 0 ? "No rows travel with this model." : `What it says for the ${counted(rows.length, "row")} that travel with it, class by class.`}</p></li>
<li><a href="/accuracy">Accuracy</a><p>${labels ? "How often it is right, and where it is not." : "The true classes of its rows are not known."}</p></li>
`
    : undefined
}<li><a href="/model">Model card</a><p>What it takes, where it comes from, and how it was proven.</p></li>
<li><a href="/live">Live</a><p>What this host does right now: rate, latency, queues, jobs.</p></li>
</ul>
${
  others.length > 0
    ? html`<h2>Other models</h2>
<ul class="cards">${others.map(card)}</ul>`
    : undefined
}
<h2>From a program</h2>
${request(served, data, origin)}
<p class="note">Every answer names the model that made it: <code>${model.digest}</code></p>`,
  };
}

/** What a model takes and answers, in words. */
export function does({ card }: ServedModel): string {
  if (takesRows(card))
    return `takes ${counted(card.rows.input.features, "number")} and answers ${answers(card.rows.output)}`;
  if (card.platform === "function") return "is a function: it takes JSON and answers JSON";
  return `takes ${counted(card.inputs.length, "tensor")} and answers ${counted(card.outputs.length, "tensor")}`;
}

function card(served: ServedModel): Html {
  const { model } = served;
  return html`<li><a href="${modelAddress("/model", model)}">${model.name}</a><p>Version ${model.version}; ${does(served)}.</p></li>
`;
}

/** The request that a program would make, to copy. */
function request({ card, model }: ServedModel, { table, golden }: ModelData, origin: string): Html {
  if (takesRows(card)) return curl(origin, table.rows[0] ?? new Array<number>(card.rows.input.features).fill(0));
  const inputs = hasGoldenRows(golden) ? [] : golden.inputs;
  const body = JSON.stringify({ inputs });
  return html`<pre tabindex="0" aria-label="A request to copy"><code>curl ${origin}/v2/models/${encodeURIComponent(model.name)}/infer \\
  -H 'content-type: application/json' \\
  -d '${(body.length > MOST_SHOWN ? '{"inputs": [{"name": …, "shape": …, "datatype": …, "data": …}]}' : body).replaceAll("'", "'\\''")}'</code></pre>`;
}

const MOST_SHOWN = 600;

/** The request that a program would make for a row, to copy. */
function curl(origin: string, row: number[]): Html {
  return html`<pre tabindex="0" aria-label="A request to copy"><code>curl ${origin}/v1/predict \\
  -H 'content-type: application/json' \\
  -d '{"rows": [[${row.join(", ")}]]}'</code></pre>
<p class="note">Also by the Open Inference Protocol: <code>${origin}/v2</code></p>`;
}
