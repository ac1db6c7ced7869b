import { undone } from "../common/undo.ts";
import type { OperationOptions } from "../engine/engine.ts";
import { awaitEndpoint, type EndpointReport, type Expectation } from "../health/check-endpoint.ts";
import { checkGrpc } from "../health/check-grpc.ts";
import { ensureServerRuns } from "../openstack/compute/servers.ts";
import type { StackLock } from "../release/stack-lock.ts";
import { findOwnToken } from "../release/tokens.ts";
import type { Probe } from "../serving/models/probe.ts";
import { showEngine, summary } from "./engine-progress.ts";
import { reachVerdict } from "./host-verdict.ts";
import { planGenerations } from "./plan-generations.ts";
import { prepareRelease } from "./prepared-release.ts";
import { attachAddress, attachedAddress } from "./public-address.ts";
import { rememberLive } from "./recorded-generations.ts";
import { termsOf } from "./release-terms.ts";
import { type Release, rememberRelease, servesAlready } from "./remembered-release.ts";
import { type RenewalOptions, renewHosts } from "./renew-hosts.ts";
import { recordedOnly } from "./settle-generations.ts";
import {
  endpointUrl,
  grpcAddress,
  liveOutputs,
  requireStackOutputs,
  type StackOutputs,
  withAddress,
} from "./stack-outputs.ts";
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

/** What an `up` may differ in. */
interface UpOptions extends Partial<RenewalOptions> {
  /** The model's folder or file, where it is not the configured one. */
  model?: string | undefined;
  lock: StackLock;
  /** How long new hosts are watched, where that is not what the stack's gate says. */
  watchSeconds?: number | undefined;
  /** How long a host may take to its verdict, where that is not as long as hosts usually may. */
  verdictMs?: number | undefined;
  signal: AbortSignal;
  operation?: OperationOptions;
}

/**
 * Makes a stack serve its model: publishes payload and model, lets the engine make the resources, follows the host to its verdict,
 * attaches the floating IP and asks the endpoint from outside. Hosts that the configuration means otherwise than they are get new ones
 * beside them, which take their place. Each part is skipped over where it is done already, so that a run
 * that was killed anywhere is finished by the next.
 */
export async function bringUp(workspace: Workspace, reporter: Reporter, options: UpOptions): Promise<Served> {
  const { session, engine } = workspace;
  const { keepOld = false, lock, verdictMs, signal } = options;
  const wanted = { given: options.model, kind: "up", lock, signal } as const;
  const { model, delivery, staged } = await prepareRelease(workspace, reporter, wanted);
  const plan = await planGenerations(workspace, reporter, { keepOld, delivery, signal });
  const reference = plan === undefined ? workspace.reference : recordedOnly(workspace.reference);
  const { changes, outputs: whole } = await reporter.phase("provision", "resources", async ({ note }) => {
    const updated = await engine.up(reference, { ...options.operation, onEvent: showEngine(reporter), signal });
    note(summary(updated.changes));
    return { changes: updated.changes, outputs: requireStackOutputs(updated.outputs) };
  });
  await lock.requireHeld();
  await staged.publish();
  if (plan?.next !== undefined) {
    const { expectation } = model;
    const { record, next } = plan;
    const { watchSeconds } = termsOf(workspace, "up", { watchSeconds: options.watchSeconds }).gate;
    const { drainSeconds } = options;
    const switching = { drainSeconds, verdictMs, expectation, watchSeconds, signal };
    const renewing = { outputs: whole, staged, delivery, keepOld, ...switching };
    const { manifest, ...renewed } = await renewHosts(workspace, reporter, { record, next }, renewing);
    const release = await rememberRelease(workspace, manifest, expectation);
    return { ...renewed, url: endpointUrl(renewed.outputs), probe: expectation, release, changed: true };
  }

  const made = await liveOutputs(workspace.stackHome, whole);
  const attached = await attachedAddress(workspace, made);
  let outputs = withAddress(made, attached);
  let giveBack = async () => {}; // what was attached before this run stays
  const stillServes =
    attached !== undefined && (await servesAlready(workspace, staged, endpointUrl(outputs), model.expectation));
  let { manifest } = staged;
  let endpointMs = ENDPOINT_TIMEOUT_MS;
  if (!stillServes) {
    if (await ensureServerRuns(session, outputs.serverId, { signal })) {
      reporter.note(`${outputs.serverName} was switched off and is started`);
      endpointMs = Math.max(BOOT_TIMEOUT_MS, verdictMs ?? 0);
    }
    const url = attached === undefined ? undefined : endpointUrl(outputs);
    const delivered = { staged, delivery, reporter, timeoutMs: verdictMs, signal, url };
    ({ manifest } = await reachVerdict(workspace, made, delivered));
    ({ outputs, giveBack } = await reporter.phase("attach", `floating IP ${outputs.floatingIp}`, ({ note }) =>
      attachAddress(workspace, made, { signal, note }),
    ));
  }
  const url = endpointUrl(outputs);
  const report = await reporter.phase("check", `prediction through ${url}`, () =>
    checkOrGiveBack(workspace, outputs, model.expectation, giveBack, { timeoutMs: endpointMs, signal }),
  );
  const release = await rememberRelease(workspace, manifest, model.expectation);
  await rememberLive(workspace, made);
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
