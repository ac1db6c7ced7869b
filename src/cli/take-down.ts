import { join } from "node:path";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { undone } from "../common/undo.ts";
import { keypairName, stackTag } from "../components/tags.ts";
import { type Backup, backupFailed, fetchBackup } from "../release/backup.ts";
import { findStackLeftovers, type Leftover, leftoverText } from "../release/leftovers.ts";
import { endMaintenance } from "../release/maintenance-address.ts";
import { unpublish } from "../release/publication.ts";
import type { StackLock } from "../release/stack-lock.ts";
import { forgetStack } from "../release/stack-record.ts";
import { type Swept, sweep } from "../release/sweep.ts";
import { forgetHostKeys } from "../remote/known-hosts.ts";
import { possibleStores } from "./delivery.ts";
import { drainHost, jobsOf } from "./drain-host.ts";
import { showEngine, summary } from "./engine-progress.ts";
import { withHost } from "./host-access.ts";
import { knownHostsFile } from "./host-keys.ts";
import { sharedLockPlace, shareLockWherePublished } from "./locked.ts";
import { DRAIN_SECONDS, refreshFirst } from "./options.ts";
import { attachAddress, attachedAddress, detachAddress } from "./public-address.ts";
import { eachGeneration, type StackOutputs, stackOutputs, withAddress } from "./stack-outputs.ts";
import { stateResources, urnsWithoutVolumes, volumesOf } from "./state-resources.ts";
import type { Reporter } from "./ui/reporter.ts";
import { bindToCloud, type Workspace } from "./workspace.ts";

/** Before the engine's own deletions: what uses a stray thing may be about to go, and is not waited for. */
const STRAY_IN_USE_MS = 2000;

/** How a stack is removed. */
export interface Teardown {
  /** Held by the caller; others see it where something is published. */
  lock: StackLock;
  refresh?: boolean | undefined;
  signal: AbortSignal;
  /** How long jobs that were taken are waited for once the address is off, seconds; {@link DRAIN_SECONDS} unless given. */
  drainSeconds?: number | undefined;
  /** Folder that the host's models and jobs are fetched into before anything is removed. */
  backup?: string | undefined;
  /** Leaves volumes and the object store's container. */
  keepData?: boolean | undefined;
}

/** What a teardown leaves on purpose. */
export interface TakenDown {
  backup: Backup | undefined;
  /** One line each. */
  kept: string[];
}

/**
 * Removes a stack: takes the address off and lets the jobs end, fetches a backup where one is asked for, deletes the resources in order,
 * sweeps what carries the stack's marks and is in no state, withdraws the publication, and asks the cloud what is left. A stack that is
 * gone already is proven gone; a teardown that was killed anywhere is finished by the next.
 * @throws SlipwayError E_LEFTOVERS listing what carries the stack's marks all the same; E_BACKUP_FAILED with the stack as it was
 */
