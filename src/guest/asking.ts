import { request as httpRequest } from "node:http";
import { bearer } from "../common/bearer.ts";
import { causeOf } from "../common/errors.ts";
import { liveVersionOnly } from "../serving/canary-header.ts";

const REQUEST_MS = 15_000;
/** Answers after which asking again makes sense: the frontend is full, a runtime just away. */
const passingStatuses = [429, 503];

/** An answer that tells of a failure, or none at all. */
export class NotAnswered extends Error {
  override readonly name = "NotAnswered";
  /** Whether asking again later makes sense. */
  readonly passing: boolean;
  /** Of the answer, where there is one. */
  readonly status: number | undefined;

  constructor(reason: string, passing: boolean, status?: number) {
    super(reason);
    this.passing = passing;
    this.status = status;
  }
}

/** Answers the JSON that a GET, or with `body` a POST, answers. Rejects with {@link NotAnswered}. */
export type Ask = (url: string, body?: unknown) => Promise<unknown>;

/**
 * What is asked without naming a version, the live one answers: a host knows what that must answer.
 * @param token of the host itself; undefined where its frontend demands none
 * @param socket path of the unix socket where it is asked, whatever the URL's host
 */
export function askingAs(token: string | undefined, socket?: string): Ask {
  const credentials = bearer(token);
  return async (url, body) => {
    let answer: Answer;
    try {
      answer = await answerOf(url, socket, {
        headers: {
          ...credentials,
          ...(body === undefined ? {} : { ...liveVersionOnly, "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw new NotAnswered(`${url} does not answer: ${causeOf(error)}`, true);
    }
    const { status, text } = answer;
    if (status < 200 || status > 299) {
      throw new NotAnswered(
        `${url} answers ${status}: ${text.slice(0, 300)}`,
        passingStatuses.includes(status),
        status,
      );
    }
    return JSON.parse(text);
  };
}

interface Answer {
  status: number;
  text: string;
}

interface Asked {
  headers?: Record<string, string>;
  method?: string;
  body?: string;
}

/** The answer at a URL, or at a unix socket in place of its host. */
export async function answerOf(url: string, socket: string | undefined, asked: Asked = {}): Promise<Answer> {
  const signal = AbortSignal.timeout(REQUEST_MS);
  if (socket !== undefined) return answerAt(socket, url, { ...asked, signal });
  const answer = await fetch(url, { ...asked, signal });
  return { status: answer.status, text: await answer.text() };
}

function answerAt(
  socketPath: string,
  url: string,
  { body, ...options }: Asked & { signal: AbortSignal },
): Promise<Answer> {
  const { pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    // a connection that stays would keep the frontend from ending its socket
    const request = httpRequest({ ...options, socketPath, path: `${pathname}${search}`, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer
        .on("data", (chunk: Buffer) => chunks.push(chunk))
        .on("error", reject)
        .on("end", () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    request.on("error", reject).end(body);
  });
}
