import type { RowModel } from "../routing/rows.ts";
import { counted } from "./figures.ts";
import { type Html, html } from "./html.ts";
import type { View } from "./layout.ts";

interface Question {
  title: string;
  label: string;
  action: string;
  served: RowModel;
  /** How many travel with the model. */
  rows: number;
  /** The ways to other models. */
  choices: Html | undefined;
}

/** One button that asks for a result by POST: a prefetching browser computes nothing. */
export function question({ title, label, action, served, rows, choices }: Question): View {
  const { model } = served;
  const what =
    rows === 0 ? "No rows travel with this model" : `Computed now for the ${counted(rows, "row")} that travel with it`;
  return {
    title,
    body: html`${choices}<h1>${title}</h1>
<p class="lead">${what}, by the model that serves: ${model.name}, version ${model.version}.</p>
<form method="post" action="${action}"><button>${label}</button></form>`,
  };
}

/** Why a page cannot be shown; `again` is where asking once more makes sense. */
export function failure(statusCode: number, message: string, again: string | undefined): View {
  const title = statusCode < 500 ? "Not here" : "Not at the moment";
  return {
    title,
    body: html`<h1>${title} <small>${statusCode}</small></h1>
<p class="lead message">${message}.</p>
<p>${again === undefined ? undefined : html`<a class="button" href="${again}">Try again</a> `}<a href="/">To the start</a></p>`,
  };
}
