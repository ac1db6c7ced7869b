import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Histogram, Meter } from "../metrics/meter.ts";
import type { FrontendSettings } from "./config.ts";
import { HttpError } from "./errors.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set while the body is on its way. */
    arriving: Arrival | undefined;
  }
}

interface Arrival {
  reply: FastifyReply;
  /** In `performance.now()`'s milliseconds. */
  since: number;
}

const RETRY_AFTER_S = 1;
/** Between two looks for bodies that are late. */
const LOOK_MS = 100;
/** In seconds; a prediction of a small network is answered within the first. */
const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Watches over each request from its headers to the end of its answer: gives it its id, counts it, refuses those that are too many at a
 * time (probes are answered always: a busy host is not a dead one) and cuts off whose body is late. In one hook, since it is part of
 * every prediction's time. Node's own bound for bodies is the server's and would cut what is streamed, so it is kept for the headers.
 */
export function watchRequests(
  app: FastifyInstance,
  { requestsInFlight, requestTimeoutMs }: FrontendSettings,
  meter: Meter,
): void {
  const finished = finishedRequests(meter);
  const arriving = new Set<Arrival>();
  let inFlight = 0;
  meter.gauge(
    { name: "slipway_http_requests_in_flight", help: "Requests that are being answered.", labels: [] },
    () => [{ labels: [], value: inFlight }],
  );
  app.decorateRequest("arriving", undefined);
  app.addHook("onRequest", (request, reply, done) => {
    const since = performance.now();
    const { raw, routeOptions } = request;
    reply.header("x-request-id", request.id).header("x-content-type-options", "nosniff");
    inFlight++;
    // `close` comes after an answer and after a caller that went away alike
    reply.raw.once("close", () => {
      inFlight--;
      if (request.arriving) arriving.delete(request.arriving);
      finished(request, reply, since);
    });
    const { config } = routeOptions;
    if (inFlight > requestsInFlight && config.role !== "public") {
      return done(new HttpError(503, "OVERLOADED", `${inFlight - 1} requests are under way`, RETRY_AFTER_S));
    }
    const { headers } = raw;
    if ((headers["content-length"] ?? headers["transfer-encoding"]) !== undefined) {
      request.arriving = { reply, since };
      arriving.add(request.arriving);
    }
    done();
  });
  app.addHook("preValidation", (request, _reply, done) => {
    if (request.arriving) arriving.delete(request.arriving);
    done();
  });
  const look = setInterval(() => {
    const late = performance.now() - requestTimeoutMs;
    for (const arrival of arriving) {
      if (arrival.since > late) break; // they are in order
      arriving.delete(arrival);
      arrival.reply.header("connection", "close");
      const seconds = requestTimeoutMs / 1000;
      arrival.reply.send(new HttpError(408, "REQUEST_TIMEOUT", `the body did not arrive within ${seconds} s`));
    }
  }, LOOK_MS).unref();
  app.addHook("onClose", async () => clearInterval(look));
}

/** Counts requests and how long their answers took, by route and status; `aborted` where the caller went away. */
function finishedRequests(meter: Meter): (request: FastifyRequest, reply: FastifyReply, since: number) => void {
  const seconds = meter.histogram({
    name: "slipway_http_request_seconds",
    help: "Time from a request's headers to the end of its answer.",
    labels: ["method", "route", "status"],
    buckets: LATENCY_BUCKETS,
  });
  const known = new Map<string, Histogram>();
  return ({ method, routeOptions: { url = "none" } }, { raw }, since) => {
    const status = raw.writableFinished ? String(raw.statusCode) : "aborted";
    const key = `${status} ${method} ${url}`;
    let histogram = known.get(key);
    if (!histogram) {
      histogram = seconds(method, url, status);
      known.set(key, histogram);
    }
    histogram.observe((performance.now() - since) / 1000);
  };
}
