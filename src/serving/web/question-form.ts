import type { AskedModel } from "../frontend/context.ts";
import type { QuestionField, TypedQuestion } from "../frontend/pages/question-form.ts";
import type { ServedModel } from "../routing/question.ts";
import { pageAddress } from "./addresses.ts";
import { type Html, html } from "./html.ts";
import type { View } from "./layout.ts";

/** What came of a question: its answer as JSON, or why there is none. */
export type QuestionOutcome = { answer: string } | { problem: string };

/** The form for one question to a model that takes no rows of numbers: a function's arguments, or tensors as JSON. */
export function questionForm(
  { model, card }: ServedModel,
  fields: readonly QuestionField[],
  { texts, problems }: TypedQuestion,
  asked: AskedModel,
  outcome?: QuestionOutcome,
): View {
  const address = pageAddress("/predict", asked);
  const isFunction = card.platform === "function";
  const wrong = problems.some((problem) => problem !== undefined) || (outcome !== undefined && "problem" in outcome);
  return {
    title: wrong ? "Error: try it" : "Try it",
    body: html`<h1>${isFunction ? "Call it once" : "Ask it once"}</h1>
<p class="lead">${model.name}, version ${model.version}${card.function?.description ? html`: ${card.function.description}` : undefined}. ${isFunction ? "A function." : "It takes tensors."} The fields hold what it was proven with.</p>
<div class="columns">
${panel(fields, problems, outcome)}
<form method="post" action="${address}" autocomplete="off" novalidate>
${fields.map((field, at) => control(field, at, texts[at] ?? "", problems[at]))}
<p class="actions"><button>${isFunction ? "Call" : "Predict"}</button><a href="${address}">As it was proven</a></p>
</form>
</div>`,
  };
}

function control(
  { name, kind, choices, required, hint }: QuestionField,
  at: number,
  text: string,
  problem?: string,
): Html {
  const id = `value-${at + 1}`;
  const described = [hint && `${id}-hint`, problem && `${id}-problem`].filter((part) => part !== undefined);
  const attributes = html`id="${id}" name="value"${
    described.length > 0 ? html` aria-describedby="${described.join(" ")}"` : undefined
  }${problem === undefined ? undefined : html` aria-invalid="true"`}`;
  return html`<div class="field exact">
<label for="${id}">${name}</label>
${element(kind, attributes, text, required ? choices : ["", ...choices])}
${hint === undefined ? undefined : html`<p class="hint" id="${id}-hint">${hint}</p>`}
${problem === undefined ? undefined : html`<p class="problem" id="${id}-problem">${problem}</p>`}
</div>
`;
}

function element(kind: QuestionField["kind"], attributes: Html, text: string, choices: string[]): Html {
  if (kind === "choice") {
    return html`<select ${attributes}>${choices.map((choice) => html`<option${choice === text ? html` selected` : undefined}>${choice}</option>`)}</select>`;
  }
  // a line break after the tag is not the text's
  if (kind === "json")
    return html`<textarea ${attributes} rows="${Math.min(14, Math.max(3, text.split("\n").length + 1))}" spellcheck="false">
${text}</textarea>`;
  return html`<input ${attributes}${kind === "number" ? html` inputmode="decimal"` : undefined} value="${text}">`;
}

function panel(fields: readonly QuestionField[], problems: TypedQuestion["problems"], outcome?: QuestionOutcome): Html {
  if (outcome && "answer" in outcome) {
    return html`<section class="panel" aria-labelledby="told" tabindex="-1" autofocus>
<h2 id="told">The answer</h2>
${outcome.answer.length <= 24 && !outcome.answer.includes("\n") ? html`<p class="figure">${outcome.answer}</p>` : html`<pre tabindex="0" aria-label="The answer"><code>${outcome.answer}</code></pre>`}
</section>`;
  }
  const lines = problems.flatMap((text, at) =>
    text === undefined ? [] : [html`<li><a href="#value-${at + 1}">${fields[at]?.name}</a>: ${text}</li>`],
  );
  if (!outcome && lines.length === 0) {
    return html`<section class="panel idle" aria-labelledby="told">
<h2 id="told">The answer appears here</h2>
</section>`;
  }
  return html`<section class="panel bad" aria-labelledby="told" tabindex="-1" autofocus>
<h2 id="told">Not answered</h2>
${outcome ? html`<p>${outcome.problem}</p>` : undefined}
${lines.length > 0 ? html`<ul>${lines}</ul>` : undefined}
</section>`;
}
