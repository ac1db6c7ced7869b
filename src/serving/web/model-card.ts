import type { ServingConfig } from "../config.ts";
import type { AskedModel } from "../frontend/context.ts";
import type { GoldenResult } from "../frontend/models/golden-check.ts";
import type { ModelData } from "../frontend/models/model-data.ts";
import type { ListedVersion } from "../frontend/models/versions.ts";
import { featureNames, type ModelCard, type RowCard, takesRows } from "../models/card.ts";
import { goldenQuestions, toleranceOf } from "../models/golden.ts";
import type { ServedModel } from "../routing/question.ts";
import type { TrainingRecord } from "../training/record.ts";
import { modelChoices, pageAddress } from "./addresses.ts";
import { bar, counted, percent, plain } from "./figures.ts";
import { type Html, html } from "./html.ts";
import type { View } from "./layout.ts";
import { type ShownTrial, trialSection } from "./trial.ts";
import { does } from "./welcome.ts";

const formats: Record<ModelCard["source"]["format"], string> = {
  "keras-json+h5": "Keras, description and weights",
  "keras-h5": "Keras, one file",
  "keras-zip": "Keras, one file",
  onnx: "ONNX",
  function: "A function",
  trained: "Trained by Slipway",
};

/** What is known of a model beside its package. */
interface Known {
  /** How it answers its golden questions now; undefined where that is not known. */
  golden: GoldenResult | undefined;
  /** How it was asked for. */
  asked: AskedModel;
  /** All of the model's versions. */
  versions: readonly ListedVersion[];
  /** All that serve. */
  models: readonly ServedModel[];
  /** What is on trial beside it. */
  trial: ShownTrial | undefined;
}

/** The model card: what the model takes and answers, where it comes from, how it was proven, what serves it. */
export function modelCard(config: ServingConfig, served: ServedModel, data: ModelData, known: Known): View {
  const { model, card, onnxruntime } = served;
  const { golden, table, training } = data;
  return {
    title: "Model",
    asked: known.asked,
    body: html`${modelChoices("/model", known.models, model)}<h1>${model.name} <small>version ${model.version}</small></h1>
<p class="lead">${capital(does(served))}.</p>
<p class="actions"><a class="button" href="${pageAddress("/predict", known.asked)}">Try it</a></p>
${known.trial && trialSection(known.trial)}
${takesRows(card) ? html`<h2 id="takes">What it takes</h2>\n${features(card, data)}` : undefined}
<h2>Its versions</h2>
<p>${counted(known.versions.length, "version")} on this host. Who names none is answered by the one that is live.</p>
<dl>
${known.versions.map((version) => versionLine(version, served))}</dl>
<h2 id="tensors">Its tensors</h2>
${tensors(card)}
<h2>Where it comes from</h2>
<dl>
<dt>Format</dt><dd>${formats[card.source.format]}</dd>
${card.source.files.map(({ name, digest }) => html`<dt>${name}</dt><dd><code>${digest}</code></dd>`)}
<dt>Package</dt><dd><code>${model.digest}</code></dd>
</dl>
${training && trainingOf(training)}
<h2>How it was proven</h2>
<p>Before it served it repeated the outputs of ${counted(goldenQuestions(golden), "golden row")} on this host. They come from: ${golden.source}.</p>
${known.golden && goldenWords(known.golden, toleranceOf(golden))}
<p>${travelling(table, known.asked)}</p>
<h2>What serves it</h2>
<dl>
<dt>Stack</dt><dd>${config.stack}</dd>
<dt>Host</dt><dd>${config.host}, generation ${config.generation}</dd>
<dt>ONNX Runtime</dt><dd>${onnxruntime}</dd>
<dt>Payload</dt><dd><code>${config.payload}</code></dd>
</dl>`,
  };
}

