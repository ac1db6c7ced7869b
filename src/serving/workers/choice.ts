/** The one with the least load for its weight; of several the first, beginning at a place that the caller moves on. */
export function leastLoaded<T>(candidates: readonly T[], loadOf: (candidate: T) => number, start = 0): T | undefined {
  let best: T | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (let at = 0; at < candidates.length; at++) {
    const candidate = candidates[(start + at) % candidates.length] as T;
    const load = loadOf(candidate);
    if (load >= least) continue;
    best = candidate;
    least = load;
  }
  return best;
}
