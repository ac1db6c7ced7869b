import { z } from "zod";
import { SlipwayError } from "../common/errors.ts";
import { readGenerations } from "../components/generations.ts";
import { generationName, serverName } from "../components/host-contexts.ts";
import { serverRoles } from "../components/roles.ts";

/** What differs from generation to generation. */
const generationOutputs = z.object({
  generation: z.string(),
  serverId: z.string(),
  serverName: z.string(),
  portId: z.string(),
  fixedIp: z.string(),
  frontendPort: z.number(),
  image: z.string(),
  flavor: z.string(),
});

/** What the program of a stack exports for the verbs (stacks/index.ts): of its newest generation, and of each. */
export const stackOutputs = generationOutputs.extend({
  floatingIpId: z.string(),
  floatingIp: z.string(),
  /** Absent where the hosts serve no gRPC. */
  grpcPort: z.number().optional(),
  /** Absent where an older program made the stack: one generation it has. */
  generations: z.array(generationOutputs).optional(),
});

export type StackOutputs = z.infer<typeof stackOutputs>;

/**
 * The outputs of a stack that is to serve.
 * @throws SlipwayError E_UPDATE_FAILED naming those that are missing: with `--target` the program may not have come so far
 */
export function requireStackOutputs(outputs: Record<string, unknown>): StackOutputs {
  const parsed = stackOutputs.safeParse(outputs);
  if (parsed.success) return parsed.data;
  const names = [...new Set(parsed.error.issues.map(({ path }) => path.join(".")))].join(", ");
  throw new SlipwayError("E_UPDATE_FAILED", `the stack cannot serve yet: its outputs lack ${names}`, {
    hint: "Run `slipway up` without --target; a program of your own must export what stacks/index.ts does.",
  });
}

/** The outputs of each generation of a stack, in the order of their numbers. */
export function eachGeneration(outputs: StackOutputs): StackOutputs[] {
  return outputs.generations?.map((one) => ({ ...outputs, ...one })) ?? [outputs];
}

/**
 * The outputs of one generation.
 * @throws SlipwayError E_UPDATE_FAILED where the stack has none of this number
 */
export function requireGeneration(outputs: StackOutputs, number: number): StackOutputs {
  const found = eachGeneration(outputs).find(({ generation }) => generation === generationName(number));
  if (found !== undefined) return found;
  throw new SlipwayError("E_UPDATE_FAILED", `the stack cannot serve yet: it has no ${serverName(number)}`, {
    hint: "Run `slipway up` without --target; a program of your own must export what stacks/index.ts does.",
  });
}

/** The outputs of the hosts that serve; those of the newest where none is remembered. */
export async function liveOutputs(stackHome: string, outputs: StackOutputs): Promise<StackOutputs> {
  const live = (await readGenerations(stackHome))?.live;
  if (live === undefined) return outputs;
  return eachGeneration(outputs).find(({ generation }) => generation === generationName(live)) ?? outputs;
}

/** The address that clients use. */
export function endpointUrl({ floatingIp, frontendPort }: StackOutputs): string {
  return `http://${floatingIp}:${frontendPort}`;
}

/** The address of gRPC clients, `host:port`; undefined where there is none. */
export function grpcAddress({ floatingIp, grpcPort }: StackOutputs): string | undefined {
  return grpcPort === undefined ? undefined : `${floatingIp}:${grpcPort}`;
}

/** The outputs with the address that really leads to the stack, where that is not the program's own. */
export function withAddress(outputs: StackOutputs, address: string | undefined): StackOutputs {
  return address === undefined ? outputs : { ...outputs, floatingIp: address };
}

/** A host as the final objects of the verbs show it. */
export function hostObject(outputs: StackOutputs, now: { attached: boolean; state: string }) {
  return {
    name: outputs.serverName,
    id: outputs.serverId,
    generation: outputs.generation,
    roles: serverRoles,
    image: outputs.image,
    flavor: outputs.flavor,
    privateIp: outputs.fixedIp,
    floatingIp: now.attached ? outputs.floatingIp : null,
    state: now.state,
  };
}
