import type { FastifyRequest } from "fastify";
import { modelSettingsOf, type ServingConfig } from "../config.ts";
import type { ServedModel } from "../routing/question.ts";
import { HttpError } from "./errors.ts";

/** Of an `Idempotency-Key`. */
export const MAX_KEY_LENGTH = 200;

/** The caller's name for a request that may be sent twice and shall count once. Throws HttpError 400. */
export function idempotencyKeyOf({ headers }: Pick<FastifyRequest, "headers">): string | undefined {
  return requireKey(headers["idempotency-key"]);
}

/** A key that may be one; undefined where there is none. Throws HttpError 400. */
export function requireKey(key: string | readonly unknown[] | undefined): string | undefined {
  if (key !== undefined && (typeof key !== "string" || key.length === 0 || key.length > MAX_KEY_LENGTH)) {
    throw new HttpError(400, "KEY_INVALID", `Idempotency-Key is one text of 1 to ${MAX_KEY_LENGTH} characters`);
  }
  return key;
}

/**
 * The key, as far as it has a meaning for a question to this model: none for one that is not durable but pure, which gives the same answer again.
 * @throws HttpError 400 where the key could not keep the model from doing twice what it does
 */
export function requireKeptKey(
  config: Pick<ServingConfig, "models">,
  { model, card }: ServedModel,
  key: string | undefined,
): string | undefined {
  if (key === undefined || modelSettingsOf(config, model.name)?.durable) return key;
  if (card.pure !== false) return undefined;
  throw new HttpError(400, "KEY_UNUSABLE", `${model.name} is not durable: no answer is kept for an Idempotency-Key`);
}

/** Throws HttpError 400 for a key with what is answered piece by piece: no answer of that kind is kept. */
export function refuseKey(key: string | undefined, what: string): void {
  if (key === undefined) return;
  throw new HttpError(
    400,
    "KEY_UNUSABLE",
    `${what} is answered while it is read: no answer is kept for an Idempotency-Key`,
  );
}
