import { type ErrorCode, errorCatalogue } from "./error-catalogue.ts";

/** What a user needs to know of a failure; see {@link SlipwayError}. */
export interface ErrorDetails {
  /** What to do about it, one sentence in the imperative. */
  hint?: string;
  /** `x-openstack-request-id` of the answer that carried the failure, for the cloud's operators. */
  requestId?: string;
  /** What failed underneath. */
  cause?: unknown;
  /** Further lines shown below the message: a guest's last lines, candidates, leftovers. Untrusted text must be cleaned first. */
  details?: string[];
}

/** A failure with a documented code (`docs/errors/<code>.md`) and exit code. Everything else that is thrown is a bug (exit 1). */
export class SlipwayError extends Error {
  override readonly name = "SlipwayError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly requestId: string | undefined;
  readonly details: string[];

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.requestId = details.requestId;
    this.details = details.details ?? [];
  }

  /** The process's exit code, by class of failure (docs/reference/exit-codes.md). */
  get exitCode(): number {
    return errorCatalogue[this.code].exitCode;
  }
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The text of what `fetch` hides behind "fetch failed"; of anything else its own. */
export function causeOf(error: unknown): string {
  return messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
}

/** True for a Node system error with this `code`, e.g. `ENOENT`. */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}
