import { findPublication, type PublicationRecord } from "../components/publication.ts";
import { findSigningKey, publicKeyText } from "../release/signing-key.ts";
import type { LocalStack } from "./workspace.ts";

/** Stand for what a stack's first publication decides; as long as the real ones usually are, so that sizes mean something. */
const placeholders = {
  sourceUrl: (stack: string) =>
    `https://placeholder.invalid:8080/v1/AUTH_${"0".repeat(32)}/slipway-${stack}-${"0".repeat(32)}`,
  publicKey: "placeholder+made+by+the+first+slipway+up".padEnd(60, "+"),
};

/** What user-data says of a stack's publication, and which of its values are made up. */
export interface PublicationValues extends Pick<PublicationRecord, "sourceUrl" | "publicKey"> {
  placeholders: ("sourceUrl" | "publicKey")[];
}

/**
 * What `up` puts into user-data of the publication. Before the first `up`, and after a `down`, there are placeholders for what is not
 * decided; the key outlives a `down`. Nothing is made.
 * @throws SlipwayError E_PAYLOAD_MISSING for a note of the publication that cannot be read
 */
export async function publicationValues({ projectRoot, stack, stackHome }: LocalStack): Promise<PublicationValues> {
  const published = await findPublication(projectRoot, stack);
  if (published !== undefined) return { ...published, placeholders: [] };
  const sourceUrl = placeholders.sourceUrl(stack);
  const key = await findSigningKey(stackHome);
  return key === undefined
    ? { sourceUrl, publicKey: placeholders.publicKey, placeholders: ["sourceUrl", "publicKey"] }
    : { sourceUrl, publicKey: publicKeyText(key), placeholders: ["sourceUrl"] };
}
