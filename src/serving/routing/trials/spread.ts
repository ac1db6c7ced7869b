/**
 * Takes `percent` of the calls, spread as evenly as they can be: of any number of calls in a row the whole number below or above their
 * share is taken, and so nobody waits for chance to come out right. (The lower mechanical word of slope percent/100, Lothaire, Algebraic
 * Combinatorics on Words, 2.1; as Bresenham's lines are drawn.) Counted in whole calls, so that no error adds up.
 */
export function evenly(percent: number): () => boolean {
  let calls = 0;
  const taken = () => Math.floor((calls * percent) / 100 + FIRST);
  return () => {
    const before = taken();
    calls++;
    return taken() > before;
  };
}

/** The first call that is taken comes half a distance after the beginning: not at once in every process that starts. */
const FIRST = 0.5;
