import { modelLimitsOf } from "../../config.ts";
import type { Meter } from "../../metrics/meter.ts";
import { GOLDEN_TOLERANCE, toleranceOf } from "../../models/golden.ts";
import { readGolden } from "../../models/package.ts";
import { modelFolder } from "../../models/registry-file.ts";
import type { AskedRouter } from "../../routing/asked-router.ts";
import type { ServedModel } from "../../routing/question.ts";
import { Shadow } from "../../routing/trials/shadow.ts";
import { withTrials } from "../../routing/trials/tried-router.ts";
import type { FrontendContext } from "../context.ts";
import { meterTrials } from "./trial-figures.ts";

/**
 * The context with a router that has versions on trial take part.
 * @param plain the router whose questions are not counted as callers' are, for copies of them
 */
export function tryModels(
  context: FrontendContext,
  plain: Pick<AskedRouter, "predict">,
  meter: Meter,
): FrontendContext {
  const { config, limits, router } = context;
  const figures = meterTrials(meter);
  const shadow = new Shadow({
    router: plain,
    toleranceOf: tolerances(config.modelsDir),
    inFlightRows: limits.inFlightRows,
    figures: figures.shadow,
  });
  return {
    ...context,
    router: withTrials(router, {
      shadow,
      deadlineOf: (name) => modelLimitsOf(config, name).deadlineMs,
      onReasked: figures.reasked,
    }),
  };
}

/** How far two versions may be from each other: as far as the one that is asked less of may be from its golden answers. */
function tolerances(modelsDir: string): (trial: ServedModel, live: ServedModel) => Promise<number> {
  const known = new Map<string, Promise<number>>();
  const of = ({ model: { digest } }: ServedModel): Promise<number> => {
    let tolerance = known.get(digest);
    if (!tolerance) {
      if (known.size > KEPT) known.clear();
      // the package of a runtime on another host is not here
      tolerance = readGolden(modelFolder(modelsDir, digest)).then(toleranceOf, () => GOLDEN_TOLERANCE);
      known.set(digest, tolerance);
    }
    return tolerance;
  };
  return async (trial, live) => Math.max(await of(trial), await of(live));
}

const KEPT = 32;