function travelling({ rows, labels }: ModelData["table"], asked: AskedModel): Html {
  if (rows.length === 0) return html`No rows travel with it.`;
  const count = counted(rows.length, "row");
  const truth = labels ? ", with their true classes" : "";
  return html`<a href="${pageAddress("/predictions", asked)}">${count}</a> travel with it${truth}${labels ? html`: its <a href="${pageAddress("/accuracy", asked)}">accuracy</a>` : undefined}.`;
}

/** A version, what it is for, and the way to its own card where it serves. */
function versionLine(
  { version, digest, serves, live, default: standard }: ListedVersion,
  { model }: ServedModel,
): Html {
  const { name } = model;
  const words = [
    live ? "live" : serves ? "serves beside it" : "does not serve",
    ...(standard ? ["the default model"] : []),
    ...(digest === model.digest ? ["shown here"] : []),
  ];
  const label =
    serves && digest !== model.digest
      ? html`<a href="${pageAddress("/model", { name, version })}">${version}</a>`
      : version;
  return html`<dt>${label}</dt><dd>${words.join(", ")}<br><code>${digest}</code></dd>
`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function goldenWords({ classes, deviation }: GoldenResult, tolerance: number): Html {
  return html`<dl>
${classes && html`<dt>Accuracy on the golden rows</dt><dd><span class="measure">${percent(classes.right / classes.rows)}${bar(classes.right / classes.rows)}</span> ${classes.right} of ${classes.rows} in the known class</dd>`}
${deviation === undefined ? html`<dt>Answers</dt><dd>as they are known</dd>` : html`<dt>Largest deviation</dt><dd>${deviation === 0 ? "0" : deviation.toExponential(1)}, at most ${tolerance} is let through</dd>`}
</dl>`;
}

function tensors({ inputs, outputs, batching }: ModelCard): Html {
  const lines = (side: string, specs: ModelCard["inputs"]) =>
    specs.map(
      ({ name, datatype, shape }) =>
        html`<tr><th scope="row" class="text">${name}</th><td>${side}</td><td>${datatype}</td><td>${shape.length === 0 ? "one" : shape.map((size) => (size === -1 ? "any" : String(size))).join(" × ")}</td></tr>
`,
    );
  return html`<div class="scroll" role="region" aria-labelledby="tensors" tabindex="0"><table>
<caption>${batching ? "Rows do not know of each other: requests are computed together" : "Requests are computed one by one"}</caption>
<thead><tr><th scope="col" class="text">Name</th><th scope="col">Side</th><th scope="col">Datatype</th><th scope="col">Shape</th></tr></thead>
<tbody>
${lines("input", inputs)}${lines("output", outputs)}</tbody>
</table></div>`;
}

/** Where a trained model comes from, and what it reached. */
function trainingOf({
  kind,
  trainer,
  seed,
  epochs,
  epoch,
  rows,
  metrics,
  parent,
  verdict,
  dataDigest,
}: TrainingRecord): Html {
  return html`<h2>How it was trained</h2>
<dl>
<dt>Kind</dt><dd>${kind}${trainer === undefined ? undefined : `, by ${trainer}`}</dd>
<dt>Seed</dt><dd>${seed}</dd>
${epochs === undefined ? undefined : html`<dt>Epochs</dt><dd>${epochs}${epoch === undefined ? undefined : `, the weights are those of epoch ${epoch}`}</dd>`}
<dt>Rows</dt><dd>${rows.training} to train on, ${rows.validation} to validate, ${rows.holdOut} held out</dd>
<dt>Data</dt><dd><code>${dataDigest}</code></dd>
<dt>Parent</dt><dd>${parent === undefined ? "none" : html`<code>${parent}</code>`}</dd>
${Object.entries(metrics).map(([name, value]) => html`<dt>${name}</dt><dd>${plain(value)}</dd>`)}
<dt>Gate</dt><dd>${verdict.passed ? "passed" : "not passed"}${verdict.checks.map(({ metric, bound, limit }) => html`; ${metric} ${bound} ${limit ?? "unknown"}`)}</dd>
</dl>`;
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
