import type { FastifyError } from "fastify";
import { shortened } from "../../common/text.ts";
import { RuntimeError, type RuntimeFailure } from "../routing/question.ts";
import { TableError, type TableFailure } from "../tables/table-error.ts";

/** A message may hold what the caller sent. */
const LONGEST_MESSAGE = 1000;

/** An error answer of the HTTP interface; docs/reference/serving-api.md lists the codes. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly statusCode: number;
  readonly code: string;
  /** Seconds after which asking again makes sense. */
  readonly retryAfter: number | undefined;

  constructor(statusCode: number, code: string, message: string, retryAfter?: number) {
    super(shortened(message, LONGEST_MESSAGE));
    this.statusCode = statusCode;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** The runtime is being replaced or restarted when it is away: a matter of a second. */
const RETRY_AFTER_S = 1;

const runtimeFailures: Record<RuntimeFailure, { statusCode: number; code: string; retryAfter?: number }> = {
  unavailable: { statusCode: 503, code: "RUNTIME_UNAVAILABLE", retryAfter: RETRY_AFTER_S },
  overloaded: { statusCode: 503, code: "OVERLOADED", retryAfter: RETRY_AFTER_S },
  deadline: { statusCode: 504, code: "DEADLINE" },
  // What was asked fitted the model when it was checked: asking again finds the new one.
  changed: { statusCode: 503, code: "MODEL_CHANGED", retryAfter: RETRY_AFTER_S },
  invalid: { statusCode: 400, code: "INPUT_INVALID" },
  rejected: { statusCode: 422, code: "INPUT_REJECTED" },
  failed: { statusCode: 500, code: "INFERENCE_FAILED" },
};

const tableFailures: Record<TableFailure, { statusCode: number; code: string }> = {
  invalid: { statusCode: 400, code: "CSV_INVALID" },
  torn: { statusCode: 400, code: "REQUEST_ABORTED" },
  late: { statusCode: 408, code: "REQUEST_TIMEOUT" },
  "too-large": { statusCode: 413, code: "CSV_TOO_LARGE" },
};

/** The framework tells the caller's own text, however long it is. */
const MAX_MESSAGE = 300;

/** Any thrown value as an answer. What is not meant for users is told as "internal error" and stays in the log. */
export function httpErrorOf(error: FastifyError | Error): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof RuntimeError) {
    const { statusCode, code, retryAfter } = runtimeFailures[error.reason];
    if (error.mayHaveRun) return new HttpError(statusCode, "OUTCOME_UNKNOWN", error.message);
    return new HttpError(statusCode, code, error.message, retryAfter);
  }
  if (error instanceof TableError) {
    const { statusCode, code } = tableFailures[error.reason];
    return new HttpError(statusCode, code, error.message);
  }
  const { statusCode, code } = error as Partial<FastifyError>;
  if (statusCode !== undefined && statusCode < 500)
    return new HttpError(statusCode, code ?? "BAD_REQUEST", error.message.slice(0, MAX_MESSAGE));
  return new HttpError(500, "INTERNAL", "internal error");
}

/** No runtime is connected, and without it nothing is known of the model. */
export function runtimeAway(): HttpError {
  return httpErrorOf(new RuntimeError("unavailable", "the model runtime is not there"));
}
