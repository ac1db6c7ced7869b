import { messageOf } from "../common/errors.ts";
import { drainJobs, jobsAt } from "../release/drain.ts";
import { findOwnToken } from "../release/tokens.ts";
import { withHost } from "./host-access.ts";
import { endpointUrl, type StackOutputs } from "./stack-outputs.ts";
import type { Reporter } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** How many jobs a host has to do, asked at its address; undefined where it does not tell. */
export async function jobsOf(
  { stackHome }: Pick<Workspace, "stackHome">,
  outputs: StackOutputs,
  signal: AbortSignal,
): Promise<number | undefined> {
  return jobsAt(endpointUrl(outputs), { token: await findOwnToken(stackHome), signal });
}

/**
 * Lets a host that its address has left do the jobs that it was given. That they cannot be waited for, or are not done in time, is told and
 * is no failure.
 * @param options.jobs how many it had while it could be asked; where that is not known, or none, nobody looks
 * @returns whether none is left as far as is known
 */
export async function drainHost(
  workspace: Workspace,
  reporter: Reporter,
  outputs: StackOutputs,
  { jobs, drainSeconds, signal }: { jobs: number | undefined; drainSeconds: number; signal: AbortSignal },
): Promise<boolean> {
  if (jobs === undefined || jobs === 0) return true;
  return reporter.phase("drain", `${jobs} jobs that ${outputs.serverName} was given`, async (progress) => {
    try {
      const token = await findOwnToken(workspace.stackHome);
      const asking = { port: outputs.frontendPort, timeoutMs: drainSeconds * 1000, token, signal };
      const left = await withHost(workspace, { outputs, progress, signal }, (connection) =>
        drainJobs(connection, asking),
      );
      if (left !== 0) progress.note(`${left ?? "some"} jobs were not done after ${drainSeconds} s`);
      return left === 0;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Error)) throw error;
      progress.note(`the jobs are not waited for: ${messageOf(error)}`);
      return false;
    }
  });
}
