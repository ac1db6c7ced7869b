import { createHash } from "node:crypto";

/** Hex. */
export function md5(content: string | Buffer): string {
  return createHash("md5").update(content).digest("hex");
}
