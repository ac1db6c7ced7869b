import { z } from "zod";
import { DATATYPES } from "../../tensors/datatypes.ts";
import { describing } from "../schemas.ts";
import { canaryHeader } from "../trials/choice.ts";

const tags = ["open inference protocol"];

const tensorMetadata = z.object({
  name: z.string(),
  datatype: z.enum(DATATYPES),
  shape: z.array(z.int()).describe("-1 where any length is taken"),
});
const parameters = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const data = z.array(z.unknown()).describe("flat or nested, row after row");

const inferRequest = describing(
  z.object({
    id: z.string().optional(),
    parameters: parameters.optional().describe("binary_data_output, timeout (µs)"),
    inputs: z.array(
      tensorMetadata.extend({
        parameters: parameters.optional().describe("binary_data_size"),
        data: data.optional().describe("absent where binary_data_size says how many bytes behind the JSON it is"),
      }),
    ),
    outputs: z
      .array(z.object({ name: z.string(), parameters: parameters.optional().describe("binary_data, classification") }))
      .optional()
      .describe("all without"),
  }),
);

const inferAnswer = z
  .object({
    model_name: z.string(),
    model_version: z.string(),
    id: z.string().optional(),
    outputs: z.array(tensorMetadata.extend({ parameters: parameters.optional(), data: data.optional() })),
  })
  .meta({ id: "Inference" });

const duration = z.object({ count: z.int(), ns: z.int() });
const statistics = z
  .object({
    model_stats: z.array(
      z.object({
        name: z.string(),
        version: z.string(),
        last_inference: z.int().describe("milliseconds since 1970, 0 for never"),
        inference_count: z.int().describe("rows"),
        execution_count: z.int().describe("computations"),
        inference_stats: z.object({
          success: duration,
          fail: duration,
          queue: duration,
          compute_input: duration,
          compute_infer: duration,
          compute_output: duration,
          cache_hit: duration,
          cache_miss: duration,
        }),
        batch_stats: z.array(
          z.object({
            batch_size: z.int(),
            compute_input: duration,
            compute_infer: duration,
            compute_output: duration,
          }),
        ),
      }),
    ),
  })
  .meta({ id: "Statistics" });

const repositoryBody = describing(z.object({ parameters: parameters.optional() }));

/** What the routes of the Open Inference Protocol take and answer. */
export const schemas = {
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
        inputs: z.array(tensorMetadata),
        outputs: z.array(tensorMetadata),
      }),
    },
  },
  modelReady: {
    summary: "Whether a model is ready",
    tags,
    response: { 200: z.object({ name: z.string(), ready: z.literal(true) }) },
  },
  config: {
    summary: "A model's configuration, as Triton's clients read it",
    tags,
    response: { 200: z.record(z.string(), z.unknown()) },
  },
  infer: {
    summary: "Outputs for tensors",
    description: "With the binary tensor data extension bytes follow the JSON, in requests and in answers.",
    tags,
    headers: describing(
      z.object({
        "inference-header-content-length": z
          .string()
          .optional()
          .describe("bytes of JSON that the body begins with; 0: the body is the model's one input"),
        "idempotency-key": z.string().optional().describe("the same key gets a durable model's same answer"),
        ...canaryHeader,
      }),
    ),
    body: inferRequest,
    response: {
      200: {
        description: "the outputs",
        content: {
          "application/json": { schema: inferAnswer },
          "application/octet-stream": { schema: z.string() },
        },
      },
    },
  },
  stats: { summary: "What models did", tags, response: { 200: statistics } },
  index: {
    summary: "All versions that the host has",
    tags,
    body: describing(z.object({ ready: z.boolean().optional().describe("only those that serve") })),
    response: {
      200: z.array(z.object({ name: z.string(), version: z.string(), state: z.string(), reason: z.string() })),
    },
  },
  load: { summary: "Puts a model into service", tags, body: repositoryBody, response: { 200: z.object({}) } },
  unload: { summary: "Takes a model out of service", tags, body: repositoryBody, response: { 200: z.object({}) } },
};
