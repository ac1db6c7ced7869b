import { SlipwayError } from "../common/errors.ts";
import { undone } from "../common/undo.ts";
import { type JournalLine, parseJournal } from "../guest/journal.ts";
import type { Manifest } from "../guest/manifest.ts";
import { describe, followJournal, type Verdict } from "../health/follow-journal.ts";
import { consoleOutput } from "../openstack/compute/servers.ts";
import { bringKey } from "../release/bring-key.ts";
import { republish, type StagedRelease } from "../release/publication.ts";
import type { Delivery } from "./delivery.ts";
import { withHost } from "./host-access.ts";
import { readCertificates } from "./host-settings.ts";
import type { StackOutputs } from "./stack-outputs.ts";
import type { Reporter } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** How long a host may take from its start to its verdict; a guest under software emulation needs minutes. */
const BOOTSTRAP_TIMEOUT_MS = 15 * 60_000;

/** What a host follows, or shall follow now, and how it gets it. */
interface Delivered {
  staged: Pick<StagedRelease, "manifest" | "changed" | "replaced">;
  delivery: Delivery;
  reporter: Reporter;
  signal: AbortSignal;
  /** For the verdict. */
  timeoutMs?: number | undefined;
}

/**
 * Brings a published release into a host, where it does not fetch it by itself, and follows the host to its verdict. A release that failed
 * there in an earlier run is published again, under a sequence of its own: the host tries it once more, since the cause may be mended.
 * @returns the manifest that passed
 * @throws SlipwayError E_BOOTSTRAP_FAILED, E_GATE_FAILED with the host's last lines; E_SSH, E_HOST_KEY, E_TIMEOUT
 */
export async function reachVerdict(
  workspace: Workspace,
  outputs: StackOutputs,
  delivered: Delivered,
): Promise<Manifest> {
  const { reporter, signal, timeoutMs = BOOTSTRAP_TIMEOUT_MS } = delivered;
  const { serverId, serverName } = outputs;
  const readConsole = () => consoleOutput(workspace.session, serverId);
  const manifest = await retriedManifest(workspace, delivered, readConsole);
  await bringRelease(workspace, manifest, outputs, delivered);
  return reporter.phase("bootstrap", `host ${serverName}`, async (progress) => {
    const verdict = await followJournal({
      readConsole,
      sequence: manifest.sequence,
      timeoutMs,
      onLine: ({ entry }) => progress.detail(describe(entry)),
      signal,
    });
    // A cloud that hides the console leaves only the check from outside.
    if (verdict === undefined || (verdict.ok && verdict.model?.digest === digestOf(manifest))) return manifest;
    throw await undone(
      failureOf(verdict, manifest),
      () => followOldRelease(workspace, outputs, delivered, verdict),
      "the old release could not be published again",
    );
  });
}

/**
 * Brings a published release into a host as far as it does not fetch it by itself: all of it where it is pushed to, and in any case the
 * private key that a release needs and that is published nowhere.
 */
export async function bringRelease(
  workspace: Workspace,
  manifest: Manifest,
  outputs: StackOutputs,
  { delivery, reporter, signal }: Pick<Delivered, "delivery" | "reporter" | "signal">,
): Promise<void> {
  await bringCertificateKey(workspace, manifest, outputs, { reporter, signal });
  const deliver = delivery.bring;
  if (deliver === undefined) return;
  await reporter.phase("push", `release pushed into ${outputs.serverName}`, (progress) =>
    deliver(manifest, { outputs, progress, signal }),
  );
}

/** An older release's key is in the host already: the configuration knows only that of its own certificate. */
async function bringCertificateKey(
  workspace: Workspace,
  { settings: { aiengine } }: Manifest,
  outputs: StackOutputs,
  { reporter, signal }: Pick<Delivered, "reporter" | "signal">,
): Promise<void> {
  const { config, projectRoot } = workspace;
  if (aiengine === undefined || config.aiengine === undefined) return;
  const pair = await readCertificates(projectRoot, config.aiengine);
  if (pair.cert !== aiengine.cert) return;
  await reporter.phase("key", `the certificate's key brought into ${outputs.serverName}`, (progress) =>
    withHost(workspace, { outputs, progress, signal }, (connection) => bringKey(connection, pair, signal)),
  );
}

/** What the host shall follow now: the staged manifest, unless it failed there in an earlier run. */
async function retriedManifest(
  workspace: Workspace,
  { staged, delivery, reporter }: Delivered,
  readConsole: () => Promise<string>,
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
  reporter.note("the host failed this release in an earlier run and tries it again");
  return republish(publicationOf(workspace, delivery), staged.manifest);
}

/** Hosts follow the publication: a release that failed must not be what the next boot finds. */
async function followOldRelease(
  workspace: Workspace,
  outputs: StackOutputs,
  delivered: Delivered,
  verdict: Verdict,
): Promise<void> {
  const { staged, delivery } = delivered;
  if (!keptOldModel(verdict, staged.manifest) || staged.replaced === undefined) return;
  const old = await republish(publicationOf(workspace, delivery), staged.replaced);
  await bringRelease(workspace, old, outputs, delivered);
}

function keptOldModel(verdict: Verdict, manifest: Manifest): boolean {
  return verdict.model !== undefined && verdict.model.digest !== digestOf(manifest);
}

function failureOf(verdict: Verdict, manifest: Manifest): SlipwayError {
  const kept = keptOldModel(verdict, manifest);
  const { step = "bootstrap", reason = "the host gave no reason", lines = [] } = verdict.failure ?? {};
  return new SlipwayError(step === "gate" || kept ? "E_GATE_FAILED" : "E_BOOTSTRAP_FAILED", `step ${step}: ${reason}`, {
    details: lines[0] === reason ? lines.slice(1) : lines,
    hint: kept
      ? `The old model (version ${verdict.model?.version}) still serves: mend the new one and run \`slipway up\` again.`
      : "Look at all steps with `slipway logs`, mend the cause, and run `slipway up` again, or `slipway down`.",
  });
}

function publicationOf({ stack, stackHome }: Workspace, { store }: Delivery) {
  return { store, stack, home: stackHome };
}

function digestOf(manifest: Manifest): string | undefined {
  return manifest.models[0]?.digest;
}
