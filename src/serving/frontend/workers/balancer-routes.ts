import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { modelCountsIn } from "../../metrics/counters.ts";
import { inventoryOf } from "../../workers/inventory.ts";
import type { Workers } from "../../workers/workers.ts";
import type { Hub } from "../processes/hub.ts";

const report = z.object({
  uptime: z.number().describe("seconds"),
  requests: z.record(z.string(), z.record(z.string(), z.int())).describe("by model and worker"),
  Alive_info: z.record(z.string(), z.looseObject({ state: z.string() })).describe("by worker"),
  capacity: z.number().describe("percent of the workers that can answer"),
});
const schema = {
  summary: "Whether some worker can answer, for a load balancer",
  tags: ["health and identity"],
  response: { 200: report, 503: report.extend({ error: z.object({ code: z.string(), message: z.string() }) }) },
};

/** `GET /elb-healthcheck`, as the source system has it: 200 while some worker can answer, else 503. */
export function balancerRoutes(app: FastifyInstance, workers: Workers, hub: Hub): void {
  app.get("/elb-healthcheck", { config: { role: "public" }, schema }, async (request, reply) => {
    const views = inventoryOf(workers);
    const able = views.filter(({ state, models }) => state === "passing" && models.length > 0);
    const requests: Record<string, Record<string, number>> = {};
    for (const { model, worker, ok, failed } of modelCountsIn(await hub.figures())) {
      const ofModel = requests[model] ?? {};
      requests[model] = ofModel;
      ofModel[worker] = (ofModel[worker] ?? 0) + ok + failed;
    }
    const answer = {
      uptime: Math.floor(process.uptime()),
      requests,
      Alive_info: Object.fromEntries(
        views.map(({ id, state, since, firstPass, lastPass, firstFail, lastFail, failures }) => [
          id,
          { state, since, firstPass, lastPass, firstFail, lastFail, fail_count: failures ?? 0 },
        ]),
      ),
      capacity: views.length === 0 ? 0 : Math.round((100 * able.length) / views.length),
    };
    if (able.length > 0) return answer;
    // why they are in that state is for who may look at workers: it names addresses and files
    const reasons = views.slice(0, 10).map(({ id, state }) => `${id} is ${state}`);
    const message = `no worker can answer: ${reasons.join("; ") || "none is registered"}`;
    return reply
      .code(503)
      .header("retry-after", 1)
      .send({ error: { code: "WORKERS_UNAVAILABLE", message, requestId: request.id }, ...answer });
  });
}
