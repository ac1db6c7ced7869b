/** A part of a pattern: whether it takes a character, and whether it takes more of them. */
interface Step {
  takes: (character: string) => boolean;
  repeats: boolean;
}

const any: Step = { takes: () => true, repeats: true };
const withinPart = (character: string) => character !== "/";

/**
 * Whether a path fits an access rule's: `*` and `{name}` stand for one part of it, `**` for anything, also nothing. Takes time in
 * proportion to both lengths, whatever is in them: a user writes the one, and whoever has the token the other. A brace without its other
 * is not there for Keystone.
 */
export function fitsPath(pattern: string, path: string): boolean {
  const steps = stepsOf(pattern);
  let reached = passing(steps, [0]);
  for (const character of path) {
    const next: number[] = [];
    for (const at of reached) {
      const step = steps[at];
      if (step?.takes(character)) next.push(step.repeats ? at : at + 1);
    }
    reached = passing(steps, next);
  }
  return reached.has(steps.length);
}

function stepsOf(pattern: string): Step[] {
  return [...pattern.matchAll(/\*\*|\*|\{[^}]*\}|[^{}*]/gsu)].flatMap(([token]): Step[] => {
    if (token === "**") return [any];
    if (token === "*" || token.startsWith("{")) {
      return [
        { takes: withinPart, repeats: false },
        { takes: withinPart, repeats: true },
      ];
    }
    return [{ takes: (character) => character === token, repeats: false }];
  });
}

/** These places in a pattern, and those behind them, since what repeats may also take nothing. */
function passing(steps: readonly Step[], places: readonly number[]): Set<number> {
  const reached = new Set<number>();
  for (let at of places) {
    while (!reached.has(at)) {
      reached.add(at);
      if (steps[at]?.repeats) at += 1;
    }
  }
  return reached;
}
