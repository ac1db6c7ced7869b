import { OpenStackError } from "./errors.ts";
import type { RawAnswer } from "./transport.ts";

/** An answer with an expected status. */
export interface Answer<T = unknown> extends RawAnswer {
  /** The JSON body; undefined where the answer is not JSON. */
  body: T;
  requestId: string | undefined;
}

const expectedStatuses: Record<string, number[]> = {
  GET: [200],
  HEAD: [200, 204],
  POST: [200, 201, 202],
  PUT: [200, 201, 202],
  PATCH: [200, 202, 204],
  DELETE: [200, 202, 204],
};

/**
 * The answer with its body read.
 * @param expect the statuses that are success; by default those that gophercloud expects of the method
 * @throws OpenStackError for another status, and for JSON that is none
 */
export function judged<T>(answer: RawAnswer, expect = expectedStatuses[answer.method] ?? [200]): Answer<T> {
  if (!expect.includes(answer.status)) throw refusal(answer, answer.bytes.toString("utf8"));
  return { ...answer, body: jsonOf(answer) as T, requestId: requestIdOf(answer) };
}

/**
 * The named member of an answer's body.
 * @throws OpenStackError where the answer has no such member: another service's, a proxy's page
 */
export function memberOf<T>(answer: Answer, name: string): T {
  const member = (answer.body as Record<string, T> | null | undefined)?.[name];
  if (member === undefined || member === null) throw refusal(answer, `the answer has no "${name}"`);
  return member;
}

/** An answer that is no success; `why` is its body, or what is wrong with it. */
export function refusal(answer: RawAnswer, why: string): OpenStackError {
  const { status, method, url, headers } = answer;
  const requestId = requestIdOf(answer);
  const retryAfter = secondsOf(headers["retry-after"]);
  return new OpenStackError({
    status,
    method,
    url: url.href,
    body: why,
    ...(requestId === undefined ? {} : { requestId }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

function jsonOf(answer: RawAnswer): unknown {
  const { headers, bytes } = answer;
  if (bytes.length === 0 || !(headers["content-type"] ?? "").includes("application/json")) return undefined;
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw refusal(answer, "the answer says that it is JSON and is not"); // the parser's own message quotes the body's first bytes only
  }
}

/** The id under which the cloud's operators find a call in their logs. */
export function requestIdOf({ headers }: RawAnswer): string | undefined {
  return headers["x-openstack-request-id"] ?? headers["x-compute-request-id"] ?? headers["x-trans-id"];
}

/** `Retry-After` as seconds or as an HTTP date. */
function secondsOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - Date.now()) / 1000);
}
