// @ts-check
// Scales and paths of charts. No DOM here: it runs in Node, too.

/**
 * A point of a line; undefined values leave a gap.
 * @typedef {{ x: number, y: number | undefined }} Point
 */

/**
 * A linear scale from a domain to pixels.
 * @param {number} from
 * @param {number} to
 * @param {number} start
 * @param {number} end
 * @returns {(value: number) => number}
 */
export function scale(from, to, start, end) {
  const span = to - from || 1;
  return (value) => start + ((value - from) / span) * (end - start);
}

/**
 * Round numbers from 0 to above the largest value, for a chart's axis: 1, 2 or 5 times a power of ten apart.
 * @param {number} largest
 * @param {number} most ticks beside 0
 * @returns {number[]} ascending, at least [0, something]
 */
export function ticksUpTo(largest, most) {
  if (!(largest > 0) || !Number.isFinite(largest)) return [0, 1];
  const rough = largest / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * /** @type {number} */ ([1, 2, 5, 10].find((times) => power * times >= rough * (1 - 1e-9)));
  const count = Math.ceil(largest / step - 1e-9);
  // products, not sums: no error piles up
  return Array.from({ length: count + 1 }, (_, at) => Number((at * step).toPrecision(12)));
}

/**
 * A line through points as SVG path data. A point between two gaps is no line: see {@link lonePoints}.
 * @param {readonly Point[]} points
 * @param {(x: number) => number} toX
 * @param {(y: number) => number} toY
 * @returns {string}
 */
export function linePath(points, toX, toY) {
  let path = "";
  let drawing = false;
  for (const { x, y } of points) {
    if (y !== undefined) path += `${drawing ? "L" : "M"}${pixel(toX(x))} ${pixel(toY(y))}`;
    drawing = y !== undefined;
  }
  return path;
}

/**
 * The points with a gap, or nothing, on both sides.
 * @param {readonly Point[]} points
 * @returns {{ x: number, y: number }[]}
 */
export function lonePoints(points) {
  return points.flatMap(({ x, y }, at) =>
    y !== undefined && points[at - 1]?.y === undefined && points[at + 1]?.y === undefined ? [{ x, y }] : [],
  );
}

/** @param {number} value */
function pixel(value) {
  return Number(value.toFixed(1));
}

/**
 * A number in few digits: three that count, thousands and millions by their letters.
 * @param {number | undefined} value
 * @returns {string}
 */
export function short(value) {
  if (value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 999_500) return `${digits(value / 1e6)} M`;
  if (size >= 9_995) return `${digits(value / 1e3)} k`;
  return digits(value);
}

/** @param {number} value */
function digits(value) {
  const size = Math.abs(value);
  if (size >= 99.95) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

/**
 * Seconds as milliseconds or seconds, with the unit.
 * @param {number | undefined} seconds
 * @returns {string}
 */
export function duration(seconds) {
  if (seconds === undefined) return "–";
  return seconds < 0.9995 ? `${short(seconds * 1000)} ms` : `${short(seconds)} s`;
}
