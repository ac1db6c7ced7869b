import type { FastifyInstance } from "fastify";
import { CANARY_HEADER } from "../../canary-header.ts";
import { infer } from "../../inference/infer.ts";
import { configOf } from "../../inference/model-config.ts";
import { EXTENSIONS, metadataOf, requireServed } from "../../inference/served.ts";
import { computeStats, inferenceStats, statisticsOf } from "../../inference/statistics.ts";
import type { FrontendContext } from "../context.ts";
import { idempotencyKeyOf } from "../idempotency.ts";
import type { Hub } from "../processes/hub.ts";
import { trialChoiceOf } from "../trials/choice.ts";
import { writeInferAnswer } from "./infer-answer.ts";
import { JSON_LENGTH_HEADER, readInferBody } from "./infer-body.ts";
import { takeRawBodies } from "./raw-bodies.ts";
import { repositoryRoutes } from "./repository-routes.ts";
import { schemas } from "./schemas.ts";

/** What the protocol's routes work with. */
export interface V2Options {
  context: FrontendContext;
  hub: Pick<Hub, "figures">;
  /** Bytes of a request for inference. */
  inferBodyBytes: number;
}

interface ModelParams {
  name: string;
  version?: string;
}

const reads = { role: "read" } as const;

/**
 * The Open Inference Protocol (KServe v2) over REST, with Triton's extensions for binary tensors, classification, the model repository,
 * statistics and configurations: docs/reference/inference-protocol.md.
 */
export function v2Routes(app: FastifyInstance, options: V2Options): void {
  app.register(async (scope) => {
    takeRawBodies(scope);
    describingRoutes(scope, options);
    inferRoutes(scope, options);
    repositoryRoutes(scope, options.context);
  });
}

function describingRoutes(app: FastifyInstance, { context, hub }: V2Options): void {
  const { router, config } = context;
  const stats = async (name?: string, version?: string) => ({
    model_stats: statisticsOf(router, await hub.figures(), name, version).map((one) => ({
      name: one.name,
      version: one.version,
      last_inference: one.lastInference,
      inference_count: one.inferences,
      execution_count: one.executions,
      inference_stats: inferenceStats(one),
      batch_stats: one.batches.map(({ rows, compute }) => ({ batch_size: rows, ...computeStats(compute) })),
    })),
  });
  app.get("/v2", { config: reads, schema: schemas.server }, () => ({
    name: "slipway",
    version: config.payload,
    extensions: EXTENSIONS,
  }));
  app.get("/v2/models/stats", { config: reads, schema: schemas.stats }, () => stats());
  for (const path of paths) {
    app.get<{ Params: ModelParams }>(path, { config: reads, schema: schemas.model }, ({ params }) =>
      metadataOf(router, requireServed(router, params.name, params.version)),
    );
    app.get<{ Params: ModelParams }>(`${path}/ready`, { config: reads, schema: schemas.modelReady }, ({ params }) => ({
      name: requireServed(router, params.name, params.version).model.name,
      ready: true,
    }));
    app.get<{ Params: ModelParams }>(`${path}/config`, { config: reads, schema: schemas.config }, ({ params }) => {
      const { maxBatchSize, input, output, ...rest } = configOf(
        context,
        requireServed(router, params.name, params.version),
      );
      const tensors = (list: typeof input) =>
        list.map(({ name, dataType, dims }) => ({ name, data_type: dataType.name, dims }));
      return { ...rest, max_batch_size: maxBatchSize, input: tensors(input), output: tensors(output) };
    });
    app.get<{ Params: ModelParams }>(`${path}/stats`, { config: reads, schema: schemas.stats }, ({ params }) =>
      stats(params.name, params.version),
    );
  }
}

function inferRoutes(app: FastifyInstance, { context, inferBodyBytes }: V2Options): void {
  const options = { bodyLimit: inferBodyBytes, config: { role: "predict" }, schema: schemas.infer } as const;
  for (const path of paths) {
    app.post<{ Params: ModelParams; Body: Buffer | undefined }>(
      `${path}/infer`,
      options,
      async ({ params, body, headers }, reply) => {
        const served = requireServed(context.router, params.name, params.version);
        const header = headers[JSON_LENGTH_HEADER] as string | undefined;
        const question = readInferBody(body ?? Buffer.alloc(0), header, served.card);
        const trial = params.version === undefined ? trialChoiceOf(headers[CANARY_HEADER]) : undefined;
        const asked = infer(context, served, { ...question, key: idempotencyKeyOf({ headers }) }, trial);
        const answer = writeInferAnswer(await asked, question.binaryOutputs);
        if (answer.jsonLength === undefined) return reply.type("application/json").send(answer.body);
        return reply.header(JSON_LENGTH_HEADER, answer.jsonLength).type("application/octet-stream").send(answer.body);
      },
    );
  }
}

const paths = ["/v2/models/:name", "/v2/models/:name/versions/:version"];
