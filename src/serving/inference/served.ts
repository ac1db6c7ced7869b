import type { FrontendContext } from "../frontend/context.ts";
import { HttpError, runtimeAway } from "../frontend/errors.ts";
import type { TensorSpec } from "../models/card.ts";
import type { ServedModel } from "../routing/question.ts";
import { excerpt } from "./question.ts";

/** What describes the server to clients of the Open Inference Protocol; the extensions are those that are served. */
export const EXTENSIONS = [
  "binary_tensor_data",
  "classification",
  "model_configuration",
  "model_repository",
  "statistics",
] as const;

/** Names as the protocol has them for what computes a model: `<project>_<format>`. */
const platforms = { onnx: "onnx_onnxv1", function: "slipway_function" } as const;

/** A model as the protocol describes it. */
export interface ModelMetadata {
  name: string;
  /** All that serve. */
  versions: string[];
  platform: string;
  inputs: TensorSpec[];
  outputs: TensorSpec[];
}

/**
 * The model that serves under this name, in its live version or in this one. An empty version is none.
 * @throws HttpError 404 where no runtime serves it, 503 while there is no runtime
 */
export function requireServed(router: FrontendContext["router"], name: string, version?: string): ServedModel {
  const served = router.find(name, version === "" ? undefined : version);
  if (served) return served;
  if (router.runtimes.length === 0) throw runtimeAway();
  throw new HttpError(404, "MODEL_UNKNOWN", `${excerpt(name)} ${excerpt(version ?? "")} does not serve here`);
}

export function metadataOf(router: FrontendContext["router"], { model, card }: ServedModel): ModelMetadata {
  const versions = router.models.filter((other) => other.model.name === model.name).map((one) => one.model.version);
  const { platform, inputs, outputs } = card;
  return {
    name: model.name,
    versions: versions.length > 0 ? versions : [model.version],
    platform: platforms[platform],
    inputs,
    outputs,
  };
}
