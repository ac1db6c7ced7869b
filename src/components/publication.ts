import { join } from "node:path";
import { z } from "zod";
import { SlipwayError } from "../common/errors.ts";
import { readTextIfExists } from "../common/files.ts";
import { slipwayHome, stackHome } from "../common/home.ts";

const record = z.object({
  schemaVersion: z.literal(1),
  sourceUrl: z.url(),
  publicKey: z.string().min(1),
});

/** Where a stack's hosts fetch their payload, and the key that signs it. */
export type PublicationRecord = z.infer<typeof record>;

/**
 * What `slipway up` has published, for the program.
 * @throws SlipwayError E_PAYLOAD_MISSING
 */
export async function readPublication(projectRoot: string, stack: string): Promise<PublicationRecord> {
  const found = await findPublication(projectRoot, stack);
  if (found === undefined) throw missing(`nothing is published for stack ${stack}`);
  return found;
}

/**
 * The same; undefined where nothing is published.
 * @throws SlipwayError E_PAYLOAD_MISSING for a note that cannot be read
 */
export async function findPublication(projectRoot: string, stack: string): Promise<PublicationRecord | undefined> {
  const path = join(stackHome(projectRoot, stack), "publication.json");
  const text = await readTextIfExists(path);
  if (text === undefined) return undefined;
  try {
    return record.parse(JSON.parse(text));
  } catch (error) {
    throw missing(`${path} is damaged`, error);
  }
}

/**
 * The public half of the login key that `slipway` makes in its home.
 * @throws SlipwayError E_PAYLOAD_MISSING
 */
export async function readLoginPublicKey(projectRoot: string): Promise<string> {
  const path = join(slipwayHome(projectRoot), "id_ed25519.pub");
  const text = await readTextIfExists(path);
  if (text === undefined) throw missing(`there is no login key ${path}`);
  return text.trim();
}

function missing(message: string, cause?: unknown): SlipwayError {
  return new SlipwayError("E_PAYLOAD_MISSING", message, {
    hint: "Run `slipway payload push`, or `slipway up`, which publishes first and makes the servers then.",
    ...(cause === undefined ? {} : { cause }),
  });
}
