import type { FastifyInstance } from "fastify";
import type { Histogram, Meter } from "../metrics/meter.ts";

/** In seconds; a prediction of a small network is answered within the first. */
const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counts the requests and how long their answers took, by route and status; `aborted` where the caller went away. */
export function meterRequests(app: FastifyInstance, meter: Meter, inFlight: () => number): void {
  const seconds = meter.histogram({
    name: "slipway_http_request_seconds",
    help: "Time from a request's headers to the end of its answer.",
    labels: ["method", "route", "status"],
    buckets: LATENCY_BUCKETS,
  });
  meter.gauge(
    { name: "slipway_http_requests_in_flight", help: "Requests that are being answered.", labels: [] },
    () => [{ labels: [], value: inFlight() }],
  );
  const known = new Map<string, Histogram>();
  app.addHook("onResponse", ({ method, routeOptions: { url = "none" } }, reply, done) => {
    const status = reply.raw.writableFinished ? String(reply.statusCode) : "aborted";
    const key = `${status} ${method} ${url}`;
    let histogram = known.get(key);
    if (!histogram) {
      histogram = seconds(method, url, status);
      known.set(key, histogram);
    }
    histogram.observe(reply.elapsedTime / 1000);
    done();
  });
}
