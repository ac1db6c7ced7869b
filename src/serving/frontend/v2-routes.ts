import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { type ModelCard, outputWidth } from "../models/card.ts";
import type { Hello } from "../runtime/hello.ts";
import { type FrontendContext, requireHello } from "./context.ts";
import { HttpError } from "./errors.ts";
import { requireRows } from "./rows.ts";

interface ModelParams {
  name: string;
  version?: string;
}

const inferRequest = z.object({
  id: z.string().optional(),
  inputs: z
    .array(
      z.object({
        name: z.string(),
        shape: z.tuple([z.number().int().positive(), z.number().int().positive()]),
        datatype: z.literal("FP32"),
        data: z.array(z.unknown()),
      }),
    )
    .length(1),
});

/** The Open Inference Protocol (KServe v2, REST and JSON): server and model metadata, model readiness, inference. */
export function v2Routes(app: FastifyInstance, context: FrontendContext): void {
  app.get("/v2", () => ({ name: "slipway", version: context.config.payload, extensions: [] }));

  for (const path of ["/v2/models/:name", "/v2/models/:name/versions/:version"]) {
    app.get<{ Params: ModelParams }>(path, ({ params }) => {
      const { model, card } = requireModel(params);
      return {
        name: model.name,
        versions: [model.version],
        platform: "onnx_onnxv1",
        inputs: [{ name: card.input.name, datatype: "FP32", shape: [-1, card.input.features] }],
        outputs: [{ name: card.output.name, datatype: "FP32", shape: [-1, outputWidth(card.output)] }],
      };
    });

    app.get<{ Params: ModelParams }>(`${path}/ready`, ({ params }) => {
      return { name: requireModel(params).model.name, ready: true };
    });

    app.post<{ Params: ModelParams }>(`${path}/infer`, async ({ params, body }) => {
      const { card } = requireModel(params);
      const { id, rows: body1 } = requireInput(body, card);
      const { values, rows } = requireRows({ rows: body1 }, card.input, context.limits.requestRows);
      const { outputs, hello } = await context.runtime.predict(values, rows);
      const { name } = hello.card.output;
      return {
        model_name: hello.model.name,
        model_version: hello.model.version,
        ...(id !== undefined && { id }),
        outputs: [{ name, datatype: "FP32", shape: [rows, outputs.length / rows], data: [...outputs] }],
      };
    });
  }

  function requireModel({ name, version }: ModelParams): Hello {
    const hello = requireHello(context);
    if (name !== hello.model.name || (version !== undefined && version !== hello.model.version)) {
      throw new HttpError(404, "MODEL_UNKNOWN", `${name} ${version ?? ""} does not serve here`);
    }
    return hello;
  }
}

/** The request's tensor as rows; the protocol allows flat and nested data. Throws HttpError 400. */
function requireInput(body: unknown, { input }: ModelCard): { id: string | undefined; rows: unknown[] } {
  const request = inferRequest.safeParse(body);
  if (!request.success) throw new HttpError(400, "REQUEST_INVALID", z.prettifyError(request.error));
  const [tensor] = request.data.inputs;
  const [rows, width] = tensor?.shape ?? [0, 0];
  if (tensor?.name !== input.name || width !== input.features) {
    throw new HttpError(
      400,
      "REQUEST_INVALID",
      `the model takes one input "${input.name}" of shape [rows, ${input.features}]`,
    );
  }
  const nested = Array.isArray(tensor.data[0]);
  if (tensor.data.length !== (nested ? rows : rows * width)) {
    throw new HttpError(400, "REQUEST_INVALID", `the data does not have the shape [${rows}, ${width}]`);
  }
  return {
    id: request.data.id,
    rows: nested
      ? tensor.data
      : Array.from({ length: rows }, (_, row) => tensor.data.slice(row * width, (row + 1) * width)),
  };
}
