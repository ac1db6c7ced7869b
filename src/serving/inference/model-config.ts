import { modelLimitsOf } from "../config.ts";
import type { FrontendContext } from "../frontend/context.ts";
import type { TensorSpec } from "../models/card.ts";
import type { ServedModel } from "../routing/question.ts";
import { DATATYPES, type Datatype } from "../tensors/datatypes.ts";
import { metadataOf } from "./served.ts";

/** A tensor as Triton's configuration has it. */
export interface ConfigTensor {
  name: string;
  /** The name and the number of Triton's type. */
  dataType: { name: string; code: number };
  /** Without the axis that counts rows. */
  dims: number[];
}

/** A model as Triton's clients know its configuration. */
export interface ModelConfig {
  name: string;
  platform: string;
  backend: string;
  /** 0 for a model whose first axis counts no rows. */
  maxBatchSize: number;
  input: ConfigTensor[];
  output: ConfigTensor[];
}

/** The configuration of a model that serves. */
export function configOf(
  { router, config }: Pick<FrontendContext, "router" | "config">,
  served: ServedModel,
): ModelConfig {
  const { card } = served;
  const tensors = (specs: readonly TensorSpec[]) =>
    specs.map(({ name, datatype, shape }) => ({
      name,
      dataType: typeOf(datatype),
      dims: card.batching ? shape.slice(1) : shape,
    }));
  return {
    name: served.model.name,
    platform: metadataOf(router, served).platform,
    backend: card.platform === "onnx" ? "onnxruntime" : "slipway",
    maxBatchSize: card.batching ? modelLimitsOf(config, served.model.name).requestRows : 0,
    input: tensors(card.inputs),
    output: tensors(card.outputs),
  };
}

/** Triton counts the datatypes from 1, in the order in which we have them. */
function typeOf(datatype: Datatype): ConfigTensor["dataType"] {
  return { name: `TYPE_${datatype === "BYTES" ? "STRING" : datatype}`, code: DATATYPES.indexOf(datatype) + 1 };
}
