import { z } from "zod";

/** What a host's serving processes read at start: `/etc/slipway/serving.json`, written by the bootstrap from the host's roles. */
export const servingConfig = z.object({
  /** Payload digest, shown by `GET /version`. */
  payload: z.string(),
  stack: z.string(),
  host: z.string(),
  generation: z.string(),
  frontend: z.object({ host: z.string(), port: z.number().int() }),
  /** Where the runtime process listens: a unix socket's path. */
  runtimeSocket: z.string(),
  /** Holds one folder per model digest (hex) and `current`, a symbolic link to the one that serves. */
  modelsDir: z.string(),
  /** The queue; without it the job routes answer 503. */
  queue: z.object({ host: z.string(), port: z.number().int(), passwordFile: z.string() }).optional(),
});

export type ServingConfig = z.infer<typeof servingConfig>;
