import cors from "@fastify/cors";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { anyone } from "../access/roles.ts";
import { CANARY_HEADER } from "../canary-header.ts";
import type { FrontendSettings, RateLimit } from "./config.ts";
import { HttpError } from "./errors.ts";
import { MODEL_HEADER } from "./predictions/model-header.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** How often one caller may ask for this route. */
    rateLimit?: RateLimit;
  }
}

/** Pages' scripts of these origins may ask. */
export function allowOrigins(app: FastifyInstance, { corsOrigins }: FrontendSettings): void {
  if (corsOrigins.length === 0) return;
  app.register(cors, {
    origin: corsOrigins,
    allowedHeaders: ["authorization", "content-type", "idempotency-key", "x-request-id", CANARY_HEADER],
    exposedHeaders: ["x-request-id", "retry-after", "location", MODEL_HEADER],
    maxAge: 600,
  });
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
