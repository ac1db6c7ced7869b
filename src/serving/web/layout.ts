import { createHash } from "node:crypto";
import type { ServingConfig } from "../config.ts";
import type { AskedModel } from "../frontend/context.ts";
import { pageAddress } from "./addresses.ts";
import { Html, html } from "./html.ts";
import { STYLE } from "./style.ts";

const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  "img-src data:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Pages load nothing from anywhere, run no script and post to their own server alone; one with a script runs that and asks its own server. */
export function contentSecurityPolicy({ script }: View): string {
  return script === undefined ? policy : `${policy}; script-src 'self'; connect-src 'self'`;
}

/** What a page shows, without what all of them have. */
export interface View {
  title: string;
  body: Html;
  /** Which model it is of, where it was asked for: the ways to other pages lead to this one's. */
  asked?: AskedModel;
  /** The path of the page's module, where it has one. */
  script?: string;
  /** What else is in its head. */
  head?: Html;
}

const places = [
  { path: "/predict", name: "Try it" },
  { path: "/predictions", name: "Predictions" },
  { path: "/accuracy", name: "Accuracy" },
  { path: "/model", name: "Model" },
  { path: "/live", name: "Live" },
];

const BOAT = "M13 2v13h8zM11 6v9H4zM2 17h20l-3 5H5z";
const ICON = `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='%230b7285'%3E%3Cpath d='${BOAT}'/%3E%3C/svg%3E`;

/** A whole page; `path` is where it is served. */
export function page(
  { stack, host, generation }: Pick<ServingConfig, "stack" | "host" | "generation">,
  path: string,
  { title, body, script, head, asked = {} }: View,
): string {
  const links = places.map(
    (place) =>
      html`<a href="${place.path === "/live" ? place.path : pageAddress(place.path, asked)}"${place.path === path ? html` aria-current="page"` : undefined}>${place.name}</a>`,
  );
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · ${stack}</title>
<link rel="icon" href="${ICON}">
<style>${new Html(STYLE)}</style>
${script === undefined ? undefined : html`<script type="module" src="${script}"></script>`}${head}
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header><div class="wrap">
<a class="brand" href="/"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="${BOAT}"/></svg>${stack}</a>
<nav aria-label="Pages">${links}</nav>
</div></header>
<main id="content" class="wrap" tabindex="-1">
${body}
</main>
<footer class="wrap">Served by Slipway on ${host}, generation ${generation}. <a href="/version">Version</a></footer>
</body>
</html>
`.text;
}
