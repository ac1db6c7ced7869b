import { z } from "zod";
import { SlipwayError } from "../../../common/errors.ts";
import { activationFunctions } from "./activation-functions.ts";
import { type Initializer, readInitializer } from "./initializers.ts";
import type { Mlp, MlpLayer } from "./network.ts";
import { Random } from "./random.ts";

/** What a network that is trained here may be at most: its training must end some day, and be cancelled at once. */
export const networkBounds = { layers: 64, units: 4096, parameters: 2_000_000 };

/** A network that is described and not built. */
export interface Blueprint {
  name: string;
  /** Numbers of a row, where the description tells. */
  features: number | undefined;
  layers: BlueprintLayer[];
}

type BlueprintLayer =
  | {
      kind: "dense";
      name: string;
      units: number;
      useBias: boolean;
      l2: number;
      kernelInitializer: Initializer;
      biasInitializer: Initializer;
    }
  | Extract<MlpLayer, { kind: "activation" | "dropout" }>;

/** Keras 2 and 3 write what is not set as null. */
const unset = (what: string) => z.null({ error: `${what} is not supported: leave it out` }).optional();

const activation = z
  .string({ error: "an activation's name is expected" })
  .refine((name) => activationFunctions.has(name), {
    error: `an activation is one of ${[...activationFunctions.keys()].join(", ")}`,
  });

const initializer = (byDefault: "GlorotUniform" | "Zeros") =>
  z
    .unknown()
    .optional()
    .transform((description, context): Initializer => {
      try {
        const found = readInitializer(description, byDefault);
        if (found) return found;
        context.addIssue("this initializer is not known");
      } catch (error) {
        context.addIssue(error instanceof z.ZodError ? z.prettifyError(error) : String(error));
      }
      return z.NEVER;
    });

const regularizer = z
  .object({
    class_name: z.enum(["L2", "L1L2"], { error: "the only regularizer is L2" }),
    config: z.object({
      l1: z.literal(0, { error: "the only regularizer is L2" }).optional(),
      l2: z.number().nonnegative().max(100).default(0.01),
    }),
  })
  .nullish()
  .transform((found) => found?.config.l2 ?? 0);

const base = {
  name: z.string().min(1).max(200),
  trainable: z.literal(true, { error: "no layer can be frozen" }).optional(),
};
const shape = z
  .tuple([z.null(), z.number().int().positive()], { error: "rows of numbers have the shape [null, features]" })
  .nullish();
const shapes = { batch_shape: shape, batch_input_shape: shape };

const layerSchemas = [
  z.object({ class_name: z.literal("InputLayer"), config: z.looseObject({ ...base, ...shapes }) }),
  z.object({
    class_name: z.literal("Dense"),
    config: z.looseObject({
      ...base,
      ...shapes,
      units: z.number().int().positive().max(networkBounds.units),
      activation: activation.nullish(),
      use_bias: z.boolean().default(true),
      kernel_initializer: initializer("GlorotUniform"),
      bias_initializer: initializer("Zeros"),
      kernel_regularizer: regularizer,
      bias_regularizer: unset("a bias_regularizer"),
      activity_regularizer: unset("an activity_regularizer"),
      kernel_constraint: unset("a kernel_constraint"),
      bias_constraint: unset("a bias_constraint"),
    }),
  }),
  z.object({ class_name: z.literal("Activation"), config: z.looseObject({ ...base, ...shapes, activation }) }),
  z.object({
    class_name: z.literal("Dropout"),
    config: z.looseObject({ ...base, ...shapes, rate: z.number().min(0).lt(1), noise_shape: unset("a noise_shape") }),
  }),
] as const;

const layerClasses = layerSchemas.map(({ shape: { class_name } }) => class_name.value);

const descriptionSchema = z.object({
  class_name: z.literal("Sequential", { error: "the network must be a Sequential one" }),
  config: z.object({
    name: z.string().min(1).max(200).default("network"),
    layers: z
      .array(
        z.discriminatedUnion("class_name", layerSchemas, {
          error: (issue) =>
            issue.code === "invalid_union" ? `a layer is one of ${layerClasses.join(", ")}` : undefined,
        }),
      )
      .min(1)
      .max(networkBounds.layers),
  }),
});

/**
 * Reads what Keras' `to_json` writes of a Sequential network of Dense, Activation and Dropout layers.
 * @throws SlipwayError E_TRAINING_INVALID naming the field
 */
