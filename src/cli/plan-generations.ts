import { join } from "node:path";
import { SlipwayError } from "../common/errors.ts";
import {
  type GenerationHost,
  type Generations,
  type WantedGeneration,
  wantedGeneration,
} from "../components/generations.ts";
import { serverName } from "../components/host-contexts.ts";
import { type HostSource, wantedHost } from "../components/planned-hosts.ts";
import { findPublication } from "../components/publication.ts";
import { stackTag } from "../components/tags.ts";
import { type Flavor, listFlavors } from "../openstack/compute/flavors.ts";
import { listServers } from "../openstack/compute/servers.ts";
import { listImages } from "../openstack/image/images.ts";
import { onlyGenerations, withGeneration, writeGenerations } from "../release/generations.ts";
import type { Delivery } from "./delivery.ts";
import { generationsOf } from "./recorded-generations.ts";
import { requireRoom } from "./room-for-two.ts";
import { settleGenerations } from "./settle-generations.ts";
import type { Reporter } from "./ui/reporter.ts";
import type { LocalStack, Workspace } from "./workspace.ts";

/** What is to become of a stack's hosts. */
export interface GenerationPlan {
  record: Generations;
  /** The hosts that are to serve in place of the live ones; undefined where these stay. */
  next: number | undefined;
}

/**
 * Decides whether a stack's hosts are renewed, and remembers it: the engine's next run makes the new ones beside the old. Says so, and shows
 * first that there is room for both. Hosts that an earlier run has left over are removed by the engine's next run.
 * @returns undefined for a stack that has never served
 * @throws SlipwayError E_QUOTA, E_LOOKUP before anything is touched
 */
export async function planGenerations(
  workspace: Workspace,
  reporter: Reporter,
  options: { keepOld: boolean; delivery: Delivery; signal: AbortSignal },
): Promise<GenerationPlan | undefined> {
  const { stackHome, config } = workspace;
  const source = await hostSource(workspace);
  const found = source && (await generationsOf(workspace));
  if (source === undefined || found === undefined) return undefined;
  const want = (number: number) => wantedHost(source, number);
  const wanted = wantedGeneration(found, want, config.generation);
  const next = wanted.number === found.live ? undefined : wanted.number;
  // two at a time: what is kept beside them goes first
  const stay =
    options.keepOld && next === undefined ? found.hosts.map(({ number }) => number) : [found.live, wanted.number];
  const kept = await settleGenerations(workspace, reporter, onlyGenerations(found, stay), {
    before: found,
    // the engine runs anyway where nothing is to be made in the room that this gives
    atOnce: !wanted.made,
    signal: options.signal,
  });
  if (next === undefined) return { record: await writeGenerations(stackHome, kept), next };
  const host = wanted.made ? undefined : await foundHost(workspace, { number: next, ...want(next) });
  for (const line of renewalLines(found.live, wanted)) reporter.note(line);
  if (host !== undefined || !(await isMade(workspace, next))) {
    const flavor = host?.flavor ?? (await flavorNamed(workspace, config.flavor));
    const needsAddress = options.delivery.bring !== undefined || config.aiengine !== undefined;
    await requireRoom(workspace.session, serverName(next), flavor, needsAddress && config.sshJumpHost === undefined);
  }
  const record = host === undefined ? kept : withGeneration(kept, host.made);
  return { record: await writeGenerations(stackHome, record), next };
}

/** What an `up` would make of a stack's hosts, for people; no line where it would renew none. */
export async function plannedRenewal(workspace: Workspace): Promise<string[]> {
  const source = await hostSource(workspace);
  const record = source && (await generationsOf(workspace));
  if (source === undefined || record === undefined) return [];
  const wanted = wantedGeneration(record, (number) => wantedHost(source, number), workspace.config.generation);
  const old = record.hosts.filter(({ number }) => number !== record.live && number !== wanted.number);
  const removed = old.map(({ number }) => `${serverName(number)}, which an earlier run left, is removed`);
  return [...removed, ...renewalLines(record.live, wanted)];
}

function renewalLines(live: number, wanted: WantedGeneration): string[] {
  if (wanted.number === live) return [];
  const [old, made] = [serverName(live), serverName(wanted.number)];
  const then = `${made} is created, asked, gets the address and is watched, then ${old} is removed`;
  if (wanted.made) return [`a new generation, ${made} beside ${old}, goes on: ${then}`];
  return [`a new generation, ${made} beside ${old}, because ${wanted.reasons.join(", ")}: ${then}`];
}

/** Undefined before the first publication, which is part of the hosts' user-data. */
async function hostSource(local: LocalStack): Promise<HostSource | undefined> {
  const { projectRoot, project, stack, config } = local;
  const publication = await findPublication(projectRoot, stack);
  return publication && { project, stack, config, publication, templateFolder: join(projectRoot, "cloud-init") };
}

async function isMade({ session, reference, stack }: Workspace, number: number): Promise<boolean> {
  const metadata = { slipway: stackTag(reference.project, stack) };
  return (await listServers(session, { name: serverName(number), metadata })).length > 0;
}

/** A wanted host with the image and flavor that the configuration's names stand for now. */
async function foundHost(
  workspace: Workspace,
  wanted: ReturnType<typeof wantedHost> & { number: number },
): Promise<{ made: GenerationHost; flavor: Flavor }> {
  const flavor = await flavorNamed(workspace, wanted.flavor);
  const imageId = wanted.imageId ?? (await imageNamed(workspace, wanted.image));
  return { made: { ...wanted, imageId, flavorId: flavor.id }, flavor };
}

async function imageNamed({ session }: Workspace, name: string): Promise<string> {
  return theOne("image", name, await listImages(session, { name, status: "active" })).id;
}

async function flavorNamed({ session }: Workspace, name: string): Promise<Flavor> {
  const all = await listFlavors(session);
  return theOne(
    "flavor",
    name,
    all.filter((flavor) => flavor.name === name),
  );
}

function theOne<T extends { id: string }>(kind: string, name: string, found: T[]): T {
  const [one, ...more] = found;
  if (one !== undefined && more.length === 0) return one;
  throw new SlipwayError("E_LOOKUP", `${found.length === 0 ? "no" : "more than one"} ${kind} is named ${name}`, {
    details: found.map(({ id }) => id),
    hint: `List them with \`openstack ${kind} list\`; of several images of one name, slipway:imageId says which is meant.`,
  });
}
