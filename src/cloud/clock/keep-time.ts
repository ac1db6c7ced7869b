import type { FastifyInstance } from "fastify";
import { byClock, type Clock } from "./clock.ts";

/** All requests of an application are worked on by this clock: from their begin, and again once their bodies are read, in another context. */
export function keepTime(app: FastifyInstance, clock: Clock): void {
  app.addHook("onRequest", (_request, _reply, done) => byClock(clock, done));
  app.addHook("preValidation", (_request, _reply, done) => byClock(clock, done));
}
