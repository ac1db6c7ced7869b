import { SlipwayError } from "../common/errors.ts";

/** A setting's name and its value in milliseconds; undefined where there is no such bound. */
export type NamedTimeout = readonly [name: string, ms: number | undefined];

/**
 * Whoever waits must wait longer than what it waits for takes to give up, else answers come to nobody.
 * @param outermost from who waits longest to who waits shortest
 * @throws SlipwayError E_CONFIG_INVALID naming the first two that do not fit
 */
export function requireFittingTimeouts(outermost: readonly NamedTimeout[]): void {
  const bounds = outermost.filter((timeout): timeout is readonly [string, number] => timeout[1] !== undefined);
  bounds.forEach(([inner, innerMs], at) => {
    const [outer, outerMs] = bounds[at - 1] ?? [];
    if (outerMs === undefined || outerMs > innerMs) return;
    throw new SlipwayError(
      "E_CONFIG_INVALID",
      `serving.json: ${outer} (${outerMs} ms) must be longer than ${inner} (${innerMs} ms), which it waits for`,
      { hint: `Raise ${outer} or lower ${inner}.` },
    );
  });
}
