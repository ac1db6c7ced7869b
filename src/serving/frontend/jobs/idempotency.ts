import type { FastifyRequest } from "fastify";
import { HttpError } from "../errors.ts";

/** Of an `Idempotency-Key`. */
export const MAX_KEY_LENGTH = 200;

/** The caller's name for a request that may be sent twice and shall count once. Throws HttpError 400. */
export function idempotencyKeyOf({ headers }: Pick<FastifyRequest, "headers">): string | undefined {
  const key = headers["idempotency-key"];
  if (Array.isArray(key) || (key !== undefined && key.length > MAX_KEY_LENGTH)) {
    throw new HttpError(400, "KEY_INVALID", `Idempotency-Key is one text of at most ${MAX_KEY_LENGTH} characters`);
  }
  return key;
}
