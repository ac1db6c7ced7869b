// The live page's script: looks at the host once a second and draws. Everything that is computed is in the modules beside it.
import { duration, linePath, lonePoints, scale, short, ticksUpTo } from "./plot.js";
import { ratesBetween } from "./rates.js";
import { sentence, tables, totals, trainingWords } from "./words.js";

/** @typedef {import("./words.js").Snapshot} Snapshot */
/** @typedef {import("./words.js").Cell} Cell */
/** @typedef {import("./rates.js").Rates} Rates */
/** @typedef {{ at: number, values: Record<string, number | undefined> }} Sample */
/** @typedef {{ label: string, x: number, y: number | undefined }[][]} Lines */

const LOOK_MS = 1000;
/** An answer that takes longer is none. */
const PATIENCE_MS = 5000;
const WINDOW_MS = 120_000;
/** Looks that are further apart are not joined by a line. */
const GAP_MS = 4000;
const SVG = "http://www.w3.org/2000/svg";

/** What each chart draws: names of values, in the order of its lines. */
const charts = [
  { id: "requests", values: ["requests", "failures"], show: short },
  { id: "latency", values: ["p50", "p99"], show: duration },
  { id: "batch", values: ["batchRows"], show: short },
  { id: "in-flight", values: ["inFlight", "rowsInFlight"], show: short },
];

/** @type {Sample[]} */
let samples = [];
/** @type {Snapshot | undefined} */
let last;
/** @type {Rates | undefined} */
let rates;
let paused = false;
let lost = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** @type {AbortController | undefined} */
let asking;

const status = element("live-status");
const spoken = element("live-spoken");
const pause = element("live-pause");
const say = element("live-say");

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}

async function look() {
  clearTimeout(timer);
  asking?.abort();
  if (paused || document.hidden) return;
  const own = new AbortController();
  asking = own;
  const late = setTimeout(() => own.abort(), PATIENCE_MS);
  try {
    const answer = await fetch("/v1/live", { signal: own.signal, headers: { accept: "application/json" } });
    if (answer.status === 401) {
      location.reload(); // the session has ended: the page asks for a token
      return;
    }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    take(await answer.json());
    tellState(false);
  } catch {
    if (asking !== own || paused || document.hidden) return; // nobody waits for it any more
    samples.push({ at: Date.now(), values: {} });
    tellState(true);
    draw();
  } finally {
    clearTimeout(late);
  }
  if (asking === own) timer = setTimeout(look, LOOK_MS);
}

/** @param {Snapshot} now */
function take(now) {
  const before = last;
  last = now;
  rates = before && ratesBetween(before, now);
  if (before && now.at - before.at > GAP_MS) {
    samples.push({ at: before.at + 1, values: {} });
    rates = undefined;
  }
  const { inFlight, rowsInFlight } = now.predictions;
  samples.push({ at: now.at, values: { ...rates, inFlight, rowsInFlight } });
  samples = samples.filter(({ at }) => at > now.at - WINDOW_MS - GAP_MS);
  write(now);
  draw();
}

/** @param {boolean} isLost */
function tellState(isLost) {
  lost = isLost;
  const state = paused ? "paused" : lost ? "lost" : "live";
  if (status.dataset.state === state) return; // told once, not once a second
  status.dataset.state = state;
  status.textContent = { paused: "Paused", lost: "Connection lost – trying again", live: "Live" }[state];
  document.body.classList.toggle("stale", state !== "live");
}

/** @param {Snapshot} now */
function write(now) {
  for (const [name, text] of Object.entries(totals(now))) {
    for (const place of document.querySelectorAll(`[data-total="${name}"]`)) setText(place, text);
  }
  for (const [name, rows] of Object.entries(tables(now))) {
    const body = document.querySelector(`tbody[data-rows="${name}"]`);
    if (body) writeRows(body, rows);
    const section = document.querySelector(`[data-empty="${name}"]`);
    if (section instanceof HTMLElement) section.hidden = rows.length > 0;
  }
  const note = element("live-work-note");
  note.hidden = now.work !== null;
  setText(note, now.workNote ? `${capital(now.workNote)}.` : "");
  element("live-work").hidden = now.work === null;
  const training = now.work?.training;
  element("live-training").hidden = training === undefined;
  if (training) setText(element("live-training-words"), trainingWords(training));
}

/**
 * @param {Element} place
 * @param {string} text
 */
function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/**
 * Writes a table's rows into what is there: what did not change stays, so that a selection or a screen reader's place does.
 * @param {Element} body
 * @param {Cell[][]} rows
 */
function writeRows(body, rows) {
  for (const [at, cells] of rows.entries()) {
    const row = body.children[at] ?? body.appendChild(document.createElement("tr"));
    for (const [column, cell] of cells.entries()) {
      const place = row.children[column] ?? row.appendChild(newCell(column));
      const key = JSON.stringify(cell);
      if (place.getAttribute("data-key") === key) continue;
      place.setAttribute("data-key", key);
      place.replaceChildren(...contentOf(cell));
    }
  }
  while (body.children.length > rows.length) body.lastElementChild?.remove();
}

