import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { modelLimitsOf } from "../config.ts";
import { outputWidth, type RowForm } from "../models/card.ts";
import { predictRows, type RowModel } from "../routing/rows.ts";
import { type FrontendContext, requireRowModel } from "./context.ts";
import { HttpError } from "./errors.ts";
import { requireRows } from "./rows.ts";
import { describing } from "./schemas.ts";

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

const tags = ["open inference protocol"];
const tensorMeta = z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.int()) });
const schemas = {
  server: {
    summary: "What the server is",
    tags,
    response: { 200: z.object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) }) },
  },
  model: {
    summary: "What a model takes and answers",
    tags,
    response: {
      200: z.object({
        name: z.string(),
        versions: z.array(z.string()),
        platform: z.string(),
        inputs: z.array(tensorMeta),
        outputs: z.array(tensorMeta),
      }),
    },
  },
  ready: {
    summary: "Whether a model is ready",
    tags,
    response: { 200: z.object({ name: z.string(), ready: z.literal(true) }) },
  },
  infer: {
    summary: "Outputs for tensors",
    tags,
    body: describing(inferRequest),
    response: {
      200: z.object({
        model_name: z.string(),
        model_version: z.string(),
        id: z.string().optional(),
        outputs: z.array(tensorMeta.extend({ data: z.array(z.number()) })),
      }),
    },
  },
};

/** The Open Inference Protocol (KServe v2, REST and JSON): server and model metadata, model readiness, inference. */
export function v2Routes(app: FastifyInstance, context: FrontendContext): void {
  app.get("/v2", { config: { role: "read" }, schema: schemas.server }, () => ({
    name: "slipway",
    version: context.config.payload,
    extensions: [],
  }));

  for (const path of ["/v2/models/:name", "/v2/models/:name/versions/:version"]) {
    app.get<{ Params: ModelParams }>(path, { config: { role: "read" }, schema: schemas.model }, ({ params }) => {
      const { model, card } = requireModel(params);
      const { input, output } = card.rows;
      return {
        name: model.name,
        versions: [model.version],
        platform: "onnx_onnxv1",
        inputs: [{ name: input.name, datatype: "FP32", shape: [-1, input.features] }],
        outputs: [{ name: output.name, datatype: "FP32", shape: [-1, outputWidth(output)] }],
      };
    });

    app.get<{ Params: ModelParams }>(
      `${path}/ready`,
      { config: { role: "read" }, schema: schemas.ready },
      ({ params }) => {
        return { name: requireModel(params).model.name, ready: true };
      },
    );

    app.post<{ Params: ModelParams }>(
      `${path}/infer`,
      { config: { role: "predict" }, schema: schemas.infer },
      async ({ params, body }) => {
        const model = requireModel(params);
        const { id, rows: body1 } = requireInput(body, model.card.rows);
        const { requestRows } = modelLimitsOf(context.config, model.model.name);
        const { values, rows } = requireRows({ rows: body1 }, model.card.rows.input, requestRows);
        const { outputs, served } = await predictRows(context.router, model, values, rows);
        const { name } = served.card.rows.output;
        return {
          model_name: served.model.name,
          model_version: served.model.version,
          ...(id !== undefined && { id }),
          outputs: [{ name, datatype: "FP32", shape: [rows, outputs.length / rows], data: [...outputs] }],
        };
      },
    );
  }

  function requireModel({ name, version }: ModelParams): RowModel {
    const served = requireRowModel(context);
    if (name !== served.model.name || (version !== undefined && version !== served.model.version)) {
      throw new HttpError(404, "MODEL_UNKNOWN", `${name} ${version ?? ""} does not serve here`);
    }
    return served;
  }
}

/** The request's tensor as rows; the protocol allows flat and nested data. Throws HttpError 400. */
function requireInput(body: unknown, { input }: RowForm): { id: string | undefined; rows: unknown[] } {
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
