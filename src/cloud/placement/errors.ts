import type { ApiError } from "../http/api-error.ts";
import { reasonPhrase } from "../http/reasons.ts";

/** What webob says before a refusal's own words. */
const preambles: Record<number, string> = {
  400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
  403: "Access was denied to this resource.",
  404: "The resource could not be found.",
  405: "The method is not allowed for this resource. ",
  406: "The resource could not be generated that was acceptable to your browser (content of type application/json. ",
};

/** Placement's form of refusals: a list of one error. */
export function placementBody(error: ApiError, requestId: string, more: Record<string, unknown> = {}): unknown {
  const preamble = preambles[error.status];
  const words = preamble === error.message ? "" : error.message;
  const spaced = error.status === 406 ? words : ` ${words}  `.replace(/^ {2,}$/, "   ");
  return {
    errors: [
      {
        status: error.status,
        title: reasonPhrase[error.status] ?? "Error",
        detail: preamble === undefined ? error.message : `${preamble}\n\n${error.status === 406 ? " " : ""}${spaced}`,
        ...(error.status === 406 ? {} : { code: "placement.undefined_code" }),
        request_id: requestId,
        ...more,
      },
    ],
  };
}
