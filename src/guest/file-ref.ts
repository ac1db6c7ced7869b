import { z } from "zod";
import { digestSchema } from "../common/digest-schema.ts";

/** A file below the source URL, fetched by digest. `path` is relative, e.g. `layers/<hex>.tar.gz`. */
export const fileRef = z.object({ path: z.string(), digest: digestSchema, size: z.number().int().nonnegative() });
