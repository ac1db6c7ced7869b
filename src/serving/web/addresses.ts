import type { ServedModel } from "../routing/question.ts";
import { type Html, html } from "./html.ts";

/** A page of this very model: by its name, in the version that is live. */
export function modelAddress(path: string, { name }: { name: string }): string {
  return `${path}?name=${encodeURIComponent(name)}`;
}

/** Links to the same page of other models; nothing where there is one model. */
export function modelChoices(path: string, models: readonly ServedModel[], shown: ServedModel): Html | undefined {
  const names = [...new Set(models.map(({ model }) => model.name))];
  if (names.length < 2) return undefined;
  return html`<nav class="choices models" aria-label="Models">${names.map(
    (name) =>
      html`<a href="${modelAddress(path, { name })}"${name === shown.model.name ? html` aria-current="true"` : undefined}>${name}</a>`,
  )}</nav>`;
}
