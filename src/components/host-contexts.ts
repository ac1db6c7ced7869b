import type { HostContext } from "../contextualization/render.ts";
import type { StackConfig } from "./config.ts";
import type { PublicationRecord } from "./publication.ts";
import { serverRoles } from "./roles.ts";

type Publication = Pick<PublicationRecord, "sourceUrl" | "publicKey">;

/** What the user-data of the one host of the topology `server` is made of. */
export function serverContext(stack: string, config: StackConfig, publication: Publication): HostContext {
  const { sourceUrl, publicKey } = publication;
  const { frontendPort } = config;
  const generation = generationName(config.generation);
  return { stack, host: "server", generation, roles: serverRoles, sourceUrl, publicKey, frontendPort };
}

const byTopology: Record<StackConfig["topology"], (typeof serverContext)[]> = { server: [serverContext] };

/** The same of each host that a stack's topology has. */
export function hostContexts(stack: string, config: StackConfig, publication: Publication): HostContext[] {
  return byTopology[config.topology].map((contextOf) => contextOf(stack, config, publication));
}

/** What a generation of a stack's hosts is called, as in `g2`. */
export function generationName(number: number): string {
  return `g${number}`;
}

/** The name in the cloud of the one host of the topology `server`, in a generation. */
export function serverName(number: number): string {
  return hostName({ host: "server", generation: generationName(number) });
}

/** A host's name in the cloud. */
export function hostName({ host, generation }: Pick<HostContext, "host" | "generation">): string {
  return `${host}-${generation}`;
}
