import { SlipwayError } from "../common/errors.ts";
import { undone } from "../common/undo.ts";
import type { OperationOptions } from "../engine/engine.ts";
import type { Manifest } from "../guest/manifest.ts";
import { awaitEndpoint, checkEndpoint, type EndpointReport, type Expectation } from "../health/check-endpoint.ts";
import { checkGrpc } from "../health/check-grpc.ts";
import { rememberExpectation } from "../health/expectation.ts";
import { ensureServerRuns } from "../openstack/compute/servers.ts";
import { readStackRecord, recordRelease, type StackRecord } from "../release/stack-record.ts";
import { findOwnToken } from "../release/tokens.ts";
import type { Probe } from "../serving/models/probe.ts";
import { showEngine, summary } from "./engine-progress.ts";
import { reachVerdict } from "./host-verdict.ts";
import { prepareRelease } from "./prepared-release.ts";
import { attachAddress, attachedAddress } from "./public-address.ts";
import { endpointUrl, grpcAddress, requireStackOutputs, type StackOutputs, withAddress } from "./stack-outputs.ts";
import type { Reporter } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** An address that was just attached answers within this. */
export const ENDPOINT_TIMEOUT_MS = 20_000;
/** The same of a host that was switched off and has passed its gate before: it boots first. */
export const BOOT_TIMEOUT_MS = 180_000;

/** A stack that serves. */
export interface Served {
  url: string;
  outputs: StackOutputs;
  report: EndpointReport;
  /** The golden question that was answered. */
  probe: Probe;
  release: Release;
  /** False when everything was as it should be already. */
  changed: boolean;
}

/** A release as the stack remembers it. */
type Release = NonNullable<StackRecord["release"]>;

/**
 * Makes a stack serve its model: publishes payload and model, lets the engine make the resources, follows the host to its verdict,
 * attaches the floating IP and asks the endpoint from outside. Each part is skipped over where it is done already, so that a run
 * that was killed anywhere is finished by the next.
 */
export async function bringUp(
  workspace: Workspace,
  reporter: Reporter,
  options: { model?: string | undefined; signal: AbortSignal; operation?: OperationOptions },
): Promise<Served> {
  const { session, engine, reference } = workspace;
  const { signal } = options;
  const { model, delivery, staged } = await prepareRelease(workspace, reporter, options.model);
  const { changes, outputs: made } = await reporter.phase("provision", "resources", async ({ note }) => {
    const updated = await engine.up(reference, { ...options.operation, onEvent: showEngine(reporter), signal });
    note(summary(updated.changes));
    return { changes: updated.changes, outputs: requireStackOutputs(updated.outputs) };
  });
  await staged.publish();

  const attached = await attachedAddress(workspace, made);
  let outputs = withAddress(made, attached);
  let giveBack = async () => {}; // what was attached before this run stays
  // a release that was published and never brought to its verdict may be another payload for the same model
  const passed = (await readStackRecord(workspace.stackHome))?.release?.sequence === staged.manifest.sequence;
  const stillServes =
    !staged.changed &&
    passed &&
    attached !== undefined &&
    (await serves(endpointUrl(outputs), model.expectation, await findOwnToken(workspace.stackHome)));
  let { manifest } = staged;
  let timeoutMs = ENDPOINT_TIMEOUT_MS;
  if (!stillServes) {
    if (await ensureServerRuns(session, outputs.serverId, { signal })) {
      reporter.note(`${outputs.serverName} was switched off and is started`);
      timeoutMs = BOOT_TIMEOUT_MS;
    }
    if (staged.replaced !== undefined && attached !== undefined)
      reporter.note("the runtime restarts: a gap of about a second");
    manifest = await reachVerdict(workspace, made, { staged, delivery, reporter, signal });
    ({ outputs, giveBack } = await reporter.phase("attach", `floating IP ${outputs.floatingIp}`, ({ note }) =>
      attachAddress(workspace, made, { signal, note }),
    ));
  }
  const url = endpointUrl(outputs);
  const report = await reporter.phase("check", `prediction through ${url}`, () =>
    checkOrGiveBack(workspace, outputs, model.expectation, giveBack, { timeoutMs, signal }),
  );
  const release = await rememberRelease(workspace, manifest, model.expectation);
  const changed = !stillServes || staged.changed || summary(changes) !== summary({});
  return { url, outputs, report, probe: model.expectation, release, changed };
}

/** What was attached for this run and does not serve from outside must not look like an endpoint: it is given back. */
export async function checkOrGiveBack(
  { stackHome }: Pick<Workspace, "stackHome">,
  outputs: StackOutputs,
  expectation: Expectation,
  giveBack: () => Promise<void>,
  patience: { timeoutMs: number; signal: AbortSignal },
): Promise<EndpointReport> {
  try {
    const token = await findOwnToken(stackHome);
    const report = await awaitEndpoint(endpointUrl(outputs), expectation, { ...patience, token });
    const grpc = grpcAddress(outputs);
    if (grpc !== undefined) await checkGrpc(grpc, patience.timeoutMs);
    return report;
  } catch (error) {
    throw await undone(error, giveBack, "the floating IP could not be given back");
  }
}

export async function rememberRelease(
  { stackHome }: Workspace,
  manifest: Manifest,
  expectation: Expectation,
): Promise<Release> {
  const [{ name, version, digest }] = manifest.models as [Manifest["models"][number]];
  const { sequence, payload } = manifest;
  const remembered = (await readStackRecord(stackHome))?.release;
  if (remembered?.sequence === sequence) return remembered;
  await rememberExpectation(stackHome, expectation);
  const release = { sequence, payload: payload.digest, model: { name, version, digest }, at: new Date().toISOString() };
  await recordRelease(stackHome, release);
  return release;
}

/** Whether the endpoint serves what it should. */
async function serves(url: string, expectation: Expectation, token: string | undefined): Promise<boolean> {
  try {
    await checkEndpoint(url, expectation, { timeoutMs: 3000, token });
    return true;
  } catch (error) {
    if (error instanceof SlipwayError && error.code === "E_UNHEALTHY") return false;
    throw error;
  }
}
