import { z } from "zod";

/** Paths of PEM files: a certificate, its key, and the authority whose certificates count. */
export const identityFiles = z.object({ cert: z.string(), key: z.string(), ca: z.string() });

/** The same of one who asks. `serverName`: the name in a runtime's certificate, where it is not the runtime's host. */
export const askingIdentityFiles = identityFiles.extend({ serverName: z.string().optional() });
