import type { ServingConfig, ServingLimits } from "../config.ts";
import type { JobQueue } from "../jobs/queue.ts";
import { takesRows } from "../models/card.ts";
import type { AskedRouter } from "../routing/asked-router.ts";
import type { ServedModel } from "../routing/question.ts";
import type { RowModel } from "../routing/rows.ts";
import type { Workers } from "../workers/workers.ts";
import { HttpError, runtimeAway } from "./errors.ts";

/** Which model is asked for: the default one without a name, the live version without one. */
export interface AskedModel {
  name?: string | undefined;
  version?: string | undefined;
}

/** What the routes work with. */
export interface FrontendContext {
  config: ServingConfig;
  limits: ServingLimits;
  router: AskedRouter;
  /** Absent on a host without a queue. */
  jobs: JobQueue | undefined;
  workers: Workers;
}

/** The default model, or the one of this name; its live version, or this. Throws HttpError 503 while nothing serves, 404 for what is unknown. */
export function requireModel(
  { router }: Pick<FrontendContext, "router">,
  { name, version }: AskedModel = {},
): ServedModel {
  const standard = router.find();
  const served = version === undefined ? router.find(name) : router.find(name ?? standard?.model.name, version);
  if (served) return served;
  if (!standard || (name ?? version) === undefined) throw runtimeAway();
  const what = [name ?? standard.model.name, version].join(" ").trimEnd();
  throw new HttpError(404, "MODEL_UNKNOWN", `${what} does not serve here`);
}

/** The same, or what it was when it was last there: what is asked of it later need not wait now. */
export function requireLastModel({ router }: Pick<FrontendContext, "router">, name?: string): ServedModel {
  const served = router.find(name) ?? router.findLast(name);
  if (served) return served;
  if (name !== undefined && (router.find() ?? router.findLast())) {
    throw new HttpError(404, "MODEL_UNKNOWN", `${name} does not serve here`);
  }
  throw runtimeAway();
}

/** The model that is asked for as it serves now. Throws HttpError 503 while there is none, 404 for one that takes no rows of numbers. */
export function requireRowModel(context: Pick<FrontendContext, "router">, asked?: AskedModel): RowModel {
  return readAsRows(asked ? requireModel(context, asked) : context.router.find());
}

/**
 * The default model, or the one of this name, or what it was when it was last there: what is asked of it later need not wait now.
 * Throws HttpError 503 while nothing serves, 404 for a name that is unknown.
 */
export function requireLastRowModel(context: Pick<FrontendContext, "router">, name?: string): RowModel {
  return readAsRows(requireLastModel(context, name));
}

function readAsRows(served: ServedModel | undefined): RowModel {
  if (!served) throw runtimeAway();
  const { card, model } = served;
  // the object itself: the router gathers by it
  if (takesRows(card)) return served as RowModel;
  throw new HttpError(404, "NO_ROWS", `${model.name} takes no rows of numbers: ask /v2/models/${model.name}/infer`);
}
