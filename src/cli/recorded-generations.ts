import { z } from "zod";
import { type GenerationHost, type Generations, readGenerations } from "../components/generations.ts";
import { exportStack } from "../engine/embedded/stacks/export.ts";
import { firstGeneration, withGeneration, withLive, writeGenerations } from "../release/generations.ts";
import { readStackRecord } from "../release/stack-record.ts";
import { type StackOutputs, stackOutputs } from "./stack-outputs.ts";
import type { Workspace } from "./workspace.ts";

const SERVER_TYPE = "openstack:compute/instance:Instance";

const deployment = z.object({
  resources: z.array(
    z.object({ urn: z.string(), type: z.string(), inputs: z.record(z.string(), z.unknown()).optional() }),
  ),
});
const serverInputs = z.object({
  imageId: z.string(),
  flavorId: z.string(),
  keyPair: z.string(),
  userData: z.string(),
  metadata: z.object({ "slipway-roles": z.string() }),
});

/**
 * The generations of a stack's hosts: as they are remembered; else, for a stack that has served and that an older Slipway made, as its state
 * has its one host. Undefined for a stack that has never served: its host may be made in place of the old one.
 */
export async function generationsOf(workspace: Workspace): Promise<Generations | undefined> {
  const { engine, reference, stackHome } = workspace;
  const record = await readGenerations(stackHome);
  if (record !== undefined || (await readStackRecord(stackHome))?.release === undefined) return record;
  const outputs = stackOutputs.safeParse(await engine.outputs(reference)).data;
  const host = outputs && (await hostInState(workspace, outputs));
  return host && firstGeneration(host);
}

/** Remembers that these hosts serve, and what they were made from, where that is not known yet. */
export async function rememberLive(workspace: Workspace, outputs: StackOutputs): Promise<void> {
  const { stackHome } = workspace;
  const record = await readGenerations(stackHome);
  const number = numberOf(outputs);
  if (record?.live === number) return;
  const known = record?.hosts.some((host) => host.number === number);
  if (record !== undefined && known) return void (await writeGenerations(stackHome, withLive(record, number)));
  const host = await hostInState(workspace, outputs);
  if (host === undefined) return; // a program of the user's own: its hosts are replaced as it says
  await writeGenerations(
    stackHome,
    record === undefined ? firstGeneration(host) : withLive(withGeneration(record, host), number),
  );
}

/** 2 of `g2`. */
function numberOf({ generation }: Pick<StackOutputs, "generation">): number {
  return Number(generation.slice(1));
}

/** What a host was made from, as the state has it. */
async function hostInState({ reference }: Workspace, outputs: StackOutputs): Promise<GenerationHost | undefined> {
  const state = deployment.safeParse((await exportStack(reference)).deployment).data;
  const server = state?.resources.find(
    ({ type, urn }) => type === SERVER_TYPE && urn.endsWith(`::${outputs.serverName}`),
  );
  const made = serverInputs.safeParse(server?.inputs).data;
  if (made === undefined) return undefined;
  const { imageId, flavorId, keyPair, userData, metadata } = made;
  const { image, flavor, frontendPort } = outputs;
  const roles = metadata["slipway-roles"].split(" ");
  return { number: numberOf(outputs), image, imageId, flavor, flavorId, keyPair, userData, roles, frontendPort };
}
