import { z } from "zod";
import { SlipwayError } from "../../common/errors.ts";
import { activations } from "./activations.ts";

/** A layer that computes something. Dropout, Flatten of a flat row and the input layer compute nothing when a model serves. */
export type KerasLayer =
  | { kind: "dense"; name: string; units: number; useBias: boolean; activation: string }
  | { kind: "activation"; name: string; activation: string };

/** A Sequential network as its description tells, without weights. */
export interface KerasNetwork {
  name: string;
  /** Numbers a row; undefined where the description leaves it to the weights. */
  features: number | undefined;
  layers: KerasLayer[];
}

const shape = z.array(z.number().int().nullable());
const layerSchema = z.object({
  class_name: z.string(),
  config: z.looseObject({
    name: z.string(),
    // Keras 2 and Keras 3
    batch_input_shape: shape.nullish(),
    batch_shape: shape.nullish(),
  }),
});
const sequentialConfig = z.object({ name: z.string().default("sequential"), layers: z.array(layerSchema).min(1) });
const descriptionSchema = z.object({
  class_name: z.string(),
  // the oldest files hold the bare list of layers
  config: z.union([sequentialConfig, z.array(layerSchema).transform((layers) => ({ name: "sequential", layers }))]),
});
const denseConfig = z.object({
  units: z.number().int().positive(),
  use_bias: z.boolean().default(true),
  activation: z.string().nullish(),
});
const activationConfig = z.object({ activation: z.string() });

type LayerDescription = z.infer<typeof layerSchema>;

/**
 * Reads Keras' description of a Sequential network: the content of `model.json`, or of a file's `model_config`.
 * @throws SlipwayError E_MODEL_LAYER_UNKNOWN naming the layer; E_MODEL_INVALID for what is no such description
 */
export function parseKerasNetwork(description: unknown): KerasNetwork {
  const kind = z.object({ class_name: z.string() }).safeParse(description);
  if (kind.success && kind.data.class_name !== "Sequential") {
    throw new SlipwayError(
      "E_MODEL_INVALID",
      `the model is a "${kind.data.class_name}" network, not a Sequential one`,
      {
        hint: "Export it to ONNX and give Slipway the model.onnx.",
      },
    );
  }
  const { name, layers } = checked(descriptionSchema, description, "the model's description").config;
  const inputShape = layers.map(({ config }) => config.batch_input_shape ?? config.batch_shape).find(Boolean);
  if (inputShape && inputShape.length > 2) requireFlattenFirst(layers);
  return {
    name,
    features: inputShape ? featuresOf(inputShape) : undefined,
    layers: layers.flatMap((layer) => parseLayer(layer)),
  };
}

function parseLayer({ class_name, config }: LayerDescription): KerasLayer[] {
  const { name } = config;
  const what = `layer ${name} (${class_name})`;
  switch (class_name) {
    case "Dense": {
      const { units, use_bias, activation } = checked(denseConfig, config, what);
      return [{ kind: "dense", name, units, useBias: use_bias, activation: known(activation ?? "linear", name) }];
    }
    case "Activation":
      return [
        { kind: "activation", name, activation: known(checked(activationConfig, config, what).activation, name) },
      ];
    case "InputLayer":
    case "Dropout":
    case "Flatten":
      return [];
    default:
      throw new SlipwayError(
        "E_MODEL_LAYER_UNKNOWN",
        `layer ${name} is a ${class_name}, which Slipway cannot convert`,
        {
          hint: "Export it to ONNX: Slipway converts Dense, Activation, Dropout, Flatten and InputLayer only.",
        },
      );
  }
}

function known(activation: string, layer: string): string {
  if (activations.has(activation)) return activation;
  throw new SlipwayError(
    "E_MODEL_LAYER_UNKNOWN",
    `layer ${layer} has the activation "${activation}", which Slipway cannot convert`,
    { hint: `Export it to ONNX: Slipway converts ${[...activations.keys()].join(", ")} only.` },
  );
}

/** A Dense layer works on the last axis alone: rows with inner structure are the same as flat rows only behind a Flatten. */
function requireFlattenFirst(layers: LayerDescription[]): void {
  const first = layers.find(({ class_name }) => class_name !== "InputLayer" && class_name !== "Dropout");
  if (first?.class_name === "Flatten") return;
  throw new SlipwayError(
    "E_MODEL_INVALID",
    "the model takes rows of more than one dimension and does not flatten them",
    {
      hint: "Put a Flatten layer first, or export the network to ONNX.",
    },
  );
}

function featuresOf([, ...row]: (number | null)[]): number {
  if (row.length > 0 && row.every((size) => size !== null && size > 0)) {
    return (row as number[]).reduce((product, size) => product * size, 1);
  }
  throw new SlipwayError("E_MODEL_INVALID", "the model's input shape leaves the length of a row open", {
    hint: "Give the first layer an input_shape of fixed size.",
  });
}

function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new SlipwayError("E_MODEL_INVALID", `${what} is not as Keras writes it: ${z.prettifyError(result.error)}`, {
    hint: "Write model.json with Keras' model.to_json().",
    cause: result.error,
  });
}
