import { z } from "zod";
import type { Random } from "./random.ts";

/** Fills an array of weights. */
export type Initializer = (values: Float64Array, fans: { inputs: number; outputs: number }, random: Random) => void;

const variance = z.object({
  scale: z.number().positive(),
  mode: z.enum(["fan_in", "fan_out", "fan_avg"]),
  distribution: z.enum(["uniform", "normal", "truncated_normal", "untruncated_normal"]),
});

/** The deviation of a normal distribution that is cut at two deviations, against that of the whole. */
const TRUNCATED_DEVIATION = 0.8796256610342398;

function varianceScaling({ scale, mode, distribution }: z.output<typeof variance>): Initializer {
  return (values, { inputs, outputs }, random) => {
    const fan = { fan_in: inputs, fan_out: outputs, fan_avg: (inputs + outputs) / 2 }[mode];
    const deviation = Math.sqrt(scale / Math.max(1, fan));
    const reach = Math.sqrt(3) * deviation;
    for (let i = 0; i < values.length; i++) {
      if (distribution === "uniform") values[i] = reach * (2 * random.uniform() - 1);
      else if (distribution === "untruncated_normal") values[i] = deviation * random.normal();
      else values[i] = (deviation / TRUNCATED_DEVIATION) * random.truncatedNormal();
    }
  };
}

const scaled = (
  scale: number,
  mode: "fan_in" | "fan_avg",
  distribution: "uniform" | "truncated_normal",
): (() => Initializer) => {
  return () => varianceScaling({ scale, mode, distribution });
};

const constant = (value: number): Initializer => {
  return (values) => {
    values.fill(value);
  };
};

const uniformConfig = z.object({ minval: z.number().default(-0.05), maxval: z.number().default(0.05) });
const normalConfig = z.object({ mean: z.number().default(0), stddev: z.number().nonnegative().default(0.05) });

/** By the names of their classes in Keras 2 and 3; `config` is what the network's description holds. Throws a ZodError. */
const initializers: ReadonlyMap<string, (config: unknown) => Initializer> = new Map<
  string,
  (config: unknown) => Initializer
>([
  ["VarianceScaling", (config) => varianceScaling(variance.parse(config))],
  ["GlorotUniform", scaled(1, "fan_avg", "uniform")],
  ["GlorotNormal", scaled(1, "fan_avg", "truncated_normal")],
  ["HeUniform", scaled(2, "fan_in", "uniform")],
  ["HeNormal", scaled(2, "fan_in", "truncated_normal")],
  ["LecunUniform", scaled(1, "fan_in", "uniform")],
  ["LecunNormal", scaled(1, "fan_in", "truncated_normal")],
  ["Zeros", () => constant(0)],
  ["Ones", () => constant(1)],
  ["Constant", (config) => constant(z.object({ value: z.number().default(0) }).parse(config).value)],
  [
    "RandomUniform",
    (config) => {
      const { minval, maxval } = uniformConfig.parse(config);
      return (values, _fans, random) => {
        for (let i = 0; i < values.length; i++) values[i] = minval + (maxval - minval) * random.uniform();
      };
    },
  ],
  [
    "RandomNormal",
    (config) => {
      const { mean, stddev } = normalConfig.parse(config);
      return (values, _fans, random) => {
        for (let i = 0; i < values.length; i++) values[i] = mean + stddev * random.normal();
      };
    },
  ],
]);

/** A snake-case name as in `kernel_initializer="he_uniform"`, as the name of the class. */
function className(name: string): string {
  return name
    .split("_")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}

const describedInitializer = z.union([z.string(), z.object({ class_name: z.string(), config: z.unknown() })]);

/** Reads an initializer of a Keras description; undefined for one that is not known. Throws a ZodError. */
export function readInitializer(description: unknown, byDefault: "GlorotUniform" | "Zeros"): Initializer | undefined {
  const { class_name, config } =
    description === null || description === undefined
      ? { class_name: byDefault, config: {} }
      : named(describedInitializer.parse(description));
  return initializers.get(class_name)?.(config ?? {});
}

function named(description: z.output<typeof describedInitializer>): { class_name: string; config?: unknown } {
  if (typeof description !== "string") return description;
  return { class_name: initializers.has(description) ? description : className(description), config: {} };
}
