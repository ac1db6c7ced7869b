import { SlipwayError } from "../common/errors.ts";

/** An answer of the cloud that is not what the call expects. Message: method, URL, status, the cloud's own words, request id. */
export class OpenStackError extends Error {
  override readonly name = "OpenStackError";
  readonly status: number;
  readonly method: string;
  readonly url: string;
  /** The answer's body, as text. */
  readonly body: string;
  readonly requestId: string | undefined;
  /** Seconds, from `Retry-After`. */
  readonly retryAfter: number | undefined;

  constructor(answer: {
    status: number;
    method: string;
    url: string;
    body: string;
    requestId?: string;
    retryAfter?: number;
  }) {
    const id = answer.requestId === undefined ? "" : ` (${answer.requestId})`;
    super(`${answer.method} ${answer.url} answered ${answer.status}: ${faultText(answer.body)}${id}`);
    this.status = answer.status;
    this.method = answer.method;
    this.url = answer.url;
    this.body = answer.body;
    this.requestId = answer.requestId;
    this.retryAfter = answer.retryAfter;
  }
}

/** The user's view of an answer that nobody on the way up knew what to do with. */
export function refusedByCloud(error: OpenStackError): SlipwayError {
  return new SlipwayError("E_CLOUD_API", error.message, {
    hint: "Run the command again when that is mended; the cloud's operators need the request id.",
    cause: error,
    ...(error.requestId === undefined ? {} : { requestId: error.requestId }),
  });
}

/** The human part of an error body: Nova wraps `{<kind>: {message}}`, Neutron `{NeutronError: {message}}`, Keystone `{error: {message}}`; Octavia has `faultstring`, Barbican `description`. */
export function faultText(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null) {
      for (const value of [parsed, ...Object.values(parsed)]) {
        const message = wordsOf(value);
        if (message !== undefined) return message;
      }
    }
  } catch {
    // not JSON: proxies and WSGI servers answer plain text or HTML
  }
  return body
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 300);
}

function wordsOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { message, faultstring, title, description } = value as Record<string, unknown>;
  const words = message ?? faultstring ?? (title === undefined ? undefined : description);
  return typeof words === "string" ? words : undefined;
}