export async function takeDown(workspace: Workspace, reporter: Reporter, teardown: Teardown): Promise<TakenDown> {
  const { engine, reference, session, stack, stackHome } = workspace;
  const { lock, signal, keepData = false } = teardown;
  const tag = stackTag(reference.project, stack);
  const marks = { tag, keypair: keypairName(tag) };
  await reporter.phase("authenticate", `log in to ${workspace.cloud ?? session.authUrl}`, () => bindToCloud(workspace));
  await shareLockWherePublished(lock, workspace);
  const state = await engine.outputs(reference);
  const outputs = stackOutputs.safeParse(state).data;
  const backup = await retire(workspace, reporter, { outputs, teardown });
  for (const { serverId } of outputs === undefined ? [] : eachGeneration(outputs)) {
    await forgetHostKeys(knownHostsFile(workspace), serverId);
  }
  await endMaintenance(session, tag);

  const swept: Swept[] = [];
  const isDoomed = ({ kind }: Leftover) => !(keepData && kind === "volume");
  await reporter.phase("destroy", "resources", async ({ note }) => {
    // an `up` that ended before its first resource has published, and made no state
    if (state === undefined) return note("there is no state: nothing was made, or it is lost");
    const resources = await stateResources(reference);
    const known = new Set(resources.map(({ id }) => id));
    const strays = (await findStackLeftovers(session, marks)).filter((one) => isDoomed(one) && !known.has(one.id));
    // what no state knows may be in the way of what one does, as a server on a network
    swept.push(...(await sweep(session, strays, { signal, inUseMs: STRAY_IN_USE_MS })));
    const targets =
      keepData && volumesOf(resources).length > 0 ? { targets: urnsWithoutVolumes(resources) } : undefined;
    const options = { onEvent: showEngine(reporter), signal, ...targets };
    if (targets?.targets.length === 0) return note("nothing but what is kept is in the state");
    note(summary((await engine.destroy(reference, { ...options, ...refreshFirst(teardown.refresh) })).changes));
  });
  await reporter.phase("sweep", "what no state remembers", async ({ note }) => {
    const left = (await findStackLeftovers(session, marks)).filter(isDoomed);
    swept.push(...(await sweep(session, left, { signal })));
    for (const { leftover, refusal } of swept) if (refusal === undefined) note(`${leftoverText(leftover)} swept`);
  });
  const kept = keepData ? await keptContainers(workspace) : [];
  if (!keepData) {
    await reporter.phase("unpublish", "payload and models withdrawn", async () => {
      for (const store of await possibleStores(workspace)) await unpublish({ store, stack, home: stackHome });
    });
  }
  await reporter.phase("prove", keepData ? "nothing is left but data" : "nothing is left", async ({ note }) => {
    const found = await findStackLeftovers(session, marks);
    kept.unshift(...found.filter((one) => !isDoomed(one)).map(leftoverText));
    for (const line of kept) note(`kept: ${line}`);
    const left = found.filter(isDoomed);
    if (left.length > 0) throw leftoversOf(stack, left, swept);
  });
  // what is kept is this cloud's: the next `down`, or `up`, must not look elsewhere
  if (kept.length === 0) await forgetStack(stackHome);
  return { backup, kept };
}

/**
 * Takes the stack out of service: nobody reaches it any more, what it was given to do is done within bounds, and its data is here.
 * Where a backup is asked for and cannot be had, the address leads to the stack again.
 */
async function retire(
  workspace: Workspace,
  reporter: Reporter,
  { outputs, teardown }: { outputs: StackOutputs | undefined; teardown: Teardown },
): Promise<Backup | undefined> {
  const { signal, backup: folder, drainSeconds = DRAIN_SECONDS } = teardown;
  if (outputs === undefined && folder !== undefined) throw backupFailed("the stack has no host");
  const attached = outputs === undefined ? undefined : await attachedAddress(workspace, outputs);
  const jobs =
    outputs === undefined || attached === undefined || drainSeconds === 0
      ? 0
      : await jobsOf(workspace, withAddress(outputs, attached), signal);
  const addresses = outputs === undefined ? "floating IPs" : `floating IP ${outputs.floatingIp}`;
  await reporter.phase("detach", `${addresses} detached`, () => detachAddress(workspace, outputs));
  if (outputs === undefined) return undefined;
  await drainHost(workspace, reporter, outputs, { jobs, drainSeconds, signal });
  if (folder === undefined) return undefined;
  const file = join(folder, `${workspace.stack}-${new Date().toISOString().replaceAll(":", "")}.tar`);
  return reporter.phase("backup", file, async (progress) => {
    try {
      return await withHost(workspace, { outputs, progress, signal }, (connection) =>
        fetchBackup(connection, file, signal),
      );
    } catch (error) {
      signal.throwIfAborted();
      const isTold = error instanceof SlipwayError && error.code === "E_BACKUP_FAILED";
      const failure = isTold ? error : backupFailed(messageOf(error), error);
      if (attached === undefined) throw failure;
      const back = async () => {
        await attachAddress(workspace, outputs, { signal, note: progress.note });
      };
      throw await undone(failure, back, "the address could not be put back");
    }
  });
}

async function keptContainers(workspace: Workspace): Promise<string[]> {
  const place = await sharedLockPlace(workspace);
  return place === undefined ? [] : [`container ${place.container}`];
}

function leftoversOf(stack: string, left: Leftover[], swept: Swept[]): SlipwayError {
  const refusals = new Map(swept.map(({ leftover, refusal }) => [leftover.id, refusal]));
  return new SlipwayError("E_LEFTOVERS", `${left.length} things with the tag of ${stack} are left`, {
    details: left.map((one) => [leftoverText(one), refusals.get(one.id)].filter(Boolean).join(": ")),
    hint: "Run `slipway down` again; what stays then, remove with the `openstack` client.",
  });
}
