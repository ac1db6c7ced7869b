import { renderHostUserData } from "../contextualization/render.ts";
import type { StackConfig } from "./config.ts";
import { type GenerationHost, type Generations, type WantedHost, wantedGeneration } from "./generations.ts";
import { serverContext } from "./host-contexts.ts";
import type { PublicationRecord } from "./publication.ts";
import { keypairName, stackTag } from "./tags.ts";

/** Set by `slipway` for the engine: the program makes the recorded generations and none besides. */
export const RECORDED_ONLY = { SLIPWAY_GENERATIONS: "recorded" };

/** What a stack's hosts are made of. */
export interface HostSource {
  project: string;
  stack: string;
  config: StackConfig;
  publication: Pick<PublicationRecord, "sourceUrl" | "publicKey">;
  /** Where the cloud-init templates lie. */
  templateFolder: string;
}

/** The hosts that a program declares. */
export interface PlannedHosts {
  /** Those that are recorded, in the order of their numbers. */
  recorded: GenerationHost[];
  /** The one that is to be made besides, once image and flavor are looked up. */
  missing: (WantedHost & { number: number }) | undefined;
  /** The frontend's port of the stack's first generation. */
  firstPort: number;
}

/** What the configuration makes a host of a number from. */
export function wantedHost(
  { project, stack, config, publication, templateFolder }: HostSource,
  number: number,
): WantedHost {
  const context = serverContext(stack, { ...config, generation: number }, publication);
  return {
    image: config.image,
    imageId: config.imageId,
    flavor: config.flavor,
    keyPair: keypairName(stackTag(project, stack)),
    userData: renderHostUserData(context, templateFolder),
    roles: context.roles,
    frontendPort: context.frontendPort,
  };
}

/**
 * The hosts that a stack's program declares: each recorded one as it was made, and the one that the configuration asks for, if that is
 * another one. Where nothing is recorded that one is all.
 */
export function plannedHosts(
  source: HostSource,
  record: Generations | undefined,
  env: NodeJS.ProcessEnv = process.env,
): PlannedHosts {
  const { generation, frontendPort } = source.config;
  const missing = (number: number) => ({ number, ...wantedHost(source, number) });
  if (record === undefined) return { recorded: [], missing: missing(generation), firstPort: frontendPort };
  const { hosts, firstPort } = record;
  const planned = { recorded: hosts, missing: undefined, firstPort };
  if (env.SLIPWAY_GENERATIONS === RECORDED_ONLY.SLIPWAY_GENERATIONS) return planned;
  const wanted = wantedGeneration(record, (number) => wantedHost(source, number), generation);
  return wanted.made ? planned : { ...planned, missing: missing(wanted.number) };
}
