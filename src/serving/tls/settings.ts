import { z } from "zod";

/** Paths of a server's PEM files. */
export const serverTls = z.object({
  /** Its certificate, intermediates after it, and its key. */
  cert: z.string(),
  key: z.string(),
  /** The authorities whose clients are let in; without it clients need no certificate. */
  ca: z.string().optional(),
});

export type ServerTls = z.output<typeof serverTls>;
