import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from "fastify";
import { anyone, type Caller, mayAct, type Role } from "../access/roles.ts";
import { openSession } from "../access/session.ts";
import type { TokenStore } from "../access/store.ts";
import type { TokenEntry } from "../access/tokens.ts";
import { HttpError } from "./errors.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Who may ask: every route says it. `public` needs no token, also where the host has some. */
    role?: Role | "public";
    /** Everybody may ask, whatever the role, where the host has no tokens. */
    openWithoutTokens?: boolean;
  }
  interface FastifyRequest {
    /** Who asks; {@link anyone} on public routes and on hosts without tokens. */
    caller: Caller;
  }
}

/** By what a frontend recognizes its callers. */
export interface Access {
  /** Absent on a host without tokens: everybody may read and predict, nobody may change anything. */
  tokens: TokenStore | undefined;
  /** Seals the sessions of browsers; the same in all processes of a host's frontend. */
  sessionKey: Uint8Array;
}

export const SESSION_COOKIE = "slipway-session";

/**
 * Lets requests pass by the role that their route declares (`config.role`), before their bodies are read. A route that declares none is a
 * mistake that does not start. What reads credentials is here alone: a bearer token, or the session of a browser that logged in.
 */
export function requireRoles(app: FastifyInstance, access: Access): void {
  app.decorateRequest("caller", {
    getter() {
      return (this as Recognized)[recognized] ?? anyone;
    },
  });
  app.addHook("onRoute", (route) => {
    const { method, url, config } = route;
    const needed = config?.role;
    if (needed === undefined && method !== "OPTIONS") throw new Error(`${method} ${url} declares no role`);
    if (needed === undefined || needed === "public") return;
    if (!access.tokens && (config?.openWithoutTokens || mayAct(anyone.role, needed))) return;
    const recognize: onRequestHookHandler = (request, reply, done) => {
      try {
        (request as Recognized)[recognized] = requireCaller(request, reply, needed, access);
        done();
      } catch (error) {
        done(error as Error);
      }
    };
    // before what the route itself looks at
    route.onRequest = [recognize, ...[route.onRequest ?? []].flat()];
  });
}

/** Where a request has its caller; a getter costs nothing where nobody asks. */
const recognized = Symbol("caller");
type Recognized = FastifyRequest & { [recognized]?: Caller };

/** The caller, if it may what the role may. Throws HttpError 401, 403. */
function requireCaller(request: FastifyRequest, reply: FastifyReply, needed: Role, access: Access): Caller {
  try {
    const presented = request.headers.authorization !== undefined;
    const find = (tokens: TokenStore) => entryOfRequest(request, tokens, access.sessionKey);
    return callerWith(access, find, presented, needed);
  } catch (error) {
    if (error instanceof HttpError && error.statusCode === 401) {
      const invalid = error.code === "TOKEN_INVALID" ? ', error="invalid_token"' : "";
      reply.header("www-authenticate", `Bearer realm="slipway"${invalid}`);
    }
    throw error;
  }
}

/**
 * Who asks, if it may what the role may, in whatever protocol.
 * @param presented whether credentials were shown at all
 * @throws HttpError 401, 403
 */
export function callerWith(
  { tokens }: Pick<Access, "tokens">,
  find: (tokens: TokenStore) => TokenEntry | undefined,
  presented: boolean,
  needed: Role,
): Caller {
  if (!tokens) {
    if (mayAct(anyone.role, needed)) return anyone;
    throw new HttpError(403, "TOKENS_ABSENT", `this needs the role ${needed}, and this host has no tokens`);
  }
  const entry = find(tokens);
  if (!entry) {
    throw presented
      ? new HttpError(401, "TOKEN_INVALID", "the token is unknown or has expired")
      : new HttpError(401, "TOKEN_NEEDED", `this needs a token of the role ${needed}`);
  }
  if (!mayAct(entry.role, needed)) {
    throw new HttpError(403, "ROLE_NEEDED", `this needs the role ${needed}; "${entry.name}" has ${entry.role}`);
  }
  return { name: entry.name, role: entry.role };
}

/** The entry of an `Authorization` header's bearer token. */
export function entryOfBearer(authorization: string, tokens: TokenStore): TokenEntry | undefined {
  const token = /^bearer +(\S+)$/i.exec(authorization)?.[1];
  return token === undefined ? undefined : tokens.find(token);
}

function entryOfRequest(request: FastifyRequest, tokens: TokenStore, key: Uint8Array): TokenEntry | undefined {
  const { authorization } = request.headers;
  if (authorization !== undefined) return entryOfBearer(authorization, tokens);
  const session = sessionOf(request);
  const entry = session === undefined ? undefined : openSession(session, tokens, key);
  if (entry && !isSafe(request.method)) requireSameOrigin(request);
  return entry;
}

/** The session that a browser sent. */
export function sessionOf({ headers: { cookie } }: FastifyRequest): string | undefined {
  for (const part of cookie?.split(";") ?? []) {
    const [name, value] = part.trim().split("=", 2);
    if (name === SESSION_COOKIE) return value;
  }
  return undefined;
}

function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD" || method === "OPTIONS";
}

/** A browser acts for its user only from our own pages. Programs, which send neither header, are no browsers. Throws HttpError 403. */
export function requireSameOrigin({ headers, host }: FastifyRequest): void {
  const site = headers["sec-fetch-site"];
  const { origin } = headers;
  const same =
    site === undefined ? origin === undefined || hostIn(origin) === host : site === "same-origin" || site === "none";
  if (!same) throw new HttpError(403, "ORIGIN_FOREIGN", "this was sent by a page of another site");
}

function hostIn(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
