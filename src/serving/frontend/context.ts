import type { ServingConfig, ServingLimits } from "../config.ts";
import type { JobQueue } from "../jobs/queue.ts";
import type { RuntimeClient } from "../runtime/client.ts";
import type { Hello } from "../runtime/hello.ts";
import { runtimeAway } from "./errors.ts";

/** What the routes work with. */
export interface FrontendContext {
  config: ServingConfig;
  limits: ServingLimits;
  runtime: Pick<RuntimeClient, "hello" | "lastHello" | "predict">;
  /** Absent on a host without a queue. */
  jobs: JobQueue | undefined;
}

/** What the runtime serves now. Throws HttpError 503 while there is none. */
export function requireHello({ runtime }: FrontendContext): Hello {
  if (!runtime.hello) throw runtimeAway();
  return runtime.hello;
}
