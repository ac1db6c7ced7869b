import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { SlipwayError } from "../../common/errors.ts";
import type { ModelCard, RowForm } from "./card.ts";
import { readKerasArchive } from "./keras/archive.ts";
import { type ConvertedNetwork, convertNetwork } from "./keras/convert.ts";
import { parseKerasModel } from "./keras/description.ts";
import { forward } from "./keras/forward.ts";
import { parsedJson } from "./keras/json.ts";
import type { Row } from "./keras/layer-kind.ts";
import { readKerasHdf5 } from "./keras/weights/hdf5-thread.ts";
import type { KerasHdf5 } from "./keras/weights/keras-hdf5.ts";
import { readOnnxFile } from "./onnx-file/check.ts";
import type { ModelSources } from "./sources.ts";

/** A model in the form that serves. */
export interface ConvertedModel {
  onnx: Uint8Array;
  format: ModelCard["source"]["format"];
  /** What the numbers that it answers for a row mean, where that is known. */
  meaning: RowForm["output"]["kind"] | undefined;
  /**
   * The outputs for a row of each input, computed without ONNX: what the conversion is compared with. None where there was no
   * conversion; undefined for a network with a layer that only ONNX computes.
   */
  reference: ((inputs: Row[]) => Row[] | undefined) | undefined;
}

/** Reads the sources as an ONNX model, converting from Keras. Throws SlipwayError E_MODEL_INVALID, E_MODEL_LAYER_UNKNOWN, E_MODEL_MISMATCH. */
export async function convertModel(sources: ModelSources): Promise<ConvertedModel> {
  const { onnx, archive, weights, description } = sources;
  if (onnx !== undefined) {
    return { ...(await readOnnxFile(onnx)), format: "onnx", reference: undefined };
  }
  if (archive !== undefined) return converted(await readKerasArchive(archive, basename(archive)), "keras-zip");
  if (weights === undefined) throw new SlipwayError("E_MODEL_INVALID", "the model has no weights");
  const file = await readKerasHdf5(weights);
  if (description === undefined)
    return converted({ ...file, description: requireDescription(file, weights) }, "keras-h5");
  const text = await readFile(description, "utf8");
  return converted({ ...file, description: parsedJson(basename(description), text) }, "keras-json+h5");
}

function converted({ description, version, weights }: KerasHdf5, format: ConvertedModel["format"]): ConvertedModel {
  const network = convertNetwork(parseKerasModel(description, version), weights);
  return {
    onnx: network.onnx,
    format,
    meaning: meaningOf(network),
    reference: (inputs) => forward(network.network, inputs),
  };
}

/** What the first output's activation makes of its numbers. */
function meaningOf({ outputs: [first] }: ConvertedNetwork): RowForm["output"]["kind"] {
  const [width = 0] = first?.shape ?? [];
  if (first?.meaning === "sigmoid" && width === 1) return "binary";
  return first?.meaning === "softmax" && (width ?? 0) > 1 ? "classes" : "values";
}

function requireDescription({ description }: KerasHdf5, weights: string): unknown {
  if (description !== undefined) return description;
  throw new SlipwayError(
    "E_MODEL_INVALID",
    `${basename(weights)} holds weights alone and there is no model.json beside it`,
    { hint: "Write the description with Keras' model.to_json(), or the whole model with model.save('model.keras')." },
  );
}
