import type { AskedModel } from "../frontend/context.ts";
import type { ModelData } from "../frontend/models/model-data.ts";
import type { FormRow } from "../frontend/pages/form-row.ts";
import { featureNames } from "../models/card.ts";
import type { RowModel } from "../routing/rows.ts";
import { pageAddress } from "./addresses.ts";
import { type Answer, answerPanel, answers } from "./answer.ts";
import { counted, plain } from "./figures.ts";
import { type Html, html } from "./html.ts";
import type { View } from "./layout.ts";

/** The form for one row, with the answer or with what is wrong. `example` is the row of the table that it was filled in from, counted from 1. */
export function rowForm(
  served: RowModel,
  data: ModelData,
  row: FormRow,
  { answer, example, asked }: { answer?: Answer | undefined; example?: number | undefined; asked: AskedModel },
): View {
  const { model, card } = served;
  const names = featureNames(card.rows.input);
  const address = pageAddress("/predict", asked);
  const wrong = row.problem !== undefined || row.problems.some((problem) => problem !== undefined);
  return {
    title: wrong ? "Error: try it" : "Try it",
    body: html`<h1>Try it with one row</h1>
<p class="lead">${model.name}, version ${model.version}, takes ${counted(names.length, "number")} and answers ${answers(card.rows.output)}.</p>
<div class="columns">
${wrong ? problems(names, row) : answer ? answerPanel(served, data, row.values, answer) : advice(data)}
<form method="post" action="${address}" autocomplete="off" novalidate>
<div class="fields">
${names.map((name, column) => field(name, column, data, row))}
</div>
<p class="actions"><button>Predict</button>${exampleLink(data, asked, example)}<a href="${address}">Clear</a></p>
</form>
</div>`,
  };
}

function field(name: string, column: number, { ranges }: ModelData, { texts, problems }: FormRow): Html {
  const id = `value-${column + 1}`;
  const range = ranges[column];
  const problem = problems[column];
  const described = [range && `${id}-range`, problem && `${id}-problem`].filter((part) => part !== undefined);
  return html`<div class="field">
<label for="${id}">${name}</label>
<input id="${id}" name="value" inputmode="decimal" value="${texts[column] ?? ""}"${
    described.length > 0 ? html` aria-describedby="${described.join(" ")}"` : undefined
  }${problem === undefined ? undefined : html` aria-invalid="true"`}>
${range && html`<p class="hint" id="${id}-range">${plain(range.min)} to ${plain(range.max)}, median ${plain(range.median)}</p>`}
${problem === undefined ? undefined : html`<p class="problem" id="${id}-problem">${problem}</p>`}
</div>
`;
}

function exampleLink({ table: { rows } }: ModelData, asked: AskedModel, example = 0): Html | undefined {
  if (rows.length === 0) return undefined;
  const next = (example % rows.length) + 1;
  return html`<a href="${pageAddress("/predict", asked, { row: `${next}` })}">Fill in row ${next} of ${rows.length}</a>`;
}

function advice({ table: { rows } }: ModelData): Html {
  const ranges = `The ranges below the fields are those of the ${counted(rows.length, "row")} that travel with the model. Other values are taken too; the answer then says so.`;
  return html`<section class="panel idle" aria-labelledby="told">
<h2 id="told">The answer appears here</h2>
<p class="note">${rows.length === 0 ? "No rows travel with the model: what values it knows is not known here." : ranges}</p>
</section>`;
}

function problems(names: string[], { problem, problems }: FormRow): Html {
  const lines = problems.flatMap((text, column) =>
    text === undefined ? [] : [html`<li><a href="#value-${column + 1}">${names[column]}</a>: ${text}</li>`],
  );
  return html`<section class="panel bad" aria-labelledby="told" tabindex="-1" autofocus>
<h2 id="told">Not predicted</h2>
${problem === undefined ? undefined : html`<p>${problem}</p>`}
${lines.length > 0 ? html`<ul>${lines}</ul>` : undefined}
</section>`;
}
