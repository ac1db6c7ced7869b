import { SlipwayError } from "../common/errors.ts";
import { undone } from "../common/undo.ts";
import type { Generations } from "../components/generations.ts";
import type { Manifest } from "../guest/manifest.ts";
import { onlyGenerations, withLive } from "../release/generations.ts";
import type { StagedRelease } from "../release/publication.ts";
import type { Delivery } from "./delivery.ts";
import { drainHost, jobsOf } from "./drain-host.ts";
import { reachVerdict } from "./host-verdict.ts";
import { DRAIN_SECONDS } from "./options.ts";
import { attachedAddress } from "./public-address.ts";
import { removeFailed, settleGenerations } from "./settle-generations.ts";
import { endpointUrl, requireGeneration, type StackOutputs, withAddress } from "./stack-outputs.ts";
import { type Switched, type Switching, switchGeneration } from "./switch-generation.ts";
import type { Reporter } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** What becomes of hosts that are renewed, and of those that they take the place of. */
export interface RenewalOptions {
  /** Whether the old ones stay beside the new ones. */
  keepOld: boolean;
  /** How long the old ones' jobs are waited for; {@link DRAIN_SECONDS} unless given. */
  drainSeconds?: number | undefined;
}

interface Renewal extends Switching, RenewalOptions {
  /** Of the stack as the engine has made it. */
  outputs: StackOutputs;
  staged: StagedRelease;
  delivery: Delivery;
  /** How long hosts may take to their verdict, where that is not as long as they usually may. */
  verdictMs?: number | undefined;
}

/**
 * Puts hosts that the engine has made beside the live ones in their place: follows them to their own verdict, has the address change over, lets
 * the old ones end what they have begun, and removes them. Hosts that fail are removed, and the old ones serve on; the same where
 * the release itself is what fails.
 * @throws SlipwayError E_BOOTSTRAP_FAILED, E_GATE_FAILED; E_TIMEOUT and others that the next run goes on from
 */
export async function renewHosts(
  workspace: Workspace,
  reporter: Reporter,
  { record, next }: { record: Generations; next: number },
  renewal: Renewal,
): Promise<Switched & { manifest: Manifest }> {
  const { outputs, keepOld, drainSeconds = DRAIN_SECONDS, signal } = renewal;
  const old = requireGeneration(outputs, record.live);
  const made = requireGeneration(outputs, next);
  const { jobs, ...renewed } = await putInPlace(workspace, reporter, { record, old, made, next }, renewal).catch(
    async (error: unknown) => {
      if (!isFailure(error)) throw error;
      const remove = async () => {
        const file = await removeFailed(workspace, reporter, onlyGenerations(record, [record.live]), made, signal);
        error.details.push(`${made.serverName} is removed; what it wrote on its console is in ${file}`);
      };
      throw await undone(error, remove, `${made.serverName} could not be removed; the next \`slipway up\` does`);
    },
  );
  if (keepOld) return renewed;
  if (drainSeconds === 0 || (await drainHost(workspace, reporter, old, { jobs, drainSeconds, signal }))) {
    const before = withLive(record, next);
    await settleGenerations(workspace, reporter, onlyGenerations(before, [next]), { before, atOnce: true, signal });
  } else {
    reporter.note(`${old.serverName} stays for its jobs; the next \`slipway up\` removes it`);
  }
  return renewed;
}

/** @returns also how many jobs the old host had when the address left it */
async function putInPlace(
  workspace: Workspace,
  reporter: Reporter,
  { record, old, made, next }: { record: Generations; old: StackOutputs; made: StackOutputs; next: number },
  { outputs, staged, delivery, verdictMs, ...switching }: Renewal,
): Promise<Switched & { manifest: Manifest; jobs: number | undefined }> {
  const { signal } = switching;
  const address = await attachedAddress(workspace, old);
  const attached = address === undefined ? undefined : withAddress(old, address);
  const following = { delivery, reporter, timeoutMs: verdictMs, signal };
  let { manifest } = staged;
  // what is wrong with a release shall show on hosts that are known to be good
  if (staged.changed && attached !== undefined) {
    const url = endpointUrl(attached);
    ({ manifest } = await reachVerdict(workspace, old, { ...following, staged, url }));
  }
  // these hosts have no past: a verdict that they have given is on this release
  const followed = { manifest, changed: true, replaced: undefined };
  ({ manifest } = await reachVerdict(workspace, made, { ...following, staged: followed }).catch((error: unknown) => {
    throw failedHost(error, made, old);
  }));
  const jobs = attached && (await jobsOf(workspace, attached, signal));
  const switched = await switchGeneration(workspace, reporter, { record, outputs, to: next }, switching);
  return { ...switched, manifest, jobs };
}

/** Whether hosts, or a release, did not pass: everything else the next run goes on from. */
function isFailure(error: unknown): error is SlipwayError {
  return error instanceof SlipwayError && ["E_BOOTSTRAP_FAILED", "E_GATE_FAILED"].includes(error.code);
}

function failedHost(error: unknown, made: StackOutputs, old: StackOutputs): unknown {
  if (!isFailure(error)) return error;
  return new SlipwayError(error.code, `${made.serverName}: ${error.message}`, {
    cause: error,
    details: error.details,
    hint: `Mend the cause and run \`slipway up\` again, or take the change back: ${old.serverName} serves on.`,
  });
}
