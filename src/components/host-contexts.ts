import type { HostContext } from "../contextualization/render.ts";
import type { StackConfig } from "./config.ts";
import type { PublicationRecord } from "./publication.ts";
import { serverRoles } from "./roles.ts";

type Publication = Pick<PublicationRecord, "sourceUrl" | "publicKey">;

/** What the user-data of the one host of the topology `server` is made of. */
export function serverContext(stack: string, config: StackConfig, publication: Publication): HostContext {
  const { sourceUrl, publicKey } = publication;
  const { frontendPort } = config;
  const generation = `g${config.generation}`;
  return { stack, host: "server", generation, roles: serverRoles, sourceUrl, publicKey, frontendPort };
}

const byTopology: Record<StackConfig["topology"], (typeof serverContext)[]> = { server: [serverContext] };

/** The same of each host that a stack's topology has. */
export function hostContexts(stack: string, config: StackConfig, publication: Publication): HostContext[] {
  return byTopology[config.topology].map((contextOf) => contextOf(stack, config, publication));
}

/** A host's name in the cloud. */
export function hostName({ host, generation }: Pick<HostContext, "host" | "generation">): string {
  return `${host}-${generation}`;
}
