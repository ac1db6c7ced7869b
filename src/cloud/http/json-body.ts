import type { FastifyInstance } from "fastify";
import { hasBody } from "./patience.ts";

/** A body that is no JSON, or none that anybody means. */
export class MalformedBody extends Error {
  override readonly name = "MalformedBody";
}

/** Deeper than any request of any service; what is deeper still would end the stack of whoever walks through it. */
const deepest = 64;

/** Parses bodies of this type as JSON; an empty body is none: clients send DELETE with a content type and nothing else. */
export function acceptJson(app: FastifyInstance, contentType: string | RegExp): void {
  app.addContentTypeParser(contentType, { parseAs: "string" }, (_request, text, done) => {
    if (text.length === 0) return done(null, undefined);
    try {
      if (depthOf(String(text)) > deepest) throw new MalformedBody();
      done(null, JSON.parse(String(text)));
    } catch {
      done(new MalformedBody("Malformed request body"), undefined);
    }
  });
}

/** How deep a JSON text's lists and objects lie in each other. */
function depthOf(text: string): number {
  let [depth, max, isQuoted] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') isQuoted = !isQuoted;
    else if (isQuoted)
      at += character === "\\" ? 1 : 0; // and what it escapes
    else if (character === "[" || character === "{") max = Math.max(max, ++depth);
    else if (character === "]" || character === "}") depth--;
  }
  return max;
}

/** Makes a service read bodies of these types as JSON, and those of none, and refuse others. */
export function readJson(service: FastifyInstance, types: string[]): void {
  service.removeAllContentTypeParsers();
  service.addHook("onRequest", async ({ headers }) => {
    if (hasBody({ headers })) headers["content-type"] ||= "application/json";
  });
  for (const type of types) acceptJson(service, type);
}
