import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { modelCountsIn } from "../../metrics/counters.ts";
import { EXPOSITION_TYPE, expositionOf } from "../../metrics/exposition.ts";
import { response } from "../openapi/openapi.ts";
import type { Hub } from "../processes/hub.ts";

const tags = ["figures"];
const count = z.int().min(0);
const schemas = {
  metrics: {
    summary: "The host's figures in Prometheus' text format",
    tags,
    response: { 200: response("version 0.0.4", "text/plain") },
  },
  counters: {
    summary: "What became of the predictions, by model and runtime, since the host was made",
    tags,
    response: {
      200: z.object({
        counters: z.array(
          z.object({
            model: z.string(),
            version: z.string(),
            worker: z.string(),
            ok: count.describe("requests that were answered"),
            failed: count,
            rows: count.describe("rows that were answered"),
            milliseconds: z.number().min(0).describe("from asking to the answer or the failure, all together"),
          }),
        ),
      }),
    },
  },
};

/** `GET /metrics` and `GET /v1/counters`: of all the frontend's processes, whichever answers. */
export function figureRoutes(app: FastifyInstance, hub: Hub): void {
  app.get("/metrics", { config: { role: "read" }, schema: schemas.metrics }, async (_request, reply) =>
    reply.type(EXPOSITION_TYPE).send(expositionOf(await hub.figures())),
  );

  app.get("/v1/counters", { config: { role: "admin" }, schema: schemas.counters }, async () => ({
    counters: modelCountsIn(await hub.figures()),
  }));
}
