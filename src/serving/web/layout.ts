import { createHash } from "node:crypto";
import { Html, html } from "./html.ts";

const STYLE = `
:root { color-scheme: light dark; --ink: #16202b; --soft: #5a6875; --paper: #fbfbf9; --card: #fff; --line: #dfe3e6; --sea: #0b6e82; --red: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaed; --soft: #9aa7b2; --paper: #11171d; --card: #1a222a; --line: #2e3943; --sea: #5cc3d8; --red: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
header, main, footer { max-width: 46rem; margin: 0 auto; padding: 0 1rem; }
header { display: flex; flex-wrap: wrap; gap: .25rem .9rem; align-items: baseline; padding-top: 1.25rem; }
header strong { margin-right: auto; }
header a { font-size: .95rem; }
a { color: var(--sea); }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1.75rem 0 .5rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p.lead, footer { color: var(--soft); }
footer { font-size: .85rem; padding-top: 2rem; padding-bottom: 2rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; margin: 1rem 0; padding: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
code, pre { font: .8rem/1.6 ui-monospace, monospace; }
pre { margin: 0; padding: .9rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; overflow-x: auto; }
button { font: inherit; font-weight: 600; padding: .6rem 1.2rem; border: 0; border-radius: .4rem; background: var(--sea); color: var(--paper); cursor: pointer; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .5rem; text-align: right; border-bottom: 1px solid var(--line); }
th { position: sticky; top: 0; background: var(--paper); color: var(--soft); font-weight: 600; }
td.wrong { color: var(--red); font-weight: 600; }
.figure { font-size: 2.6rem; font-weight: 650; font-variant-numeric: tabular-nums; margin: .5rem 0; }
`;

/** Pages load nothing from anywhere, run no script and post to their own server alone. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  "img-src data:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** What every page tells of where it comes from. */
export interface PageContext {
  stack: string;
  host: string;
  generation: string;
}

/** A whole page. */
export function page({ stack, host, generation }: PageContext, title: string, body: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · ${stack}</title>
<link rel="icon" href="data:,">
<style>${new Html(STYLE)}</style>
</head>
<body>
<header><strong>${stack}</strong><a href="/">Model</a><a href="/predictions">Predictions</a><a href="/accuracy">Accuracy</a></header>
<main>
${body}
</main>
<footer>Served by Slipway on ${host}, generation ${generation}.</footer>
</body>
</html>
`.text;
}
