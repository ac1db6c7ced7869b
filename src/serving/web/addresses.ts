import type { AskedModel } from "../frontend/context.ts";
import type { ServedModel } from "../routing/question.ts";
import { type Html, html } from "./html.ts";

/** A page of the model that is asked for, with further parameters. */
export function pageAddress(path: string, { name, version }: AskedModel, more: Record<string, string> = {}): string {
  const asked = { ...(name !== undefined && { name }), ...(version !== undefined && { version }) };
  const query = new URLSearchParams({ ...asked, ...more });
  return query.size === 0 ? path : `${path}?${query}`;
}

/** A page of this very model: by its name, in the version that is live. */
export function modelAddress(path: string, { name }: { name: string }): string {
  return pageAddress(path, { name });
}

/** Links to the same page of other models; nothing where there is one model. */
export function modelChoices(path: string, models: readonly ServedModel[], shown: { name: string }): Html | undefined {
  const names = [...new Set(models.map(({ model }) => model.name))];
  if (names.length < 2) return undefined;
  return html`<nav class="choices models" aria-label="Models">${names.map(
    (name) =>
      html`<a href="${modelAddress(path, { name })}"${name === shown.name ? html` aria-current="true"` : undefined}>${name}</a>`,
  )}</nav>`;
}
