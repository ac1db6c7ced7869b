import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { modelIdentity } from "../answers.ts";
import type { FrontendContext } from "../context.ts";
import { trialTerms } from "../trials/trial-figures.ts";

const tensor = z.object({
  name: z.string(),
  datatype: z.string(),
  shape: z.array(z.int()).describe("-1 where any length is taken"),
});
const schema = {
  summary: "The models that serve, and what they take and answer",
  tags: ["predictions"],
  response: {
    200: z.object({
      models: z.array(
        modelIdentity.extend({
          live: z.boolean().describe("whether it answers requests that name no version"),
          default: z.boolean().describe("whether it answers requests that name no model"),
          trial: trialTerms.optional().describe("where it is tried beside the live version"),
          platform: z.enum(["onnx", "function"]),
          inputs: z.array(tensor),
          outputs: z.array(tensor),
          columns: z.array(z.string()).optional().describe("the names of a row's numbers, where they are known"),
        }),
      ),
    }),
  },
};

/** `GET /v1/models`. */
export function modelRoutes(app: FastifyInstance, { router }: Pick<FrontendContext, "router">): void {
  app.get("/v1/models", { config: { role: "read" }, schema }, async () => ({
    models: router.models.map(({ model, card, live, default: standard, trial }) => {
      const { platform, inputs, outputs, rows } = card;
      return { ...model, live, default: standard, trial, platform, inputs, outputs, columns: rows?.input.columns };
    }),
  }));
}
