import { messageOf } from "../../../common/errors.ts";
import { PoolError, type PoolFailure } from "../../workers/pool.ts";
import type { FollowedRegistry, Workers } from "../../workers/workers.ts";
import { HttpError } from "../errors.ts";

const failures: Record<PoolFailure, { statusCode: number; code: string }> = {
  none: { statusCode: 503, code: "WORKERS_UNAVAILABLE" },
  busy: { statusCode: 503, code: "OVERLOADED" },
  unreachable: { statusCode: 503, code: "WORKERS_UNAVAILABLE" },
  broken: { statusCode: 502, code: "WORKER_LOST" },
  timeout: { statusCode: 504, code: "DEADLINE" },
  refused: { statusCode: 400, code: "WORKER_REFUSED" },
  function: { statusCode: 500, code: "INFERENCE_FAILED" },
  answer: { statusCode: 502, code: "WORKER_ANSWER_INVALID" },
  "unknown-model": { statusCode: 404, code: "MODEL_UNKNOWN" },
  token: { statusCode: 502, code: "WORKER_TOKEN_REFUSED" },
};

/** Why external workers gave no answer, as an answer. */
export function httpErrorOfPool(error: unknown): unknown {
  if (!(error instanceof PoolError)) return error;
  const { statusCode, code } = failures[error.reason];
  const isUnknown = error.mayHaveRun && (error.reason === "broken" || error.reason === "timeout");
  if (isUnknown) return new HttpError(statusCode, "OUTCOME_UNKNOWN", error.message);
  return new HttpError(error.status ?? statusCode, code, error.message, error.retryAfter);
}

const REGISTRY_RETRY_S = 2;

/** The registry, for what changes it. Throws HttpError 503 on a host without a queue. */
export function requireRegistry({ followed }: Workers): FollowedRegistry {
  if (followed) return followed;
  throw new HttpError(503, "REGISTRY_ABSENT", "this host has no queue, and workers are registered at its server");
}

/** What a change of the registry comes to, known here at once. Throws HttpError 503 while the registry is away. */
export async function changed<T>({ follower }: FollowedRegistry, change: Promise<T>): Promise<T> {
  try {
    return await change;
  } catch (error) {
    if (error instanceof HttpError) throw error;
    throw registryAway(messageOf(error));
  } finally {
    await follower.refresh();
  }
}

/** The registry does not answer. */
export function registryAway(reason: string): HttpError {
  return new HttpError(
    503,
    "REGISTRY_UNAVAILABLE",
    `the workers' registry does not answer: ${reason}`,
    REGISTRY_RETRY_S,
  );
}
