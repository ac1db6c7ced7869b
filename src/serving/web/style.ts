/** The pages' one style sheet: it stands in every page, so that a page is one request. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ink: #17212b; --soft: #55626e; --paper: #f6f7f6; --card: #fff; --line: #d9dfe2; --edge: #77858f;
  --second: #b4540a; --accent: #0b6b7f; --tint: #e2f0f2; --on-accent: #fff; --bad: #b0261c; --bad-tint: #fcebe9;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6ebee; --soft: #a2afb9; --paper: #0f151a; --card: #171f26; --line: #2b3741; --edge: #74838f;
    --second: #f0a35c; --accent: #62c6da; --tint: #14323a; --on-accent: #07222a; --bad: #ff9c92; --bad-tint: #3a1c1a;
  }
}
*, ::before, ::after { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
.wrap { max-width: 66rem; margin-inline: auto; padding-inline: 1.25rem; }
a { color: var(--accent); text-underline-offset: .18em; text-decoration-thickness: .08em; }
a:hover { text-decoration-thickness: .14em; }
:focus-visible { outline: .17rem solid var(--accent); outline-offset: .17rem; border-radius: .2rem; }
[tabindex="-1"]:focus-visible { outline: 0; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; z-index: 1; padding: .5rem .9rem; background: var(--card); }

header { background: var(--card); border-bottom: 1px solid var(--line); }
header .wrap { display: flex; flex-wrap: wrap; align-items: center; gap: 0 1.5rem; }
.brand { display: flex; align-items: center; gap: .55rem; margin-right: auto; padding-block: .8rem; color: var(--ink); font-weight: 650; text-decoration: none; }
.brand svg { width: 1.45rem; fill: var(--accent); }
header nav { display: flex; gap: 1.4rem; }
header nav a { padding: .9rem 0 .75rem; border-bottom: .18rem solid transparent; color: var(--soft); text-decoration: none; font-size: .95rem; }
header nav a:hover { color: var(--ink); }
header nav a[aria-current] { color: var(--ink); border-color: var(--accent); }

main { padding-block: 2.2rem 1rem; }
h1, h2, .lead, label, code { overflow-wrap: anywhere; }
h1 { max-width: 24ch; margin: 0 0 .6rem; font-size: clamp(1.6rem, 1.1rem + 2.2vw, 2.25rem); line-height: 1.18; letter-spacing: -.02em; text-wrap: balance; }
h1 small { color: var(--soft); font-size: .55em; font-weight: 400; letter-spacing: 0; white-space: nowrap; }
h2 { margin: 2.4rem 0 .7rem; font-size: 1.12rem; letter-spacing: -.005em; }
p { max-width: 42rem; }
.lead { margin: 0 0 1.6rem; color: var(--soft); font-size: 1.06rem; }
.note, caption, .hint { color: var(--soft); font-size: .86rem; }
code, pre { font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; font-size: .84em; }
pre { margin: 0; padding: 1rem 1.15rem; overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; line-height: 1.6; }
pre code { user-select: all; font-size: .84rem; }

button, .button { display: inline-block; padding: .62rem 1.25rem; border: 0; border-radius: .45rem; background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600; text-decoration: none; cursor: pointer; }
button:hover, .button:hover { background: color-mix(in oklab, var(--accent), var(--ink) 18%); }
.actions { display: flex; flex-wrap: wrap; align-items: center; gap: .8rem 1.4rem; margin: 1.4rem 0 0; }

.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem; margin: 2.2rem 0 0; padding: 0; list-style: none; }
.cards li { position: relative; padding: 1rem 1.15rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
.cards li:hover { border-color: var(--accent); }
.cards a { font-weight: 600; text-decoration: none; }
.cards a::after { content: ""; position: absolute; inset: 0; }
.cards p { margin: .25rem 0 0; color: var(--soft); font-size: .93rem; }

dl { display: grid; grid-template-columns: max-content 1fr; gap: .45rem 1.4rem; margin: 0; padding: 1rem 1.15rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }

table { width: 100%; border-collapse: separate; border-spacing: 0; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; font-variant-numeric: tabular-nums; }
caption { padding: 0 0 .6rem; text-align: left; }
th, td { padding: .42rem .7rem; border-top: 1px solid var(--line); text-align: right; font-weight: 400; }
thead th { border-top: 0; color: var(--soft); font-size: .84rem; font-weight: 600; vertical-align: bottom; }
th.text, th.name { text-align: left; overflow-wrap: anywhere; }
tbody tr:hover { background: var(--tint); }
.name::first-letter, .field label::first-letter, .feature::first-letter, .panel li a::first-letter, .message::first-letter { text-transform: uppercase; }
.field.exact label::first-letter { text-transform: none; }
.rows .feature { display: none; color: var(--soft); font-size: .92rem; }
td.wrong { color: var(--bad); font-weight: 600; }
td.wrong span { font-size: .84rem; font-weight: 400; }

.scroll { overflow-x: auto; }
.bar { display: block; width: 100%; height: .45rem; }
.bar rect { height: 100%; rx: .2rem; }
.bar .track { width: 100%; fill: var(--line); }
.bar .fill { fill: var(--accent); }
.bar .mark { stroke: var(--ink); stroke-width: 2; }
.measure { display: inline-grid; grid-template-columns: auto minmax(3rem, 7rem); align-items: center; gap: .7rem; white-space: nowrap; }
.wide .bar { max-width: 42rem; height: .8rem; }

.choices { display: flex; flex-wrap: wrap; gap: .4rem; max-height: 9rem; overflow-y: auto; padding: .2rem; margin: -.2rem; }
.choices { align-items: center; }
.choices span { margin-right: .4rem; color: var(--soft); font-size: .86rem; }
.choices a { padding: .3rem .75rem; border: 1px solid var(--line); border-radius: 2rem; background: var(--card); color: var(--ink); font-size: .92rem; text-decoration: none; }
.choices a:hover { border-color: var(--accent); }
.choices a[aria-current] { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.choices small { margin-left: .2rem; opacity: .85; font-variant-numeric: tabular-nums; }
.filters { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .8rem 2rem; margin-bottom: 1.2rem; }
.pager { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem 1.2rem; margin-top: 1.2rem; }
.pager strong { font-weight: 400; font-variant-numeric: tabular-nums; }
.pager span { color: var(--soft); }

.columns { display: grid; gap: 1.5rem; align-items: start; }
.fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 13.5rem), 1fr)); gap: 1.1rem 1.4rem; }
.field label { display: inline-block; font-weight: 600; font-size: .95rem; }
.field input, .field select, .field textarea { width: 100%; padding: .5rem .7rem; border: 1px solid var(--edge); border-radius: .4rem; background: var(--card); color: inherit; font: inherit; font-variant-numeric: tabular-nums; }
.field textarea { font: .84rem/1.5 ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; resize: vertical; }
form > .field + .field { margin-top: 1.1rem; }
.models { margin-bottom: 1.2rem; }
.field input[aria-invalid], .field select[aria-invalid], .field textarea[aria-invalid] { border-color: var(--bad); box-shadow: inset 0 0 0 1px var(--bad); }
.field p { margin: .2rem 0 0; }
.problem { color: var(--bad); font-size: .9rem; overflow-wrap: anywhere; }
.panel { padding: 1.1rem 1.3rem 1.2rem; background: var(--card); border: 1px solid var(--line); border-left: .3rem solid var(--accent); border-radius: .6rem; overflow-wrap: anywhere; }
.panel > :last-child { margin-bottom: 0; }
.panel h2 { margin: 0; font-size: .95rem; color: var(--soft); }
.panel.bad { border-left-color: var(--bad); background: var(--bad-tint); }
.panel.idle { border: 1px dashed var(--edge); background: none; }
.panel.bad h2 { color: var(--bad); }
.panel li a { display: inline-block; color: inherit; }
.panel.bad ul { margin: .5rem 0 0; padding-left: 1.1rem; }
.panel dl { padding: 0; border: 0; }
.panel .measure { display: grid; grid-template-columns: 4.2rem 1fr; font-variant-numeric: tabular-nums; }
.figure { margin: .1rem 0 .7rem; font-size: 2.4rem; font-weight: 650; line-height: 1.15; letter-spacing: -.02em; }
.caution { padding: .6rem .8rem; background: var(--tint); border-radius: .4rem; font-size: .92rem; }

[hidden] { display: none !important; }
.live-head { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .6rem 1.5rem; margin-bottom: 1.2rem; }
.live-head h1 { margin: 0; }
.controls { display: flex; flex-wrap: wrap; align-items: center; gap: .6rem .8rem; }
.quiet { padding: .42rem .95rem; border: 1px solid var(--edge); background: var(--card); color: var(--ink); font-size: .92rem; font-weight: 500; }
.quiet:hover { background: var(--tint); }
.status { display: inline-flex; align-items: center; gap: .5rem; padding-right: .4rem; color: var(--soft); font-size: .92rem; font-weight: 600; }
.status::before { content: ""; width: .62rem; height: .62rem; border-radius: 50%; background: var(--edge); }
.status[data-state="live"] { color: var(--accent); }
.status[data-state="live"]::before { background: var(--accent); }
.status[data-state="lost"] { color: var(--bad); }
.status[data-state="lost"]::before { border-radius: 0; background: var(--bad); }
.status[data-state="paused"]::before { width: .5rem; border-inline: .16rem solid var(--edge); border-radius: 0; background: none; }
h2.first { margin-top: 0; }
#live-spoken:empty { display: none; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem; }
.chart { min-width: 0; margin: 0; padding: .85rem 1rem .55rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
.chart figcaption { margin-bottom: .6rem; }
.chart h3, section h3 { margin: 0; font-size: .98rem; }
section h3 { margin-bottom: .5rem; }
.chart h3 small { color: var(--soft); font-size: .86em; font-weight: 400; }
.chart ul { display: flex; flex-wrap: wrap; gap: 0 1.1rem; margin: 0; padding: 0; color: var(--soft); font-size: .9rem; list-style: none; }
.chart strong { display: inline-block; min-width: 2.6rem; color: var(--ink); font-variant-numeric: tabular-nums; }
.key { width: 1.4rem; height: .5rem; margin-right: .4rem; vertical-align: .12em; }
.plot { display: block; width: 100%; height: 10.5rem; }
.plot text { fill: var(--soft); font-size: .75rem; font-variant-numeric: tabular-nums; }
.plot .grid { stroke: var(--line); }
.plot .axis { stroke: var(--edge); }
.line { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.dot { fill: var(--accent); }
.dot-2 { fill: var(--second); }
.line-2 { stroke: var(--second); stroke-dasharray: 5 4; }
.stale .plot .line { opacity: .55; }
.totals { grid-template-columns: repeat(auto-fit, minmax(max(8rem, 22%), 1fr)); gap: .9rem 1.4rem; }
.totals dt { font-size: .86rem; }
.totals dd { margin: 0; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.2rem 1.5rem; }
.pair section { min-width: 0; }
.live-table th.text { overflow-wrap: break-word; }
.live-table th, .live-table td { padding-inline: .5rem; font-size: .92rem; vertical-align: top; }
.live-table td small { overflow-wrap: anywhere; }
.live-table td { overflow-wrap: break-word; }
.live-table small { display: block; color: var(--soft); font-size: .84em; }
.live-table .bar { min-width: 4rem; margin-top: .25rem; }
.live-table tbody tr { height: 2.4rem; }

footer { margin-top: 3rem; padding-block: 1.2rem 2.5rem; color: var(--soft); font-size: .86rem; overflow-wrap: anywhere; }

@media (forced-colors: active) {
  [aria-current] { outline: 2px solid; }
  .bar .fill { fill: CanvasText; }
  .line { stroke: CanvasText; }
}
@media (min-width: 60rem) {
  .rows .feature { display: table-cell; }
  .rows th, .rows td { padding-inline: .5rem; }
  .rows thead .feature { font-size: .8rem; }
  .columns { grid-template-columns: 1fr 22rem; gap: 2.5rem; }
  .columns .panel { grid-column: 2; grid-row: 1; position: sticky; top: 1.5rem; }
  .columns form { grid-column: 1; grid-row: 1; }
}
@media (max-width: 30rem) {
  header nav { width: 100%; justify-content: space-between; }
  header nav { gap: .5rem; }
  header nav a { padding-top: .2rem; font-size: .92rem; white-space: nowrap; }
  .totals { grid-template-columns: 1fr 1fr; }
  .live-table th, .live-table td { padding-inline: .38rem; font-size: .92rem; }
  .brand { padding-bottom: .4rem; }
  main { padding-top: 1.5rem; }
  th, td { padding-inline: .45rem; }
  .scores .spare { display: none; }
  .scores th, .scores td { padding-inline: .35rem; }
  .scores .measure { grid-template-columns: auto; gap: .15rem; }
  .pager { justify-content: space-between; gap: .4rem .6rem; font-size: .92rem; }
  .choices span { width: 100%; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .6rem; }
  .panel dl { grid-template-columns: max-content 1fr; gap: .4rem 1rem; }
}
`;
