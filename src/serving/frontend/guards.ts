import type { IncomingMessage } from "node:http";
import cors from "@fastify/cors";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { anyone } from "../access/roles.ts";
import type { FrontendSettings, RateLimit } from "./config.ts";
import { HttpError } from "./errors.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The body may take longer than other requests' to arrive; the handler watches over it. */
    streamed?: true;
    /** How often one caller may ask for this route. */
    rateLimit?: RateLimit;
  }
}

const SECURITY_HEADERS = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
  "cross-origin-resource-policy": "same-origin",
};

/** On every answer: the request's id, and what browsers may not do with it. */
export function giveHeaders(app: FastifyInstance, { corsOrigins }: FrontendSettings): void {
  const { "cross-origin-resource-policy": policy, ...others } = SECURITY_HEADERS;
  const headers = corsOrigins.length === 0 ? { ...others, "cross-origin-resource-policy": policy } : others;
  app.addHook("onRequest", (request, reply, done) => {
    reply.headers(headers).header("x-request-id", request.id);
    done();
  });
  if (corsOrigins.length > 0) {
    app.register(cors, {
      origin: corsOrigins,
      allowedHeaders: ["authorization", "content-type", "idempotency-key", "x-request-id"],
      exposedHeaders: ["x-request-id", "retry-after", "location"],
      maxAge: 600,
    });
  }
}

/** Counts a caller's request; the processes of a frontend count together. */
export type CountHit = (key: string, windowMs: number) => Promise<{ current: number; ttl: number }>;

/** Bounds how often a caller (a token, else an address) asks: by the route's own bound, else by the host's. */
export function boundRates(app: FastifyInstance, { rateLimit }: FrontendSettings, countHit: CountHit): void {
  app.addHook("onRoute", (route) => {
    const own = route.config?.rateLimit;
    const bound = own ?? (route.config?.role === "public" ? undefined : rateLimit);
    if (!bound) return;
    // the caller is known by then, and the body is not read yet
    route.preParsing = [
      async ({ caller, ip }: FastifyRequest) => {
        const who = caller === anyone ? ip : `token ${caller.name}`;
        const { current, ttl } = await countHit(`${own ? route.url : ""} ${who}`, bound.seconds * 1000);
        if (current > bound.requests) {
          throw new HttpError(429, "RATE_LIMITED", "too many requests", Math.max(1, Math.ceil(ttl / 1000)));
        }
      },
      ...[route.preParsing ?? []].flat(),
    ];
  });
}

const RETRY_AFTER_S = 1;

/** Counts the requests under way, and refuses those that are too many. Probes are answered always: a busy host is not a dead one. */
export function boundRequestsInFlight(
  app: FastifyInstance,
  { requestsInFlight }: FrontendSettings,
): { count: () => number } {
  let count = 0;
  app.addHook("onRequest", ({ routeOptions }, reply, done) => {
    count++;
    // `close` comes after an answer and after a caller that went away alike
    reply.raw.once("close", () => {
      count--;
    });
    const refused = count > requestsInFlight && routeOptions.config.role !== "public";
    done(refused ? new HttpError(503, "OVERLOADED", `${count - 1} requests are under way`, RETRY_AFTER_S) : undefined);
  });
  return { count: () => count };
}

/**
 * Cuts off who takes too long to send a body. Node's own bound is the server's and would cut tables that are streamed through, so it is
 * kept for the headers.
 */
export function boundArrival(app: FastifyInstance, { requestTimeoutMs }: FrontendSettings): void {
  const timers = new WeakMap<IncomingMessage, NodeJS.Timeout>();
  app.addHook("preParsing", (request, reply, payload, done) => {
    if (!request.raw.complete && request.routeOptions.config.streamed === undefined) {
      const late = () => {
        const seconds = requestTimeoutMs / 1000;
        reply.header("connection", "close");
        reply.send(new HttpError(408, "REQUEST_TIMEOUT", `the body did not arrive within ${seconds} s`));
      };
      const timer = setTimeout(late, requestTimeoutMs);
      timers.set(request.raw, timer);
      request.raw.once("close", () => clearTimeout(timer));
    }
    done(null, payload);
  });
  app.addHook("preValidation", ({ raw }, _reply, done) => {
    clearTimeout(timers.get(raw));
    done();
  });
}
