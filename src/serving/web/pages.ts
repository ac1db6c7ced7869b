import type { Evaluation } from "../frontend/evaluation.ts";
import type { ModelCard } from "../models/card.ts";
import type { Hello } from "../runtime/hello.ts";
import { type Html, html } from "./html.ts";

/** The welcome page: which model, what it takes, how to ask it. */
export function welcome({ model, card, onnxruntime }: Hello, exampleRow: number[], origin: string): Html {
  const { input, output, source } = card;
  return html`<h1>Welcome. ${model.name} is ready to predict.</h1>
<p class="lead">Version ${model.version}, converted from ${source.format} and served by ONNX Runtime ${onnxruntime}.</p>
<dl>
<dt>Takes</dt><dd>${input.features} numbers a row${input.columns ? `: ${input.columns.join(", ")}` : ""}</dd>
<dt>Answers</dt><dd>${answers(output)}</dd>
<dt>Digest</dt><dd><code>${model.digest}</code></dd>
</dl>
<h2>Ask it</h2>
<pre>curl ${origin}/v1/predict \\
  -H 'content-type: application/json' \\
  -d '{"rows": [[${exampleRow.join(", ")}]]}'</pre>
<h2>See it work</h2>
<p><a href="/predictions">Predictions</a> for the rows that travel with the model, and its <a href="/accuracy">accuracy</a> on them.</p>`;
}

function answers(output: ModelCard["output"]): string {
  return output.kind === "binary"
    ? `the probability of class 1, which it predicts above ${output.threshold}`
    : `the most probable of ${output.classes} classes`;
}

/** One button that asks for the result by POST: a prefetching browser computes nothing. */
export function question(title: string, action: string, label: string): Html {
  return html`<h1>${title}</h1>
<p class="lead">Computed now, by the model that serves, for the rows that travel with it.</p>
<form method="post" action="${action}"><button>${label}</button></form>`;
}

/** How often the model is right. */
export function accuracy({ model, predictions, accuracy }: Evaluation): Html {
  return html`<h1>The accuracy is ${percent(accuracy)}</h1>
<p class="lead">${model.name} ${model.version} on the ${predictions.length} rows that travel with it.</p>`;
}

/** Every row's prediction beside the truth. */
export function predictions({ model, predictions, accuracy, labels }: Evaluation): Html {
  return html`<h1>Accuracy is ${percent(accuracy)}</h1>
<p class="lead">${model.name} ${model.version} on the ${predictions.length} rows that travel with it.</p>
<table>
<thead><tr><th>Row</th><th>True</th><th>Predicted</th><th>Probability</th></tr></thead>
<tbody>
${predictions.map((prediction, row) => {
  const label = labels?.[row];
  const wrong = label !== undefined && label !== prediction.class;
  return html`<tr><td>${row + 1}</td><td>${label ?? "–"}</td><td${wrong ? html` class="wrong"` : ""}>${prediction.class}${wrong ? " ✗" : ""}</td><td>${prediction.probability.toFixed(5)}</td></tr>
`;
})}</tbody>
</table>`;
}

/** Why a page cannot be shown. */
export function failure(statusCode: number, message: string): Html {
  return html`<h1>${statusCode < 500 ? "Not here" : "Not at the moment"}</h1>
<p class="lead">${message}</p>`;
}

function percent(accuracy: number | undefined): string {
  return accuracy === undefined ? "unknown: the rows have no true class" : `${accuracy.toFixed(2)} %`;
}