/** @param {number} column */
function newCell(column) {
  const cell = document.createElement(column === 0 ? "th" : "td");
  if (column === 0) {
    cell.setAttribute("scope", "row");
    cell.className = "text";
  }
  return cell;
}

/**
 * @param {Cell} cell
 * @returns {(Node | string)[]}
 */
function contentOf(cell) {
  if (typeof cell === "string") return [cell];
  /** @type {(Node | string)[]} */
  const parts = [cell.text];
  if (cell.note) {
    const note = document.createElement("small");
    note.textContent = cell.note;
    parts.push(" ", note);
  }
  if (cell.share !== undefined) {
    const bar = svg("svg", { class: "bar", "aria-hidden": "true" });
    bar.append(svg("rect", { class: "track" }), svg("rect", { class: "fill", width: `${cell.share * 100}%` }));
    parts.push(bar);
  }
  return parts;
}

function draw() {
  const now = Math.max(last?.at ?? 0, samples.at(-1)?.at ?? 0);
  for (const { id, values, show } of charts) {
    const lines = values.map((name) => samples.map(({ at, values: own }) => ({ label: name, x: at, y: own[name] })));
    for (const name of values) {
      const place = document.querySelector(`[data-now="${name}"]`);
      if (place) setText(place, show(samples.at(-1)?.values[name]));
    }
    drawLines(element(`chart-${id}`), lines, {
      from: now - WINDOW_MS,
      to: now,
      show,
      marks: [
        [now - WINDOW_MS, "2 min ago"],
        [now - WINDOW_MS / 2, "1 min"],
        [now, "now"],
      ],
    });
  }
  const training = last?.work?.training;
  if (!training) return;
  const { points } = training;
  const end = Math.max(training.epochs, points.at(-1)?.epoch ?? 1, 2);
  /** @type {[string, "loss" | "accuracy", "valLoss" | "valAccuracy"][]} */
  const curves = [
    ["chart-loss", "loss", "valLoss"],
    ["chart-accuracy", "accuracy", "valAccuracy"],
  ];
  for (const [id, own, validation] of curves) {
    const lines = [own, validation].map((name) =>
      points.map((point) => ({ label: name, x: point.epoch, y: point[name] })),
    );
    const place = element(id);
    const known = points.some((point) => point[own] !== undefined || point[validation] !== undefined);
    const figure = place.closest("figure");
    if (figure) figure.hidden = !known;
    drawLines(place, lines, {
      from: 1,
      to: end,
      show: short,
      marks: [
        [1, "epoch 1"],
        [end, String(end)],
      ],
    });
  }
}

/**
 * @param {Element} place
 * @param {{ x: number, y: number | undefined }[][]} lines
 * @param {{ from: number, to: number, show: (value: number) => string, marks: [number, string][] }} axes
 */
function drawLines(place, lines, { from, to, show, marks }) {
  const { width, height } = place.getBoundingClientRect();
  if (width === 0) return; // hidden
  place.setAttribute("viewBox", `0 0 ${Math.round(width)} ${Math.round(height)}`);
  const inside = lines.flat().filter(({ x, y }) => y !== undefined && x >= from);
  const ticks = ticksUpTo(Math.max(0, ...inside.map(({ y }) => y ?? 0)), 3);
  const top = /** @type {number} */ (ticks.at(-1));
  const [left, right, above, below] = [54, 10, 8, 22];
  const toX = scale(from, to, left, width - right);
  const toY = scale(0, top, height - below, above);
  /** @type {SVGElement[]} */
  const parts = [];
  for (const tick of ticks) {
    const y = toY(tick);
    parts.push(svg("line", { class: tick === 0 ? "axis" : "grid", x1: left, x2: width - right, y1: y, y2: y }));
    parts.push(label(left - 8, y + 4, "end", show(tick)));
  }
  for (const [at, text] of marks) {
    const anchor = at === from ? "start" : at === to ? "end" : "middle";
    parts.push(label(toX(at), height - 5, anchor, text));
  }
  for (const [at, points] of lines.entries()) {
    const seen = points.filter(({ x }) => x >= from);
    parts.push(svg("path", { class: `line line-${at + 1}`, d: linePath(seen, toX, toY) }));
    for (const { x, y } of lonePoints(seen)) {
      parts.push(svg("circle", { class: `dot dot-${at + 1}`, cx: toX(x), cy: toY(y), r: 2.5 }));
    }
  }
  place.replaceChildren(...parts);
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} anchor
 * @param {string} text
 */
function label(x, y, anchor, text) {
  const made = svg("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @returns {SVGElement}
 */
function svg(name, attributes) {
  const made = /** @type {SVGElement} */ (document.createElementNS(SVG, name));
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = paused ? "Go on" : "Pause";
  tellState(lost);
  void look();
});
say.addEventListener("click", () => {
  spoken.textContent = last ? sentence(last, rates) : "Nothing is known yet.";
});
document.addEventListener("visibilitychange", () => void look());
const resized = new ResizeObserver(draw);
for (const plot of document.querySelectorAll(".plot")) resized.observe(plot);
element("live-controls").hidden = false;
void look();
