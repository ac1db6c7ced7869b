import { z } from "zod";

/** How digests are written. */
export const digestSchema = z.templateLiteral([z.literal("sha256:"), z.string().regex(/^[0-9a-f]{64}$/)]);

/** A file below the source URL, fetched by digest. `path` is relative, e.g. `layers/<hex>.tar.gz`. */
export const fileRef = z.object({ path: z.string(), digest: digestSchema, size: z.number().int().nonnegative() });
