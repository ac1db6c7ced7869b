import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import { CANARY_HEADER } from "../../canary-header.ts";
import { modelLimitsOf } from "../../config.ts";
import { decide, takesRows } from "../../models/card.ts";
import { FUNCTION_INPUTS } from "../../models/function/contract.ts";
import type { Answer, TrialChoice } from "../../routing/question.ts";
import { predictRows, type RowModel } from "../../routing/rows.ts";
import { elementsOf, textTensor } from "../../tensors/raw-tensor.ts";
import { MODEL_TYPE, mapOf, merged, workersInMap, workersMapSchema } from "../../workers/map.ts";
import { type HttpWorker, modelIdSchema, type WorkerRegistration } from "../../workers/registration.ts";
import type { Workers } from "../../workers/workers.ts";
import type { FrontendContext } from "../context.ts";
import { HttpError } from "../errors.ts";
import { MODEL_HEADER, modelText } from "../predictions/model-header.ts";
import { requireRows } from "../predictions/rows.ts";
import { describing } from "../schemas.ts";
import { canaryHeader, trialChoiceOf } from "../trials/choice.ts";
import { changed, httpErrorOfPool, registryAway, requireRegistry } from "./worker-errors.ts";

const tags = ["external workers"];
const question = z.strictObject({
  modelId: modelIdSchema,
  data: z
    .record(z.string(), z.unknown())
    .describe("the function's arguments by name; of a model of rows {rows: [[…]]}"),
});
const mapQuery = z.strictObject({
  "model-type": z.literal(MODEL_TYPE, { error: `model-type=${MODEL_TYPE} is the only one there is` }),
});
const schemas = {
  put: {
    summary: "Adds external workers, model by model",
    tags,
    body: workersMapSchema,
    response: { 200: z.object({ "Register Model Service": z.literal("Success"), workers: z.array(z.string()) }) },
  },
  get: {
    summary: "The external workers, in the form in which they are put",
    tags,
    querystring: mapQuery,
    response: { 200: workersMapSchema },
  },
  greeting: {
    summary: "That predictions are asked for by POST",
    tags,
    response: { 200: z.object({ message: z.string() }) },
  },
  predict: {
    summary: "A model's answer to named arguments",
    description: "By an external worker; of a name that none has, by the host's own function or model of rows.",
    tags,
    headers: describing(z.object(canaryHeader)),
    body: question,
    response: { 200: z.unknown() },
  },
};

/** The source system's interface: `/v1/model_workers_map` and `/v1/AI_model/predict`. */
export function aiModelRoutes(app: FastifyInstance, context: FrontendContext): void {
  const { workers } = context;
  const path = "/v1/model_workers_map";

  app.put<{ Body: z.output<typeof workersMapSchema> }>(
    path,
    { config: { role: "admin" }, schema: schemas.put },
    async ({ body }) => {
      const followed = requireRegistry(workers);
      const mapped = workersInMap(body);
      const hosts = [...new Set(mapped.map(({ host }) => host))];
      const refusals = await Promise.all(hosts.map((host) => workers.guard.refusalOfHost(host)));
      const refused = refusals.filter((refusal) => refusal !== undefined);
      if (refused.length > 0) throw new HttpError(400, "ADDRESS_REFUSED", refused.slice(0, 10).join("; "));
      const add = async () => {
        for (const worker of mapped) {
          await followed.registry.update(worker.id, (known) => merged(requireHttp(known), worker));
        }
      };
      await changed(followed, add());
      return { "Register Model Service": "Success", workers: mapped.map(({ id }) => id) };
    },
  );

  app.get(path, { config: { role: "read" }, schema: schemas.get }, () =>
    mapOf(workers.pool.workers.map(({ worker }) => worker)),
  );

  app.get("/v1/AI_model/predict", { config: { role: "public" }, schema: schemas.greeting }, () => ({
    message: 'ask by POST {"modelId", "data"}',
  }));

  app.post<{ Body: z.output<typeof question> }>(
    "/v1/AI_model/predict",
    { config: { role: "predict" }, schema: schemas.predict, bodyLimit: context.config.workers.requestBytes },
    async ({ body: { modelId, data }, headers }, reply) => {
      if (workers.pool.knows(modelId)) return askWorkers(modelId, data, reply);
      if (!context.router.find(modelId)) throw unknownModel(modelId, workers);
      return askRuntimes(context, modelId, data, reply, trialChoiceOf(headers[CANARY_HEADER]));
    },
  );

  async function askWorkers(modelId: string, data: Record<string, unknown>, reply: FastifyReply): Promise<unknown> {
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    try {
      const { json, worker } = await workers.pool.ask(modelId, Buffer.from(JSON.stringify(data)), gone.signal);
      return sendJson(reply.header("x-slipway-worker", worker), json);
    } catch (error) {
      throw httpErrorOfPool(error);
    }
  }
}

/** While the registry is away, nobody can say that a model is unknown. */
function unknownModel(modelId: string, { followed }: Workers): HttpError {
  const absence = followed?.follower.absence;
  if (absence) return registryAway(absence.reason);
  return new HttpError(404, "MODEL_UNKNOWN", `no worker and no runtime serves ${modelId}`);
}

function requireHttp(known: WorkerRegistration | undefined): HttpWorker | undefined {
  if (known && known.kind !== "http") throw new HttpError(409, "WORKER_ALIVE", `${known.id} is a runtime`);
  return known;
}

/** By a model that the host's runtimes serve. Throws HttpError 404 for one that takes neither arguments nor rows; rejects with RuntimeError. */
async function askRuntimes(
  { router, config }: FrontendContext,
  modelId: string,
  data: Record<string, unknown>,
  reply: FastifyReply,
  trial: TrialChoice,
): Promise<unknown> {
  const served = router.find(modelId);
  if (!served) throw new HttpError(404, "MODEL_UNKNOWN", `no runtime serves ${modelId}`);
  const { card } = served;
  if (card.platform === "function" && card.inputs[0]?.name === FUNCTION_INPUTS[0].name) {
    const answer = await router.predict(served, [textTensor([JSON.stringify(data)])], { trial });
    tellWho(reply, answer);
    const { outputs } = answer;
    const [result] = outputs[0] ? elementsOf(outputs[0]) : [];
    return sendJson(reply, Buffer.from(result ?? new Uint8Array()).toString("utf8"));
  }
  if (!takesRows(card)) {
    throw new HttpError(404, "NO_ROWS", `${modelId} takes no named arguments: ask /v2/models/${modelId}/infer`);
  }
  const { values, rows } = requireRows(data, card.rows.input, modelLimitsOf(config, modelId).requestRows);
  const answer = await predictRows(router, served as RowModel, values, rows, { trial });
  tellWho(reply, answer);
  return { model: answer.served.model, predictions: decide(answer.served.card.rows.output, answer.outputs) };
}

function tellWho(reply: FastifyReply, { served, worker }: Pick<Answer, "served" | "worker">): void {
  reply.header(MODEL_HEADER, modelText(served.model));
  if (worker !== undefined) reply.header("x-slipway-worker", worker);
}

/** JSON text as it is. */
function sendJson(reply: FastifyReply, json: string): FastifyReply {
  return reply.type("application/json; charset=utf-8").send(Buffer.from(json));
}
