import { z } from "zod";
import { type ErrorCode, errorCatalogue } from "../../common/error-catalogue.ts";
import { trafficSchema } from "../../guest/release-terms.ts";
import { modelCardSchema } from "../models/card.ts";
import { identitySchema } from "../models/registry.ts";

const servedModelSchema = z.object({
  /** Names the model in this runtime's frames, for as long as it serves. */
  slot: z.number().int(),
  model: identitySchema,
  card: modelCardSchema,
  /** Whether requests that name no version are answered by this one. */
  live: z.boolean(),
  /** Whether requests that name no model are answered by this one. */
  default: z.boolean(),
  /** What share of the requests it sees, where it is on trial beside the live version. */
  trial: trafficSchema.optional(),
  /** Rows that it computes in one call, where they are not the runtime's. */
  batchRows: z.number().int().positive().optional(),
});

/** A model as a runtime serves it. */
export type RuntimeModel = z.infer<typeof servedModelSchema>;

/** What a runtime serves from now on. */
export const runtimeModelsSchema = z.array(servedModelSchema);

/** What a runtime says first on every connection. */
export const helloSchema = z.object({
  /** Of this process: another one in its place has another. */
  id: z.string(),
  /** Of the frames (frames.ts). */
  protocol: z.number().int().default(1),
  /** Among all hosts' workers: the same for another process in its place. */
  worker: z.string().optional(),
  group: z.string(),
  /** ONNX Runtime's version. */
  onnxruntime: z.string(),
  /** What computes. */
  provider: z.enum(["cpu", "cuda"]),
  /** Why it is not what was asked for. */
  providerNote: z.string().optional(),
  /** Rows that it computes in one call. */
  batchRows: z.number().int().positive(),
  models: runtimeModelsSchema,
});

export type Hello = z.infer<typeof helloSchema>;

/** Why a runtime gave no answer. */
export const refusalSchema = z.object({
  /**
   * `overloaded`: too many rows wait. `gone`: no model has this slot (any more). `lost`: who was asked before
   * went away, and the model may have run. `invalid`: the tensors do not fit the model.
   * `rejected`: the model itself says that what it was asked makes no sense. `failed`: the computation broke.
   * `unavailable`: what a durable model was asked could not be written down.
   */
  reason: z.enum(["overloaded", "gone", "lost", "unavailable", "invalid", "rejected", "failed"]),
  message: z.string(),
});

export type Refusal = z.infer<typeof refusalSchema>;

/** What can be asked of a runtime besides predictions. `sync`: serve what the registry names now. */
export const commandSchema = z.object({ command: z.literal("sync") });

/** What came of a `sync`: the models that could not be loaded, and why. */
export const syncResultSchema = z.object({
  failed: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      message: z.string(),
      code: z.enum(Object.keys(errorCatalogue) as [ErrorCode, ...ErrorCode[]]),
    }),
  ),
});

export type SyncResult = z.infer<typeof syncResultSchema>;
