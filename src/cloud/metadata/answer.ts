import { escaped, webobPage } from "../http/pages.ts";
import { reasonPhrase } from "../http/reasons.ts";
import type { Instance } from "./instance.ts";
import { lookUp } from "./look-up.ts";
import { pathWords, UnreadablePath } from "./path.ts";

/** A guest's request. */
export interface MetadataRequest {
  method: string;
  /** As it was sent: path and query. */
  target: string;
  /** Its `Accept`, by which refusals are told. */
  accept: string | undefined;
  /** Its body, no more of it than {@link bodyLimit}. */
  body: Uint8Array;
}

export interface MetadataAnswer {
  status: number;
  type?: string;
  content: string | Uint8Array;
}

/** A server as the service knows it, and what it lets its guest write. */
export interface Asker {
  instance: Instance;
  /** Keeps the password that the guest chose; whoever has the server's private key reads it. */
  keepPassword(text: string): void;
}

/** Bytes that a password may have, encrypted for its owner: 6 kbit of RSA in Base64. */
const longestPassword = 1020;

/** As much of a body is worth reading: a longer one is refused anyway. */
export const bodyLimit = longestPassword + 1;

/** Bytes of a request's line with its end, over which it is refused unread. */
const longestLine = 8192;

/** What the agent and Nova say of each refusal. */
const explanations = {
  400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
  404: "The resource could not be found.",
  409: "There was a conflict when trying to complete your request.",
  500: "Remote metadata server experienced an internal server error.",
} as const;
const unexpected = "An unknown error has occurred. Please try your request again.";

/** @param asker undefined where the address is no server's: everything is then missing */
export function answerTo(asker: Asker | undefined, request: MetadataRequest): MetadataAnswer {
  const { method, target, accept } = request;
  if (`${method} ${target} HTTP/1.1\r\n`.length >= longestLine) return { status: 414, content: "" };
  if (asker === undefined) return refusal(404, accept);
  let words: string[];
  try {
    words = pathWords(target);
  } catch (error) {
    if (error instanceof UnreadablePath) return refusal(500, accept, unexpected);
    throw error;
  }
  const found = lookUp(asker.instance, words);
  if (found === "missing") return refusal(404, accept);
  if (found === "broken") return refusal(500, accept);
  if (found === "password") return password(asker, request);
  const type = found.type === "text/plain" ? "text/plain; charset=UTF-8" : found.type;
  return { status: 200, type, content: found.content }; // whatever the method, as with Nova
}

/** Read as often as wanted, written once: until its owner clears it by Nova's `os-server-password`. */
function password({ instance, keepPassword }: Asker, { method, accept, body }: MetadataRequest): MetadataAnswer {
  const type = "text/html; charset=UTF-8";
  const kept = instance.server.encryptedPassword ?? "";
  if (method === "GET") return { status: 200, type, content: kept };
  if (method !== "POST") return refusal(400, accept);
  if (kept !== "") return refusal(409, accept);
  if (body.length > longestPassword) return refusal(400, accept);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return refusal(500, accept);
  }
  keepPassword(text);
  return { status: 200, type, content: "" };
}

/** In the form that the client takes, as WebOb chooses it. */
function refusal(status: keyof typeof explanations, accept = "", words: string = explanations[status]): MetadataAnswer {
  const title = reasonPhrase[status] ?? "";
  if (/html|\*\/\*|text\/\*/.test(accept)) {
    return { status, type: "text/html; charset=UTF-8", content: webobPage(status, words) };
  }
  if (accept.includes("application/json")) {
    const message = `${escaped(words)}<br /><br />\n\n\n`;
    return {
      status,
      type: "application/json",
      content: JSON.stringify({ message, code: `${status} ${title}`, title }),
    };
  }
  return { status, type: "text/plain; charset=UTF-8", content: `${status} ${title}\n\n${words}\n\n   ` };
}
