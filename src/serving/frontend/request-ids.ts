import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Ids that others gave: what a log line can hold without harm. */
const SANE = /^[\w.:+/=@-]{1,128}$/;

/** Tells this process's ids from those of others. */
const PROCESS = randomBytes(8).toString("hex");
let last = 0;

/** The caller's own `X-Request-Id` where it is sane, else a new one. */
export function requestIdOf({ headers }: Pick<IncomingMessage, "headers">): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && SANE.test(given) ? given : `${PROCESS}-${(++last).toString(36)}`;
}
