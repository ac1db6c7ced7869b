import { readFile, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { type Digest, hexOf } from "../../common/digest.ts";
import { SlipwayError } from "../../common/errors.ts";

export const identitySchema = z.object({
  name: z.string(),
  version: z.string(),
  digest: z.templateLiteral([z.literal("sha256:"), z.string().regex(/^[0-9a-f]{64}$/)]),
});

/** Which model: the user's name for it, the count of its publications, and the digest of its package. */
export type ModelIdentity = z.infer<typeof identitySchema>;

/** The folder of a model's unpacked package. */
export function modelFolder(modelsDir: string, digest: Digest): string {
  return join(modelsDir, hexOf(digest));
}

/** The model that `current.json` names; the bootstrap writes it together with the link `current`. */
export async function currentIdentity(modelsDir: string): Promise<ModelIdentity> {
  return identitySchema.parse(JSON.parse(await readFile(join(modelsDir, "current.json"), "utf8")));
}

/**
 * The model that the host shall serve.
 * @throws SlipwayError E_MODEL_MISMATCH while `current` and `current.json` do not name the same model
 */
export async function requireCurrentModel(modelsDir: string): Promise<{ identity: ModelIdentity; folder: string }> {
  const identity = await currentIdentity(modelsDir);
  const folder = await realpath(join(modelsDir, "current"));
  if (basename(folder) !== hexOf(identity.digest)) {
    throw new SlipwayError(
      "E_MODEL_MISMATCH",
      `current is ${basename(folder)}, current.json names ${identity.digest}`,
      {
        hint: "Deliver the model again: a release was cut short between the two.",
      },
    );
  }
  return { identity, folder };
}
