import { type Html, html } from "./html.ts";
import type { View } from "./layout.ts";

/** An operation as the page shows it. */
export interface DocumentedOperation {
  method: string;
  path: string;
  summary: string;
  description: string | undefined;
  tag: string;
  /** The role that it needs. */
  role: string;
  /** What it takes and answers: a heading, and the schema as JSON. */
  schemas: { title: string; json: string }[];
}

/** The interface's description for people. */
export function apiDocs(operations: readonly DocumentedOperation[]): View {
  const tags = [...new Set(operations.map(({ tag }) => tag))];
  return {
    title: "Interface",
    body: html`<h1>Interface</h1>
<p class="lead">Everything that this host answers. For programs: <a href="/openapi.json">openapi.json</a>.</p>
${tags.map(
  (tag) => html`<h2>${tag}</h2>
${operations.filter((one) => one.tag === tag).map(operation)}`,
)}`,
  };
}

function operation({ method, path, summary, description, role, schemas }: DocumentedOperation): Html {
  return html`<details><summary><code>${method} ${path}</code> ${summary}</summary>
<p>${description === undefined ? undefined : html`${description} `}Needs ${role === "public" ? "no token" : html`the role <code>${role}</code>`}.</p>
${schemas.map(({ title, json }) => html`<h3>${title}</h3><pre tabindex="0"><code>${json}</code></pre>`)}
</details>
`;
}
