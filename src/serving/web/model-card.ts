import type { ServingConfig } from "../config.ts";
import type { ModelData } from "../frontend/model-data.ts";
import { featureNames, type ModelCard, type RowCard } from "../models/card.ts";
import { goldenQuestions } from "../models/golden.ts";
import type { RowModel } from "../routing/rows.ts";
import { answers } from "./answer.ts";
import { counted, plain } from "./figures.ts";
import { type Html, html } from "./html.ts";
import type { View } from "./layout.ts";

const formats: Record<ModelCard["source"]["format"], string> = {
  "keras-json+h5": "Keras, description and weights",
  "keras-h5": "Keras, one file",
  "keras-zip": "Keras, one file",
  onnx: "ONNX",
  function: "A function",
  trained: "Trained by Slipway",
};

/** The model card: what the model takes and answers, where it comes from, how it was proven, what serves it. */
export function modelCard(config: ServingConfig, { model, card, onnxruntime }: RowModel, data: ModelData): View {
  const { golden, table } = data;
  return {
    title: "Model",
    body: html`<h1>${model.name} <small>version ${model.version}</small></h1>
<p class="lead">Takes ${counted(card.rows.input.features, "number")}, answers ${answers(card.rows.output)}.</p>
<h2 id="takes">What it takes</h2>
${features(card, data)}
<h2>Where it comes from</h2>
<dl>
<dt>Format</dt><dd>${formats[card.source.format]}</dd>
${card.source.files.map(({ name, digest }) => html`<dt>${name}</dt><dd><code>${digest}</code></dd>`)}
<dt>Package</dt><dd><code>${model.digest}</code></dd>
</dl>
<h2>How it was proven</h2>
<p>Before it served it repeated the outputs of ${counted(goldenQuestions(golden), "golden row")} on this host. They come from: ${golden.source}.</p>
<p>${table.rows.length === 0 ? "No rows travel with it." : html`<a href="/predictions">${counted(table.rows.length, "row")}</a> travel with it${table.labels ? html`, with their true classes: its <a href="/accuracy">accuracy</a>` : undefined}.`}</p>
<h2>What serves it</h2>
<dl>
<dt>Stack</dt><dd>${config.stack}</dd>
<dt>Host</dt><dd>${config.host}, generation ${config.generation}</dd>
<dt>ONNX Runtime</dt><dd>${onnxruntime}</dd>
<dt>Payload</dt><dd><code>${config.payload}</code></dd>
</dl>`,
  };
}

function features({ rows: { input } }: RowCard, { ranges, table }: ModelData): Html {
  const known = ranges.length > 0;
  return html`<div class="scroll" role="region" aria-labelledby="takes" tabindex="0"><table>
<caption>${known ? `As in the ${counted(table.rows.length, "row")} that travel with it` : "No rows travel with it: the ranges are not known"}</caption>
<thead><tr><th scope="col">#</th><th scope="col" class="text">Name</th>${known ? html`<th scope="col">Min</th><th scope="col">Median</th><th scope="col">Max</th>` : undefined}</tr></thead>
<tbody>
${featureNames(input).map((name, column) => {
  const range = ranges[column];
  return html`<tr><td>${column + 1}</td><th scope="row" class="name">${name}</th>${range && [range.min, range.median, range.max].map((value) => html`<td>${plain(value)}</td>`)}</tr>
`;
})}</tbody>
</table></div>`;
}
