// @ts-check
// What the live page says of a look at the host: the server writes it into the page, the page's script keeps it up to date. No DOM here.
import { duration, short } from "./plot.js";
import { quantile } from "./rates.js";

/**
 * A cell of a table; `share` (0 to 1) is drawn as a bar beside the text.
 * @typedef {string | { text: string, share?: number | undefined, note?: string | undefined }} Cell
 */

/** @typedef {{ queue: string, waiting: number, active: number, delayed: number, failed: number, workers: number }} Queue */

/** @typedef {{ mode: string, percent: number, problem?: string | undefined, reasked: number, shadow: { asked: number, failed: number, differing: number, dropped: number, largestDifference: number | null } }} Trial */

/** @typedef {{ id: string, kind: string, state: string, step?: string | undefined, done?: number | undefined, total?: number | undefined, reason?: string | undefined }} Job */

/** @typedef {{ epoch: number, loss?: number, accuracy?: number, valLoss?: number, valAccuracy?: number }} EpochPoint */

/** @typedef {{ id: string, state: string, epochs: number, points: EpochPoint[] }} Training */

/**
 * @typedef {import("./rates.js").Look & {
 *   runtimes: { id: string, group: string, provider: string, note?: string | undefined, rowsInFlight: number }[],
 *   models: { name: string, version: string, live: boolean, answered: number, failed: number, rows: number, trial?: Trial | undefined }[],
 *   work: { queues: Queue[], jobs: Job[], training?: Training | undefined } | null,
 *   workNote?: string | undefined,
 * }} Snapshot
 */

const counts = new Intl.NumberFormat("en");

/** @param {number} value */
function count(value) {
  return counts.format(Math.round(value));
}

/**
 * The figures since the frontend was started, by the names that the page has for them.
 * @param {Snapshot} look
 * @returns {Record<string, string>}
 */
export function totals({ predictions, latency }) {
  const { answered, failed, rows, batches, inFlight, rowsInFlight } = predictions;
  return {
    answered: count(answered),
    failed: count(failed),
    rows: count(rows),
    "rows-per-batch": batches > 1e-6 ? short(rows / batches) : "–",
    p50: duration(quantile(latency, 0.5)),
    p99: duration(quantile(latency, 0.99)),
    "in-flight": count(inFlight),
    "rows-in-flight": count(rowsInFlight),
  };
}

/**
 * The tables' rows, by the names that the page has for them.
 * @param {Snapshot} look
 * @returns {Record<string, Cell[][]>}
 */
export function tables({ runtimes, models, work }) {
  return {
    runtimes: runtimes.map(({ id, group, provider, note, rowsInFlight }) => [
      { text: group, note: id.slice(0, 8) },
      { text: provider === "cuda" ? "CUDA" : "CPU", note },
      count(rowsInFlight),
    ]),
    models: models.map(({ name, version, live, answered, failed, rows, trial }) => [
      { text: name, note: `version ${version}${live ? "" : `, ${trial ? trialWords(trial) : "not live"}`}` },
      count(answered),
      count(failed),
      count(rows),
    ]),
    queues: (work?.queues ?? []).map(({ queue, waiting, active, delayed, failed, workers }) => [
      queue,
      count(waiting),
      count(active),
      count(delayed),
      count(failed),
      count(workers),
    ]),
    jobs: (work?.jobs ?? []).map((job) => [
      { text: job.kind === "train" ? "training" : "prediction", note: job.id.slice(0, 10) },
      { text: job.state, note: job.state === "active" ? job.step : job.reason },
      progress(job),
    ]),
  };
}

/**
 * How a version is tried, and what came of it.
 * @param {Trial} trial
 * @returns {string}
 */
export function trialWords({ mode, percent, problem, reasked, shadow }) {
  const how = mode === "canary" ? `answers ${short(percent)} %` : `gets copies of ${short(percent)} %`;
  if (problem !== undefined) return `is on trial and gets no requests: ${problem}`;
  if (mode === "canary") return `${how}, ${count(reasked)} answered by the live version in its place`;
  const { asked, failed, differing, dropped, largestDifference } = shadow;
  const largest = largestDifference === null ? "" : `, largest difference ${short(largestDifference)}`;
  return `${how}: ${count(asked)} asked, ${count(differing)} answered otherwise, ${count(failed)} failed, ${count(dropped)} left out${largest}`;
}

/**
 * @param {Job} job
 * @returns {Cell}
 */
function progress({ state, done, total }) {
  if (done === undefined) return state === "completed" ? { text: "done", share: 1 } : "–";
  if (total === undefined || total <= 0) return count(done);
  return { text: `${count(done)} of ${count(total)}`, share: Math.min(1, done / total) };
}

/**
 * What a training's curve ends at, in words.
 * @param {Training} training
 * @returns {string}
 */
export function trainingWords({ id, state, epochs, points }) {
  const last = points.at(-1);
  if (!last) return `${id.slice(0, 10)} (${state}) has told no epoch yet.`;
  const figures = [
    named("loss", last.loss),
    named("validation loss", last.valLoss),
    named("accuracy", last.accuracy),
    named("validation accuracy", last.valAccuracy),
  ].filter((text) => text !== "");
  return `${id.slice(0, 10)} (${state}), epoch ${last.epoch} of ${epochs}: ${figures.join(", ")}.`;
}

/**
 * @param {string} name
 * @param {number | undefined} value
 */
function named(name, value) {
  return value === undefined ? "" : `${name} ${short(value)}`;
}

/**
 * The figures in one sentence, to be read aloud.
 * @param {Snapshot} look
 * @param {import("./rates.js").Rates | undefined} rates
 * @returns {string}
 */
export function sentence(look, rates) {
  const { answered, failed, inFlight } = look.predictions;
  const since = `${count(answered)} requests answered, ${count(failed)} failed, ${count(inFlight)} in flight`;
  if (!rates) return `${since}.`;
  const latency = rates.p50 === undefined ? "" : `, p50 ${duration(rates.p50)}, p99 ${duration(rates.p99)}`;
  return `${short(rates.requests)} requests per second${latency}. ${since}.`;
}
