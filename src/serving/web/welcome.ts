import type { Table } from "../models/table.ts";
import type { RowModel } from "../routing/rows.ts";
import { answers } from "./answer.ts";
import { counted } from "./figures.ts";
import { type Html, html } from "./html.ts";
import type { View } from "./layout.ts";

/** The welcome page: what serves here, and the ways to ask it. `origin` is where the caller reached it. */
export function welcome({ model, card, onnxruntime }: RowModel, { rows, labels }: Table, origin: string): View {
  const example = rows[0] ?? new Array<number>(card.rows.input.features).fill(0);
  return {
    title: model.name,
    body: html`<h1>Welcome. ${model.name} is ready to predict.</h1>
<p class="lead">It takes ${counted(card.rows.input.features, "number")} and answers ${answers(card.rows.output)}. Version ${model.version}, served by ONNX Runtime ${onnxruntime}.</p>
<p class="actions"><a class="button" href="/predict">Try it with one row</a></p>
<ul class="cards">
<li><a href="/predictions">Predictions</a><p>${rows.length === 0 ? "No rows travel with this model." : `What it says for the ${counted(rows.length, "row")} that travel with it, class by class.`}</p></li>
<li><a href="/accuracy">Accuracy</a><p>${labels ? "How often it is right, and where it is not." : "The true classes of its rows are not known."}</p></li>
<li><a href="/model">Model card</a><p>What it takes, where it comes from, and how it was proven.</p></li>
</ul>
<h2>From a program</h2>
${curl(origin, example)}
<p class="note">Every answer names the model that made it: <code>${model.digest}</code></p>`,
  };
}

/** The request that a program would make for a row, to copy. */
function curl(origin: string, row: number[]): Html {
  return html`<pre tabindex="0" aria-label="A request to copy"><code>curl ${origin}/v1/predict \\
  -H 'content-type: application/json' \\
  -d '{"rows": [[${row.join(", ")}]]}'</code></pre>
<p class="note">Also by the Open Inference Protocol: <code>${origin}/v2</code></p>`;
}
