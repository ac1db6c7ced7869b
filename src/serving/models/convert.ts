import { readFile } from "node:fs/promises";
import { z } from "zod";
import { SlipwayError } from "../../common/errors.ts";
import type { ModelCard, RowForm } from "./card.ts";
import { parseKerasNetwork } from "./keras-network.ts";
import { convertToOnnx, forward } from "./keras-onnx.ts";
import { pairNetwork, type TrainedNetwork } from "./keras-pair.ts";
import { readKerasFile } from "./keras-weights.ts";
import { readOnnxFile } from "./onnx-file/check.ts";
import { parsed } from "./package.ts";
import type { ModelSources } from "./sources.ts";

/** A model in the form that serves. */
export interface ConvertedModel {
  onnx: Uint8Array;
  format: ModelCard["source"]["format"];
  /** What the numbers that it answers for a row mean, where that is known. */
  meaning: RowForm["output"]["kind"] | undefined;
  /** A row's outputs computed without ONNX: what the conversion is compared with. None where there was no conversion. */
  reference: ((row: number[]) => number[]) | undefined;
}

/** Reads the sources as an ONNX model, converting from Keras. Throws SlipwayError E_MODEL_INVALID, E_MODEL_LAYER_UNKNOWN, E_MODEL_MISMATCH. */
export async function convertModel({ onnx, description, weights }: ModelSources): Promise<ConvertedModel> {
  if (onnx !== undefined) {
    return { ...(await readOnnxFile(onnx)), format: "onnx", reference: undefined };
  }
  if (weights === undefined) throw new SlipwayError("E_MODEL_INVALID", "the model has no weights");
  const file = await readKerasFile(weights);
  const network = pairNetwork(
    parseKerasNetwork(
      description === undefined
        ? requireDescription(file.description)
        : parsed(z.unknown(), "model.json", await readFile(description, "utf8")),
    ),
    file.weights,
  );
  return {
    onnx: convertToOnnx(network),
    format: description === undefined ? "keras-h5" : "keras-json+h5",
    meaning: meaningOf(network),
    reference: (row) => forward(network, row),
  };
}

/** What the last layer's activation makes of its numbers. */
function meaningOf({ layers, outputs }: TrainedNetwork): RowForm["output"]["kind"] {
  const activation = layers.at(-1)?.activation;
  if (activation === "sigmoid" && outputs === 1) return "binary";
  return activation === "softmax" && outputs > 1 ? "classes" : "values";
}

function requireDescription(description: unknown): unknown {
  if (description !== undefined) return description;
  throw new SlipwayError("E_MODEL_INVALID", "model.h5 holds weights alone and there is no model.json beside it", {
    hint: "Write the description with Keras' model.to_json(), or the whole model with model.save('model.h5').",
  });
}
