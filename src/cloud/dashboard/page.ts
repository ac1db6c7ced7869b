import { createHash } from "node:crypto";

/** In the page, so that it is one request and its script. */
const style = `
:root { color-scheme: light dark; --ink: #17212b; --soft: #55626e; --paper: #f6f7f6; --card: #fff; --line: #d9dfe2; --edge: #77858f; --accent: #0b6b7f; --on-accent: #fff; --bad: #b0261c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ebee; --soft: #a2afb9; --paper: #0f151a; --card: #171f26; --line: #2b3741; --edge: #74838f; --accent: #62c6da; --on-accent: #07222a; --bad: #ff9c92; }
}
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0 auto; max-width: 78rem; padding: 1.2rem; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.5rem; }
h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
header { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .5rem 1.5rem; }
p, label, small { color: var(--soft); }
:focus-visible { outline: .17rem solid var(--accent); outline-offset: .15rem; border-radius: .2rem; }
button { white-space: nowrap; padding: .3rem .8rem; border: 1px solid var(--edge); border-radius: .4rem; background: var(--card); color: var(--ink); font: inherit; font-size: .9rem; cursor: pointer; }
button.first { border-color: var(--accent); background: var(--accent); color: var(--on-accent); font-weight: 600; }
input { width: 100%; max-width: 30rem; padding: .45rem .6rem; border: 1px solid var(--edge); border-radius: .4rem; background: var(--card); color: var(--ink); font: inherit; }
form { display: grid; gap: .5rem; justify-items: start; margin-top: 1rem; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); }
.log { max-height: 24rem; overflow-y: auto; }
table { width: 100%; border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; border-top: 1px solid var(--line); text-align: left; font-weight: 400; vertical-align: top; overflow-wrap: anywhere; }
thead th { border-top: 0; white-space: nowrap; color: var(--soft); font-size: .84rem; font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.none { margin: 0; padding: .6rem .7rem; }
#state { font-weight: 600; color: var(--soft); }
#state[data-state="live"] { color: var(--accent); }
#state[data-state="lost"] { color: var(--bad); }
dialog { width: min(60rem, calc(100vw - 2rem)); padding: 1rem; border: 1px solid var(--edge); border-radius: .6rem; background: var(--card); color: var(--ink); }
dialog h2 { margin-top: 0; }
pre { max-height: 60vh; margin: 0 0 1rem; overflow: auto; padding: .8rem; border: 1px solid var(--line); font: .82rem/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 44rem) {
  .cards thead { position: absolute; left: -99rem; }
  .cards tr { display: block; padding: .4rem 0; border-top: 1px solid var(--line); }
  .cards th, .cards td { display: block; padding: .1rem .7rem; border: 0; }
  .cards td:empty { display: none; }
}
`;

const digest = createHash("sha256").update(style).digest("base64");

/** Nothing from elsewhere, no other page around it, and nobody asked but its own server. */
export const contentSecurityPolicy = `default-src 'none'; style-src 'sha256-${digest}'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

const section = (id: string, title: string, columns: string[], kind = "cards") => `
<section>
<h2 id="${id}-title">${title}</h2>
<div class="scroll${kind === "log" ? " log" : ""}" role="region" aria-labelledby="${id}-title" tabindex="0">
<table class="${kind}"><thead><tr>${columns.map((name) => `<th scope="col">${name}</th>`).join("")}</tr></thead><tbody id="${id}"></tbody></table>
<p class="none" id="${id}-none">None.</p>
</div>
</section>`;

/** The page. It tells nothing by itself; its script asks with the key that stands behind the address's `#`, or that is typed in. */
export const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Embedded cloud</title>
<link rel="icon" href="data:,">
<style>${style}</style>
<script type="module" src="/dashboard/dashboard.js"></script>
</head>
<body>
<header><h1>Embedded cloud</h1><span id="state" role="status"></span></header>
<noscript><p>This page needs its script to show anything.</p></noscript>
<main>
<form id="login" hidden>
<p>The key is at the end of the address that <code>slipway cloud status</code> prints.</p>
<label for="key">Key</label>
<input id="key" type="password" autocomplete="off" required>
<p id="login-problem" class="bad" role="alert" hidden></p>
<button class="first">Open</button>
</form>
<div id="cloud" hidden>
<p id="spoken" role="status"></p>
${section("servers", "Servers", ["Name", "Status", "Addresses", "Flavor", "Project", "Console"])}
${section("networks", "Networks", ["Name", "Ranges", "Ports", "Project"])}
${section("floating-ips", "Floating IPs", ["Address", "Leads to", "Project"])}
${section("requests", "Requests", ["When", "Method", "Address", "Status", "Milliseconds", "User"], "log")}
${section("faults", "Faults", ["Fault", "What it does", "Struck", "Armed"])}
</div>
<dialog id="console" aria-labelledby="console-title">
<h2 id="console-title"></h2>
<pre id="console-text" tabindex="0"></pre>
<button class="first" id="console-close">Close</button>
</dialog>
</main>
</body>
</html>
`;
