import { status } from "@grpc/grpc-js";
import { HttpError, httpErrorOf } from "../frontend/errors.ts";
import { WireError } from "./wire.ts";

/** Why a call failed, as gRPC has it. */
export interface Failure {
  code: status;
  details: string;
}

const byCode: Record<string, status> = {
  OVERLOADED: status.RESOURCE_EXHAUSTED,
  LOAD_FAILED: status.FAILED_PRECONDITION,
};

const byStatus: Record<number, status> = {
  400: status.INVALID_ARGUMENT,
  401: status.UNAUTHENTICATED,
  403: status.PERMISSION_DENIED,
  404: status.NOT_FOUND,
  413: status.INVALID_ARGUMENT,
  422: status.INVALID_ARGUMENT,
  429: status.RESOURCE_EXHAUSTED,
  503: status.UNAVAILABLE,
  504: status.DEADLINE_EXCEEDED,
};

/** Any thrown value as a call's status. What is not meant for users is told as "internal error". */
export function failureOf(error: unknown): Failure {
  if (error instanceof WireError) {
    return { code: status.INVALID_ARGUMENT, details: `the message cannot be read: ${error.message}` };
  }
  const { statusCode, code, message } = httpErrorOf(
    error instanceof Error ? error : new HttpError(500, "INTERNAL", "internal error"),
  );
  return { code: byCode[code] ?? byStatus[statusCode] ?? status.INTERNAL, details: message };
}
