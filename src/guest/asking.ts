import { causeOf } from "./source.ts";

const REQUEST_MS = 15_000;
/** Answers after which asking again makes sense: the frontend is full, a runtime just away. */
const passingStatuses = [429, 503];

/** An answer that tells of a failure, or none at all. */
export class NotAnswered extends Error {
  override readonly name = "NotAnswered";
  /** Whether asking again later makes sense. */
  readonly passing: boolean;

  constructor(reason: string, passing: boolean) {
    super(reason);
    this.passing = passing;
  }
}

/** Answers the JSON that a GET, or with `body` a POST, answers. Rejects with {@link NotAnswered}. */
export type Ask = (url: string, body?: unknown) => Promise<unknown>;

/** @param token of the host itself; undefined where its frontend demands none */
export function askingAs(token: string | undefined): Ask {
  const credentials = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return async (url, body) => {
    let status: number;
    let text: string;
    try {
      const answer = await fetch(url, {
        signal: AbortSignal.timeout(REQUEST_MS),
        headers: { ...credentials, ...(body === undefined ? {} : { "content-type": "application/json" }) },
        ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      });
      status = answer.status;
      text = await answer.text();
    } catch (error) {
      throw new NotAnswered(`${url} does not answer: ${causeOf(error)}`, true);
    }
    if (status < 200 || status > 299) {
      throw new NotAnswered(`${url} answers ${status}: ${text.slice(0, 300)}`, passingStatuses.includes(status));
    }
    return JSON.parse(text);
  };
}
