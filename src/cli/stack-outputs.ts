import { z } from "zod";
import { SlipwayError } from "../common/errors.ts";
import { serverRoles } from "../components/roles.ts";

/** What the program of a stack exports for the verbs (stacks/index.ts). */
export const stackOutputs = z.object({
  serverId: z.string(),
  serverName: z.string(),
  portId: z.string(),
  fixedIp: z.string(),
  floatingIpId: z.string(),
  floatingIp: z.string(),
  frontendPort: z.number(),
  /** Absent where the hosts serve no gRPC. */
  grpcPort: z.number().optional(),
  generation: z.string(),
  image: z.string(),
  flavor: z.string(),
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
    roles: serverRoles,
    image: outputs.image,
    flavor: outputs.flavor,
    privateIp: outputs.fixedIp,
    floatingIp: now.attached ? outputs.floatingIp : null,
    state: now.state,
  };
}
