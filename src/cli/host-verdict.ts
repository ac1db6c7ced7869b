import { undone } from "../common/undo.ts";
import { type JournalLine, parseJournal } from "../guest/journal.ts";
import type { Manifest } from "../guest/manifest.ts";
import { consoleOutput } from "../openstack/compute/servers.ts";
import { bringKey } from "../release/bring-key.ts";
import { type HistoryEntry, recordInHistory } from "../release/history.ts";
import { type PublicationPlace, republish, type StagedRelease } from "../release/publication.ts";
import { originOf } from "../release/release-origin.ts";
import type { Delivery } from "./delivery.ts";
import { withHost } from "./host-access.ts";
import { failureOf, type HostOutcome, hostOutcome, isKept, isOvertaken, overtaken } from "./host-outcome.ts";
import { readCertificates } from "./host-settings.ts";
import { pushedText, servesPush } from "./pushed.ts";
import { rememberRelease } from "./remembered-release.ts";
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
  /** Of the endpoint, where an address leads to the host already. */
  url?: string | undefined;
  /** For the verdict. */
  timeoutMs?: number | undefined;
}

/** A release that passed. */
export interface PassedRelease {
  manifest: Manifest;
  /** What the host told; undefined where neither endpoint nor console did. */
  outcome: HostOutcome | undefined;
}

/**
 * Brings a published release into a host, where it does not fetch it by itself, and follows the host to its verdict. A release that failed
 * there in an earlier run is published again, under a sequence of its own: the host tries it once more, since the cause may be mended.
 * The stack's history has it from here on.
 * @throws SlipwayError E_BOOTSTRAP_FAILED, E_GATE_FAILED with the host's last lines; E_LOCKED where another release came before the host
 * took this one up; E_SSH, E_HOST_KEY, E_TIMEOUT
 */
export async function reachVerdict(
  workspace: Workspace,
  outputs: StackOutputs,
  delivered: Delivered,
): Promise<PassedRelease> {
  const { reporter, signal, url, timeoutMs = BOOTSTRAP_TIMEOUT_MS } = delivered;
  const manifest = await retriedManifest(workspace, outputs, delivered);
  const record = historian(workspace, manifest);
  await record("underway");
  await bringRelease(workspace, manifest, outputs, delivered);
  return reporter.phase("bootstrap", `host ${outputs.serverName}`, async (progress) => {
    const outcome = await hostOutcome(workspace, { manifest, outputs, url, timeoutMs, progress, signal });
    // A cloud that hides the console leaves only the check from outside.
    if (outcome === undefined || (outcome.ok && outcome.model?.digest === manifest.models[0]?.digest)) {
      await record("passed");
      return { manifest, outcome };
    }
    if (isOvertaken(outcome, manifest)) throw overtaken(outcome, manifest, workspace.stack);
    await record(isKept(outcome) ? "kept" : "broken", outcome.failure);
    throw await undone(
      failureOf(outcome),
      () => followOldRelease(workspace, outputs, delivered, outcome),
      "the old release could not be published again",
    );
  });
}

/** Writes into the stack's history how far a release has come. */
function historian({ stackHome }: Workspace, manifest: Manifest) {
  const began = performance.now();
  const at = new Date().toISOString();
  return async (result: HistoryEntry["result"], failure?: HistoryEntry["failure"]): Promise<void> => {
    await recordInHistory(stackHome, {
      manifest,
      result,
      began: at,
      ...(failure === undefined ? {} : { failure: { phase: failure.phase, reason: failure.reason } }),
      ...(result === "underway" ? {} : { ms: Math.round(performance.now() - began) }),
    });
  };
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
  { serverId }: StackOutputs,
  { staged, delivery, reporter, url }: Delivered,
): Promise<Manifest> {
  if (staged.changed) return staged.manifest;
  const place = publicationOf(workspace, delivery);
  const pushed = url === undefined ? undefined : await servesPush(workspace, url);
  if (pushed !== undefined) {
    reporter.note(`${pushedText(pushed)}, is replaced`);
    return republish(place, staged.manifest, originOf("up"));
  }
  let journal: JournalLine[];
  try {
    journal = parseJournal(await consoleOutput(workspace.session, serverId));
  } catch {
    return staged.manifest; // a cloud that hides the console, or a server that has none yet: following it deals with both
  }
  const newest = journal.findLast(({ entry }) => entry.type === "verdict")?.entry;
  if (newest?.type !== "verdict" || newest.ok || newest.sequence !== staged.manifest.sequence) return staged.manifest;
  reporter.note("the host failed this release in an earlier run and tries it again");
  return republish(place, staged.manifest);
}

/** Hosts follow the publication: a release that failed must not be what the next boot finds. */
async function followOldRelease(
  workspace: Workspace,
  outputs: StackOutputs,
  delivered: Delivered,
  outcome: HostOutcome,
): Promise<void> {
  const { staged, delivery } = delivered;
  if (!isKept(outcome) || staged.replaced === undefined) return;
  const restored = await republish(publicationOf(workspace, delivery), staged.replaced, originOf("restore"));
  await bringRelease(workspace, restored, outputs, delivered);
  // it serves already: there is no verdict to wait for
  await recordInHistory(workspace.stackHome, { manifest: restored, result: "passed", began: new Date().toISOString() });
  await rememberRelease(workspace, restored, undefined);
}

/** Where the stack's releases are published. */
export function publicationOf({ stack, stackHome }: Workspace, { store }: Delivery): PublicationPlace {
  return { store, stack, home: stackHome };
}
