import { SlipwayError } from "../../../common/errors.ts";

/** A description that is not one, or that contradicts itself. */
export function invalid(reason: string, cause?: unknown): SlipwayError {
  return new SlipwayError("E_MODEL_INVALID", reason, {
    hint: "Save the model again with Keras: model.save('model.keras'), or model.to_json() and model.save_weights('model.h5').",
    cause,
  });
}

/** Description and weights that do not belong together. */
export function mismatch(reason: string): SlipwayError {
  return new SlipwayError("E_MODEL_MISMATCH", reason, {
    hint: "Write the description and the weights from the same model, in one go.",
  });
}

/** A layer, or an option of a layer, that is not converted. */
export function unknown(reason: string): SlipwayError {
  return new SlipwayError("E_MODEL_LAYER_UNKNOWN", reason, {
    hint: "Export the model to ONNX and give Slipway the model.onnx; docs/reference/models.md lists the layers and options that it converts.",
  });
}
