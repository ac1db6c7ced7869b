import { shortened } from "../../common/text.ts";
import { CallError, type RawAnswer } from "./call.ts";

/**
 * What an attempt came to.
 *
 * | kind | what it says of the worker | another worker |
 * | --- | --- | --- |
 * | `answered` | it works | – |
 * | `refused` | it works; what was asked is wrong | no |
 * | `lost` | it failed: no connection, or it broke | yes |
 * | `busy` | it works and has no room | yes |
 * | `doubtful` | it failed, or what was asked makes every worker fail: another one's answer decides | yes |
 * | `cancelled` | nothing | no |
 */
export type Verdict =
  | { kind: "answered"; json: string }
  | { kind: "refused"; status: number; message: string }
  | { kind: "lost" | "doubtful"; failure: WorkerFailure; message: string; ran: boolean }
  | { kind: "busy"; message: string; retryAfter: number | undefined }
  | { kind: "cancelled" };

/**
 * How a worker fails. `unreachable`: no connection. `broken`: the connection ended. `timeout`: no answer in time. `function`: it says
 * that the function failed. `answer`: what it answers is none. `unknown-model`: it has no such function. `token`: ours is wrong.
 */
export type WorkerFailure = "unreachable" | "broken" | "timeout" | "function" | "answer" | "unknown-model" | "token";

/** What a failed call came to. */
export function verdictOfError(error: unknown): Verdict {
  if (!(error instanceof CallError)) throw error;
  const { reason, message } = error;
  switch (reason) {
    case "cancelled":
      return { kind: "cancelled" };
    case "refused":
    case "connect":
      return { kind: "lost", failure: "unreachable", message, ran: false };
    case "broken":
      return { kind: "lost", failure: "broken", message, ran: true };
    case "timeout":
      return { kind: "doubtful", failure: "timeout", message, ran: true };
    case "size":
      return { kind: "doubtful", failure: "answer", message, ran: true };
  }
}

/** What an answer says, by firefly's statuses: 422 and other 4xx are the caller's, 401, 403 and 404 the registration's, 5xx the worker's. */
export function verdictOf({ status, contentType, body, retryAfter }: RawAnswer): Verdict {
  const isJson = /^application\/(json|[a-z0-9.-]+\+json)\b/i.test(contentType);
  const text = isJson ? body.toString("utf8") : "";
  if (status >= 200 && status < 300) {
    if (!isJson) return answerless(`its answer is not JSON but "${cleaned(contentType, 60) || "nothing"}"`);
    return isValidJson(text) ? { kind: "answered", json: text } : answerless("its answer is not valid JSON");
  }
  const message = messageIn(text) ?? `status ${status}`;
  const doubtful = (failure: WorkerFailure, ran: boolean, told = message): Verdict => ({
    kind: "doubtful",
    failure,
    message: told,
    ran,
  });
  if (status === 401 || status === 403) return doubtful("token", false);
  if (status === 404) return doubtful("unknown-model", false);
  if (status === 429 || status === 503) return { kind: "busy", message, retryAfter };
  if (status >= 400 && status < 500) return { kind: "refused", status, message };
  if (status === 500 && isJson) return doubtful("function", true);
  if (status >= 500) return { kind: "lost", failure: "broken", message: `status ${status}`, ran: true };
  return answerless(`status ${status} is no answer`);
}

function answerless(message: string): Verdict {
  return { kind: "doubtful", failure: "answer", message, ran: true };
}

function isValidJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The message of an error as firefly writes it, `{"error": "Class: message"}`. */
function messageIn(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === "string" ? cleaned(error, 500) : undefined;
  } catch {
    return undefined;
  }
}

/** A worker's text in a message or a log: no control characters, and not too long. */
function cleaned(text: string, most: number): string {
  const plain = text.replace(/\p{C}+/gu, " ").trim();
  return shortened(plain, most);
}
