import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import type { FrontendContext } from "../frontend/context.ts";
import { HttpError } from "../frontend/errors.ts";
import { refuseKey } from "../frontend/idempotency.ts";
import type { Hub } from "../frontend/processes/hub.ts";
import { trialChoiceOf } from "../frontend/trials/choice.ts";
import { infer } from "../inference/infer.ts";
import { type ConfigTensor, configOf } from "../inference/model-config.ts";
import { requireReady } from "../inference/readiness.ts";
import { loadModel, loadParameters, repositoryIndex, unloadModel, unloadParameters } from "../inference/repository.ts";
import { EXTENSIONS, metadataOf, requireServed } from "../inference/served.ts";
import { computeStats, inferenceStats, statisticsOf } from "../inference/statistics.ts";
import { readRegistry } from "../models/registry-file.ts";
import { type CallContext, type Calls, type Method, methodAt } from "./calls.ts";
import type { Values } from "./codec.ts";
import { readInferMessage, writeInferMessage } from "./inference-messages.ts";
import * as messages from "./messages.ts";

/** The name of the protocol's service. */
export const INFERENCE_SERVICE = "inference.GRPCInferenceService";

const methodNames = [
  "ServerLive",
  "ServerReady",
  "ModelReady",
  "ServerMetadata",
  "ModelMetadata",
  "ModelInfer",
  "ModelStreamInfer",
  "ModelConfig",
  "ModelStatistics",
  "RepositoryIndex",
  "RepositoryModelLoad",
  "RepositoryModelUnload",
] as const;

/** The service's methods. */
export const inferenceService: ServiceDefinition = Object.fromEntries(
  methodNames.map((name): [string, Method] => {
    const streams = name === "ModelStreamInfer";
    return [name, methodAt(`/${INFERENCE_SERVICE}/${name}`, { request: streams, response: streams })];
  }),
);

/** What answers the service's methods: the same as the REST routes (frontend/v2). */
export function inferenceHandlers(
  context: FrontendContext,
  hub: Pick<Hub, "figures">,
  calls: Calls,
): UntypedServiceImplementation {
  const { router, config } = context;
  const optional = (text: string) => (text === "" ? undefined : text);
  const answerTo = async (
    asked: Values<typeof messages.inferQuestion.fields>,
    { timeoutMs, key, canary }: CallContext,
  ): Promise<messages.InferAnswerMessage> => {
    const served = requireServed(router, asked.modelName, asked.modelVersion);
    const question = readInferMessage(asked);
    const within = Math.min(timeoutMs, question.timeoutMs ?? Number.POSITIVE_INFINITY);
    const trial = asked.modelVersion === "" ? trialChoiceOf(canary) : undefined;
    const answer = await infer(context, served, { ...question, timeoutMs: within, key }, trial);
    return writeInferMessage(answer, question.raw);
  };
  return {
    ServerLive: calls.unary("ServerLive", "public", messages.empty, messages.liveAnswer, () => ({ live: true })),
    ServerReady: calls.unary("ServerReady", "public", messages.empty, messages.readyAnswer, async () => ({
      ready: await isReady(context),
    })),
    ModelReady: calls.unary(
      "ModelReady",
      "read",
      messages.modelQuestion,
      messages.readyAnswer,
      async ({ name, version }) => {
        if (router.find(name, optional(version))) return { ready: true };
        const { models } = await readRegistry(config.modelsDir);
        if (Object.hasOwn(models, name)) return { ready: false };
        throw new HttpError(404, "MODEL_UNKNOWN", "there is no such model");
      },
    ),
    ServerMetadata: calls.unary("ServerMetadata", "read", messages.empty, messages.serverMetadata, () => ({
      name: "slipway",
      version: config.payload,
      extensions: [...EXTENSIONS],
    })),
    ModelMetadata: calls.unary(
      "ModelMetadata",
      "read",
      messages.modelQuestion,
      messages.modelMetadata,
      ({ name, version }) => ({ ...metadataOf(router, requireServed(router, name, version)) }),
    ),
    ModelInfer: calls.unary("ModelInfer", "predict", messages.inferQuestion, messages.inferAnswer, answerTo),
    ModelStreamInfer: calls.stream("ModelStreamInfer", "predict", async (bytes, call) => {
      let id = "";
      try {
        const asked = messages.inferQuestion.decode(bytes);
        id = asked.id;
        refuseKey(call.key, "a stream of questions");
        return messages.streamAnswer.encode({ inferResponse: await answerTo(asked, call) });
      } catch (error) {
        const { details } = calls.failure("ModelStreamInfer", error);
        return messages.streamAnswer.encode({ errorMessage: details, inferResponse: { id } });
      }
    }),
    ModelConfig: calls.unary(
      "ModelConfig",
      "read",
      messages.modelQuestion,
      messages.configAnswer,
      ({ name, version }) => {
        const { input, output, ...rest } = configOf(context, requireServed(router, name, version));
        return { config: { ...rest, input: input.map(configTensor), output: output.map(configTensor) } };
      },
    ),
    ModelStatistics: calls.unary(
      "ModelStatistics",
      "read",
      messages.modelQuestion,
      messages.statisticsAnswer,
      async ({ name, version }) => ({
        modelStats: statisticsOf(router, await hub.figures(), optional(name), optional(version)).map((one) => ({
          name: one.name,
          version: one.version,
          lastInference: one.lastInference,
          inferenceCount: one.inferences,
          executionCount: one.executions,
          inferenceStats: inferenceStats(one),
          batchStats: one.batches.map(({ rows, compute }) => ({ batchSize: rows, ...computeStats(compute) })),
        })),
      }),
    ),
    RepositoryIndex: calls.unary(
      "RepositoryIndex",
      "read",
      messages.indexQuestion,
      messages.indexAnswer,
      async ({ ready }) => ({ models: await repositoryIndex(context, ready) }),
    ),
    RepositoryModelLoad: calls.unary(
      "RepositoryModelLoad",
      "deploy",
      messages.repositoryQuestion,
      messages.empty,
      async ({ modelName, parameters }) => {
        await loadModel(context, modelName, loadParameters(plainParameters(parameters)));
        return {};
      },
    ),
    RepositoryModelUnload: calls.unary(
      "RepositoryModelUnload",
      "deploy",
      messages.repositoryQuestion,
      messages.empty,
      async ({ modelName, parameters }) => {
        await unloadModel(context, modelName, unloadParameters(plainParameters(parameters)));
        return {};
      },
    ),
  };
}

/** Whether the host serves its default model as the registry names it. */
export async function isReady(context: FrontendContext): Promise<boolean> {
  try {
    await requireReady(context);
    return true;
  } catch (error) {
    if (error instanceof HttpError) return false;
    throw error;
  }
}

function configTensor({ name, dataType, dims }: ConfigTensor) {
  return { name, dataType: dataType.code, dims };
}

function plainParameters(parameters: Values<typeof messages.repositoryQuestion.fields>["parameters"]) {
  return Object.fromEntries(
    [...parameters].map(([name, { bool, int64, string, bytes }]) => [name, bool ?? int64 ?? string ?? bytes]),
  );
}
