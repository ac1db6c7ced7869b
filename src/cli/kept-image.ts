import { z } from "zod";
import type { StackConfig } from "../components/config.ts";
import { readGenerations } from "../components/generations.ts";
import { generationName } from "../components/host-contexts.ts";
import type { Engine, StackReference } from "../engine/engine.ts";

const madeFrom = z.object({ image: z.string(), imageId: z.string(), generation: z.string() });

/**
 * An engine whose stack keeps the image that it was made from: a later one of the same name — rebuilt, or somebody else's — neither
 * replaces a server nor stands in the way of a change. Another name or a new generation looks the image up again. A stack whose
 * generations are recorded keeps all that they were made from by itself.
 */
export function withKeptImage(
  engine: Engine,
  config: Pick<StackConfig, "image" | "imageId" | "generation">,
  stackHome: string,
): Engine {
  const kept = async (stack: StackReference): Promise<StackReference> => {
    if ((await readGenerations(stackHome)) !== undefined) return stack;
    const { data } = madeFrom.safeParse(await engine.outputs(stack));
    const same = data?.image === config.image && data.generation === generationName(config.generation);
    if (!same || config.imageId !== undefined) return stack;
    return { ...stack, configOverrides: { ...stack.configOverrides, [`${stack.project}:imageId`]: data.imageId } };
  };
  return {
    ...engine,
    preview: async (stack, options) => engine.preview(await kept(stack), options),
    up: async (stack, options) => engine.up(await kept(stack), options),
  };
}
