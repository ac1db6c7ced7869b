import { z } from "zod";
import { tokenEntry } from "../serving/access/tokens.ts";

/**
 * What a stack's configuration tells its hosts' services, as the signed manifest carries it. Nothing in it is a secret: whoever can read
 * the publication can read it.
 */
export const hostSettingsSchema = z.object({
  /** By what callers are recognized: hashes, never tokens. Without it the host demands none. */
  tokens: z.array(tokenEntry).min(1).optional(),
  /** Keys of serving.json; checked by the payload that reads them, since another one may know others. */
  serving: z.record(z.string(), z.unknown()).optional(),
  /** The listener for openGauss: what its certificate and its clients' authorities say, PEM. The key is brought over SSH. */
  aiengine: z.object({ cert: z.string(), ca: z.string(), settings: z.record(z.string(), z.unknown()) }).optional(),
});

export type HostSettings = z.infer<typeof hostSettingsSchema>;
