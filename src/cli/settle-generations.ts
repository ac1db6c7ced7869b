import { join } from "node:path";
import { writeFileAtomic } from "../common/files.ts";
import type { Generations } from "../components/generations.ts";
import { serverName } from "../components/host-contexts.ts";
import { RECORDED_ONLY } from "../components/planned-hosts.ts";
import { stackTag } from "../components/tags.ts";
import type { StackReference } from "../engine/engine.ts";
import { consoleOutput, ensureServerStopped, listServers, type Server } from "../openstack/compute/servers.ts";
import { writeGenerations } from "../release/generations.ts";
import { forgetHostKeys } from "../remote/known-hosts.ts";
import { showEngine, summary } from "./engine-progress.ts";
import { knownHostsFile } from "./host-keys.ts";
import { requireStackOutputs, type StackOutputs } from "./stack-outputs.ts";
import type { Reporter } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** The stack whose program makes the recorded generations, and none besides. */
export function recordedOnly(reference: StackReference): StackReference {
  return { ...reference, env: { ...reference.env, ...RECORDED_ONLY } };
}

/**
 * Leaves a stack the generations of a record. Hosts that go are shut down first, as the guest's own system does it: what they have begun to
 * answer they answer to the end.
 * @param options.atOnce whether the engine removes them here; else its next run does
 */
export async function settleGenerations(
  workspace: Workspace,
  reporter: Reporter,
  record: Generations,
  { before, atOnce, signal }: { before: Generations; atOnce: boolean; signal: AbortSignal },
): Promise<Generations> {
  const gone = before.hosts.filter(({ number }) => !record.hosts.some((host) => host.number === number));
  if (gone.length === 0) return record;
  const names = gone.map(({ number }) => serverName(number));
  const servers = await serversOf(workspace, names);
  await reporter.phase("stop", `${names.join(", ")} shut down`, () =>
    Promise.all(servers.map(({ id }) => ensureServerStopped(workspace.session, id, { signal }))),
  );
  await writeGenerations(workspace.stackHome, record);
  if (atOnce) await removeGone(workspace, reporter, names, signal);
  for (const { id } of servers) await forgetHostKeys(knownHostsFile(workspace), id);
  return record;
}

/**
 * Removes hosts that do not serve what they should; their consoles stay in the stack's home.
 * @returns where the consoles are
 */
export async function removeFailed(
  workspace: Workspace,
  reporter: Reporter,
  record: Generations,
  failed: StackOutputs,
  signal: AbortSignal,
): Promise<string> {
  const { session, stackHome } = workspace;
  const file = join(stackHome, `${failed.serverName}.console.log`);
  const text = await consoleOutput(session, failed.serverId).catch(() => ""); // some clouds hide it
  await writeFileAtomic(file, text);
  await writeGenerations(stackHome, record);
  await removeGone(workspace, reporter, [failed.serverName], signal);
  await forgetHostKeys(knownHostsFile(workspace), failed.serverId);
  return file;
}

async function removeGone(
  { engine, reference }: Workspace,
  reporter: Reporter,
  names: string[],
  signal: AbortSignal,
): Promise<void> {
  await reporter.phase("retire", `${names.join(", ")} removed`, async ({ note }) => {
    const updated = await engine.up(recordedOnly(reference), { onEvent: showEngine(reporter), signal });
    note(summary(updated.changes));
    requireStackOutputs(updated.outputs);
  });
}

async function serversOf({ session, reference, stack }: Workspace, names: string[]): Promise<Server[]> {
  const servers = await listServers(session, { metadata: { slipway: stackTag(reference.project, stack) } });
  return servers.filter(({ name }) => names.includes(name));
}
