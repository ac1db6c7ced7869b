import { gzipSync } from "node:zlib";
import { SlipwayError } from "../common/errors.ts";

/** Nova's limit on `user_data` as it stands in the request: base64 text, bytes. */
export const USER_DATA_LIMIT = 65_535;

/** Bytes of a document as it is and in the two forms that can stand in Nova's request. */
export interface UserDataSizes {
  raw: number;
  base64: number;
  gzipBase64: number;
  limit: number;
}

/** How large a document is in every form. */
export function userDataSizes(document: string): UserDataSizes {
  const raw = Buffer.byteLength(document);
  return { raw, base64: base64Length(raw), gzipBase64: pack(document).length, limit: USER_DATA_LIMIT };
}

/**
 * The document in the form that fits: plain, or base64 of its gzip when only that does (the provider passes base64 through, cloud-init
 * unpacks it).
 * @throws SlipwayError E_USERDATA_TOO_LARGE with the biggest parts
 */
export function fitUserData(document: string, parts: { name: string; text: string }[]): string {
  if (base64Length(Buffer.byteLength(document)) <= USER_DATA_LIMIT) return document;
  const packed = pack(document);
  if (packed.length <= USER_DATA_LIMIT) return packed;
  throw new SlipwayError(
    "E_USERDATA_TOO_LARGE",
    `the user-data has ${packed.length} bytes as base64 of its gzip, Nova accepts ${USER_DATA_LIMIT}`,
    {
      hint: "Move large content out of the templates: the bootstrap can fetch it.",
      details: parts
        .map(({ name, text }) => ({ name, size: Buffer.byteLength(text) }))
        .sort((a, b) => b.size - a.size)
        .slice(0, 5)
        .map(({ name, size }) => `${name}: ${size} bytes before compression`),
    },
  );
}

function pack(document: string): string {
  return gzipSync(document, { level: 9 }).toString("base64");
}

function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}
