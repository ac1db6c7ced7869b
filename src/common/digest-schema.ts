import { z } from "zod";

/** How digests are written: as `Digest`. */
export const digestSchema = z.templateLiteral([z.literal("sha256:"), z.string().regex(/^[0-9a-f]{64}$/)]);