export function readBlueprint(description: unknown): Blueprint {
  const result = descriptionSchema.safeParse(description);
  if (!result.success) throw invalid(`the network is not as it must be: ${z.prettifyError(result.error)}`);
  const { name, layers } = result.data.config;
  const inputShape = layers.map(({ config }) => config.batch_shape ?? config.batch_input_shape).find(Boolean);
  const blueprint = { name, features: inputShape?.[1], layers: layers.flatMap(toBlueprint) };
  const names = blueprint.layers.map((layer) => layer.name);
  const twice = names.find((one, index) => names.indexOf(one) !== index);
  if (twice !== undefined) throw invalid(`two of the network's layers have the name "${twice}"`);
  if (!blueprint.layers.some(({ kind }) => kind === "dense")) throw invalid("the network has no Dense layer");
  return blueprint;
}

type DescribedLayer = z.output<typeof descriptionSchema>["config"]["layers"][number];

function toBlueprint({ class_name, config }: DescribedLayer): BlueprintLayer[] {
  switch (class_name) {
    case "InputLayer":
      return [];
    case "Dense": {
      const dense: BlueprintLayer = {
        kind: "dense",
        name: config.name,
        units: config.units,
        useBias: config.use_bias,
        l2: config.kernel_regularizer,
        kernelInitializer: config.kernel_initializer,
        biasInitializer: config.bias_initializer,
      };
      if (!config.activation || config.activation === "linear") return [dense];
      return [dense, { kind: "activation", name: activationNameOf(config.name), activation: config.activation }];
    }
    case "Activation":
      return [{ kind: "activation", name: config.name, activation: config.activation }];
    case "Dropout":
      return [{ kind: "dropout", name: config.name, rate: config.rate }];
  }
}

/** What the activation of a Dense layer is called. */
export function activationNameOf(dense: string): string {
  return `${dense}/activation`;
}

/**
 * The network with its initial weights, which are the seed's.
 * @param features numbers of a row of the data
 * @throws SlipwayError E_TRAINING_INVALID when the description says otherwise, or the network is too large
 */
export function buildNetwork({ name, features: described, layers }: Blueprint, features: number, seed: number): Mlp {
  if (described !== undefined && described !== features) {
    throw invalid(`the network takes rows of ${described} numbers, the data has ${features} and the target`);
  }
  const random = Random.of(seed, "weights");
  let width = features;
  let parameters = 0;
  const built = layers.map((layer): MlpLayer => {
    if (layer.kind !== "dense") return layer;
    const fans = { inputs: width, outputs: layer.units };
    parameters += (fans.inputs + 1) * fans.outputs;
    if (parameters > networkBounds.parameters) {
      throw invalid(`the network has more than ${networkBounds.parameters} parameters at layer ${layer.name}`);
    }
    const kernel = new Float64Array(fans.inputs * fans.outputs);
    layer.kernelInitializer(kernel, fans, random);
    const bias = layer.useBias ? new Float64Array(fans.outputs) : undefined;
    if (bias) layer.biasInitializer(bias, { inputs: fans.outputs, outputs: fans.outputs }, random);
    width = layer.units;
    return { kind: "dense", name: layer.name, ...fans, kernel, bias, l2: layer.l2 };
  });
  return { name, features, outputs: width, layers: built };
}

/** The network's description in Keras' form, without weights. */
export function describeNetwork({ name, features, layers }: Mlp): Record<string, unknown> {
  const described = layers.flatMap((layer, index): object[] => {
    if (layer.kind === "dropout") return [layerOf("Dropout", { name: layer.name, rate: layer.rate })];
    if (layer.kind === "activation") {
      const before = layers[index - 1];
      if (before?.kind === "dense" && layer.name === activationNameOf(before.name)) return [];
      return [layerOf("Activation", { name: layer.name, activation: layer.activation })];
    }
    const next = layers[index + 1];
    const own = next?.kind === "activation" && next.name === activationNameOf(layer.name) ? next.activation : "linear";
    const config = {
      name: layer.name,
      units: layer.outputs,
      activation: own,
      use_bias: layer.bias !== undefined,
      ...(layer.l2 > 0 && {
        kernel_regularizer: {
          module: "keras.regularizers",
          class_name: "L2",
          config: { l2: layer.l2 },
          registered_name: null,
        },
      }),
    };
    return [layerOf("Dense", config)];
  });
  const input = {
    class_name: "InputLayer",
    config: { name: "input", batch_shape: [null, features], dtype: "float32" },
  };
  return {
    module: "keras",
    class_name: "Sequential",
    config: { name, layers: [input, ...described] },
    registered_name: null,
  };
}

/** A layer as Keras 3 describes it. */
export function layerOf(kind: string, config: Record<string, unknown>): Record<string, unknown> {
  return { module: "keras.layers", class_name: kind, config, registered_name: null };
}

function invalid(reason: string): SlipwayError {
  return new SlipwayError("E_TRAINING_INVALID", reason, {
    hint: "Write the network with Keras' model.to_json(); docs/reference/training.md says which layers can be trained.",
  });
}
