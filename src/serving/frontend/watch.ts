import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { entryOf } from "../../common/maps.ts";
import { UnderWay } from "../../common/under-way.ts";
import type { Histogram, Meter } from "../metrics/meter.ts";
import type { FrontendSettings } from "./config.ts";
import { HttpError } from "./errors.ts";

/** A request that is not answered yet. */
interface Answering {
  request: FastifyRequest;
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
  const underWay = new UnderWay<Answering>();
  meter.gauge(
    { name: "slipway_http_requests_in_flight", help: "Requests that are being answered.", labels: [] },
    () => [{ labels: [], value: underWay.size }],
  );
  app.addHook("onRequest", (request, reply, done) => {
    const { config, url } = request.routeOptions;
    const one = { request, reply, since: performance.now() };
    reply.header("x-request-id", request.id).header("x-content-type-options", "nosniff");
    const place = underWay.add(one);
    // `close` comes after an answer and after a caller that went away alike
    reply.raw.on("close", () => {
      underWay.leave(place);
      finished(one, config, url);
    });
    if (underWay.size > requestsInFlight && config.role !== "public") {
      return done(new HttpError(503, "OVERLOADED", `${underWay.size - 1} requests are under way`, RETRY_AFTER_S));
    }
    done();
  });
  const look = setInterval(() => {
    const late = performance.now() - requestTimeoutMs;
    for (const { item: one } of underWay.places()) {
      if (one.since > late) break; // they are in order
      if (!isArriving(one)) continue;
      one.reply.header("connection", "close");
      const seconds = requestTimeoutMs / 1000;
      one.reply.send(new HttpError(408, "REQUEST_TIMEOUT", `the body did not arrive within ${seconds} s`));
    }
  }, LOOK_MS).unref();
  app.addHook("onClose", async () => clearInterval(look));
}

/** Whether the body is on its way still and nobody has taken it or answered without it: one that is streamed is its reader's to watch. */
function isArriving({ request, reply }: Answering): boolean {
  return !request.raw.complete && request.body === undefined && !reply.sent && !reply.raw.headersSent;
}

/** Stands for the status of what was never answered. */
const ABORTED = 0;

/** Counts requests and how long their answers took, by route and status; `aborted` where the caller went away. */
function finishedRequests(meter: Meter): (one: Answering, route: object, url: string | undefined) => void {
  const seconds = meter.histogram({
    name: "slipway_http_request_seconds",
    help: "Time from a request's headers to the end of its answer.",
    labels: ["method", "route", "status"],
    buckets: LATENCY_BUCKETS,
  });
  // looked up without a text made for each request
  const known = new WeakMap<object, Map<string, Map<number, Histogram>>>();
  return ({ request: { method }, reply: { raw }, since }, route, url = "none") => {
    const status = raw.writableFinished ? raw.statusCode : ABORTED;
    const byStatus = entryOf(
      entryOf(known, route, () => new Map()),
      method,
      () => new Map(),
    );
    const histogram = entryOf(byStatus, status, () =>
      seconds(method, url, status === ABORTED ? "aborted" : `${status}`),
    );
    histogram.observe((performance.now() - since) / 1000);
  };
}
