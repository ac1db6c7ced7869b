// @ts-check
// What the live page computes from two looks at the host's counters. No DOM here: it runs in Node, too.

/**
 * Counters of a host, as `GET /v1/live` tells them.
 * @typedef {{ answered: number, failed: number, rows: number, batches: number, inFlight: number, rowsInFlight: number }} Counts
 */

/**
 * A histogram: `counts` has one more than `bounds` (seconds, ascending), for what lies above the last.
 * @typedef {{ bounds: number[], counts: number[] }} Histogram
 */

/**
 * A look at a host, `at` in milliseconds since 1970.
 * @typedef {{ at: number, predictions: Counts, latency: Histogram }} Look
 */

/**
 * What happened between two looks, by the second; undefined for what nothing tells.
 * @typedef {{ requests: number, failures: number, rows: number, p50: number | undefined, p99: number | undefined, batchRows: number | undefined }} Rates
 */

/**
 * What happened from one look to the next. Undefined where they do not belong together: the host began to count anew, or no time passed.
 * @param {Look} before
 * @param {Look} now
 * @returns {Rates | undefined}
 */
export function ratesBetween(before, now) {
  const seconds = (now.at - before.at) / 1000;
  const answered = now.predictions.answered - before.predictions.answered;
  const failed = now.predictions.failed - before.predictions.failed;
  const rows = now.predictions.rows - before.predictions.rows;
  const batches = now.predictions.batches - before.predictions.batches;
  const counts = now.latency.counts.map((count, at) => count - (before.latency.counts[at] ?? 0));
  if (seconds <= 0 || answered < 0 || failed < 0 || rows < 0 || counts.some((count) => count < 0)) return undefined;
  const { bounds } = now.latency;
  return {
    requests: (answered + failed) / seconds,
    failures: failed / seconds,
    rows: rows / seconds,
    p50: quantile({ bounds, counts }, 0.5),
    p99: quantile({ bounds, counts }, 0.99),
    // the shares of a batch that several requests were in are added up: not exactly a whole number
    batchRows: batches > 1e-6 ? rows / batches : undefined,
  };
}

/**
 * A quantile of what a histogram counted: between a bucket's bounds all are taken to lie evenly. What lies above the last bound is taken
 * to lie at it. Undefined for an empty histogram. The formula is that of Prometheus' `histogram_quantile`.
 * @param {Histogram} histogram
 * @param {number} share from 0 to 1
 * @returns {number | undefined}
 */
export function quantile({ bounds, counts }, share) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const rank = share * total;
  let below = 0;
  for (const [at, count] of counts.entries()) {
    const bound = bounds[at];
    if (bound === undefined) break;
    if (count > 0 && below + count >= rank) {
      const lower = at === 0 ? 0 : /** @type {number} */ (bounds[at - 1]);
      return lower + ((bound - lower) * (rank - below)) / count;
    }
    below += count;
  }
  return bounds.at(-1);
}
