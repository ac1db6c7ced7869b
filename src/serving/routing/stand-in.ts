import { type AskedRouter, withPredict } from "./asked-router.ts";
import { RuntimeError } from "./question.ts";

/**
 * A router whose questions that name no version are asked of the version before where the live one fails, as long as a release that is being
 * watched keeps that in memory: who asks is not to pay for what the watch is about to find out. The failure counts as the live one's, if
 * `router` counts.
 */
export function withStandIn(router: AskedRouter): AskedRouter {
  return withPredict(router, (served, inputs, terms) => {
    const answered = router.predict(served, inputs, terms);
    // an answer that is kept by its key, and a model that may have done something, are the live version's own affair
    if (terms?.trial === undefined || terms.key !== undefined || served.card.pure === false) return answered;
    const { withinMs } = terms;
    const end = withinMs === undefined ? undefined : performance.now() + withinMs;
    return answered.catch((error: unknown) => {
      const other = router.standInFor(served);
      if (other === undefined || !(error instanceof RuntimeError && error.reason === "failed")) throw error;
      return router.predict(other, inputs, { ...terms, withinMs: end && end - performance.now() });
    });
  });
}
