import { SlipwayError } from "../common/errors.ts";
import { type JournalLine, parseJournal } from "../guest/journal.ts";
import type { Manifest } from "../guest/manifest.ts";
import { describe, followJournal, type Verdict } from "../health/follow-journal.ts";
import { consoleOutput } from "../openstack/compute/servers.ts";
import { republish, type StagedRelease } from "../release/publication.ts";
import { swiftStore } from "../release/swift-store.ts";
import type { Progress } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** How long a host may take from its start to its verdict; a guest under software emulation needs minutes. */
const BOOTSTRAP_TIMEOUT_MS = 15 * 60_000;

/**
 * Follows a host to its verdict on a published release. A release that failed there in an earlier run is published again, under a
 * sequence of its own: the host tries it once more, since the cause may be mended.
 * @returns the manifest that passed
 * @throws SlipwayError E_BOOTSTRAP_FAILED, E_GATE_FAILED with the host's last lines; E_TIMEOUT
 */
export async function requireVerdict(
  workspace: Workspace,
  serverId: string,
  staged: StagedRelease,
  { progress, signal }: { progress: Progress; signal: AbortSignal },
): Promise<Manifest> {
  const readConsole = () => consoleOutput(workspace.session, serverId);
  const manifest = await retriedManifest(workspace, staged, readConsole, progress);
  const verdict = await followJournal({
    readConsole,
    sequence: manifest.sequence,
    timeoutMs: BOOTSTRAP_TIMEOUT_MS,
    onLine: ({ entry }) => progress.detail(describe(entry)),
    signal,
  });
  // A cloud that hides the console leaves only the check from outside.
  if (verdict === undefined || (verdict.ok && verdict.model?.digest === digestOf(manifest))) return manifest;
  throw await failed(workspace, staged, verdict);
}

/** What the host shall follow now: the staged manifest, unless it failed there in an earlier run. */
async function retriedManifest(
  workspace: Workspace,
  staged: StagedRelease,
  readConsole: () => Promise<string>,
  { note }: Progress,
): Promise<Manifest> {
  if (staged.changed) return staged.manifest;
  let journal: JournalLine[];
  try {
    journal = parseJournal(await readConsole());
  } catch {
    return staged.manifest; // a cloud that hides the console, or a server that has none yet: following it deals with both
  }
  const newest = journal.findLast(({ entry }) => entry.type === "verdict")?.entry;
  if (newest?.type !== "verdict" || newest.ok || newest.sequence !== staged.manifest.sequence) return staged.manifest;
  note("the host failed this release in an earlier run and tries it again");
  return republish(publicationOf(workspace), staged.manifest);
}

async function failed(workspace: Workspace, staged: StagedRelease, verdict: Verdict): Promise<SlipwayError> {
  const kept = verdict.model !== undefined && verdict.model.digest !== digestOf(staged.manifest);
  // Hosts follow the publication: one that failed must not be what the next boot finds.
  if (kept && staged.replaced !== undefined) await republish(publicationOf(workspace), staged.replaced);
  const { step = "bootstrap", reason = "the host gave no reason", lines = [] } = verdict.failure ?? {};
  return new SlipwayError(step === "gate" || kept ? "E_GATE_FAILED" : "E_BOOTSTRAP_FAILED", `step ${step}: ${reason}`, {
    details: lines[0] === reason ? lines.slice(1) : lines,
    hint: kept
      ? `The old model (version ${verdict.model?.version}) still serves: mend the new one and run \`slipway up\` again.`
      : "Look at all steps with `slipway logs`, mend the cause, and run `slipway up` again, or `slipway down`.",
  });
}

function publicationOf({ session, stack, stackHome }: Workspace) {
  return { store: swiftStore(session), stack, home: stackHome };
}

function digestOf(manifest: Manifest): string | undefined {
  return manifest.models[0]?.digest;
}
