import { z } from "zod";
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
  generation: z.string(),
  image: z.string(),
  flavor: z.string(),
});

export type StackOutputs = z.infer<typeof stackOutputs>;

/** The address that clients use. */
export function endpointUrl({ floatingIp, frontendPort }: StackOutputs): string {
  return `http://${floatingIp}:${frontendPort}`;
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
