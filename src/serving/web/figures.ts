import { type Html, html } from "./html.ts";

/** A share of one in percent, with one digit after the point. A number that is no share is shown as it is. */
export function percent(share: number): string {
  return isShare(share) ? `${(share * 100).toFixed(1)} %` : plain(share);
}

/** A number with no more digits than float32 has. */
export function plain(value: number): string {
  return String(Number(value.toPrecision(7)));
}

/** A count of things: `1 row`, `7 rows`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * A bar for a share of one, with a tick at `mark`. It repeats a number that stands beside it, and so is silent for screen readers.
 * Drawn as SVG: the pages' policy forbids style attributes. Nothing for a number that is no share.
 */
export function bar(share: number, mark?: number): Html | undefined {
  if (!isShare(share)) return undefined;
  const at = (place: number) => `${(place * 100).toFixed(2)}%`;
  return html`<svg class="bar" aria-hidden="true"><rect class="track"/><rect class="fill" width="${at(share)}"/>${
    mark === undefined ? undefined : html`<line class="mark" x1="${at(mark)}" x2="${at(mark)}" y2="100%"/>`
  }</svg>`;
}

function isShare(value: number): boolean {
  return value >= 0 && value <= 1;
}
