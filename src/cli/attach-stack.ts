import { resolve } from "node:path";
import { SlipwayError } from "../common/errors.ts";
import type { Manifest } from "../guest/manifest.ts";
import type { Expectation } from "../health/check-endpoint.ts";
import { readExpectation } from "../health/expectation.ts";
import { ensureServerRuns } from "../openstack/compute/servers.ts";
import { followedManifest } from "../release/publication.ts";
import type { StackLock } from "../release/stack-lock.ts";
import { BOOT_TIMEOUT_MS, checkOrGiveBack, ENDPOINT_TIMEOUT_MS, type Served } from "./bring-up.ts";
import { deliveryOf } from "./delivery.ts";
import { readyModel } from "./given-model.ts";
import { publicationOf, reachVerdict } from "./host-verdict.ts";
import { shareLock } from "./locked.ts";
import { attachAddress, attachedAddress } from "./public-address.ts";
import { rememberLive } from "./recorded-generations.ts";
import { rememberRelease } from "./remembered-release.ts";
import { requireNewestOutputs } from "./running-stack.ts";
import { endpointUrl, withAddress } from "./stack-outputs.ts";
import type { Reporter } from "./ui/reporter.ts";
import { bindToCloud, type Workspace } from "./workspace.ts";

/** What an attachment may differ in. */
export interface AttachOptions {
  /** The published model's folder, where it is not the configured one. */
  model?: string | undefined;
  /** Whether a free address of the project may stand in for the stack's own, if that is gone. */
  reuse: boolean;
  /** For the host's verdict. */
  timeoutMs?: number;
  lock: StackLock;
  signal: AbortSignal;
}

/**
 * Does for a stack whose resources somebody else has made — `pulumi up` — what is left of an `up`: follows the host to its verdict on
 * what is published, makes the address lead to it, and asks the endpoint from outside. What does not serve loses the address again.
 * @throws SlipwayError E_STACK_UNKNOWN, E_PAYLOAD_MISSING, E_USAGE for another model than the published one, E_BOOTSTRAP_FAILED,
 * E_GATE_FAILED, E_FLOATING_IP, E_UNHEALTHY, E_TIMEOUT
 */
export async function attachStack(workspace: Workspace, reporter: Reporter, options: AttachOptions): Promise<Served> {
  const { session, stack } = workspace;
  const { reuse, timeoutMs, signal } = options;
  const made = await requireNewestOutputs(workspace);
  await reporter.phase("authenticate", `log in to ${workspace.cloud ?? session.authUrl}`, () => bindToCloud(workspace));
  const delivery = await deliveryOf(workspace);
  await shareLock(options.lock, workspace, delivery);
  const followed = await followedManifest(publicationOf(workspace, delivery));
  if (followed === undefined) throw nothingPublished(stack);
  const expectation = await reporter.phase("model", `model ${followed.models[0]?.name}`, () =>
    expectationOf(workspace, followed, options.model),
  );
  const before = await attachedAddress(workspace, made);
  const started = await ensureServerRuns(session, made.serverId, { signal });
  if (started) reporter.note(`${made.serverName} was switched off and is started`);
  const staged = { manifest: followed, changed: false, replaced: undefined };
  const url = before === undefined ? undefined : endpointUrl(withAddress(made, before));
  const { manifest } = await reachVerdict(workspace, made, { staged, delivery, reporter, signal, timeoutMs, url });
  const { outputs, giveBack } = await reporter.phase("attach", "floating IP", ({ note }) =>
    attachAddress(workspace, made, { reuse, signal, note }),
  );
  const attachedUrl = endpointUrl(outputs);
  const patience = { timeoutMs: started ? BOOT_TIMEOUT_MS : ENDPOINT_TIMEOUT_MS, signal };
  const report = await reporter.phase("check", `prediction through ${attachedUrl}`, () =>
    checkOrGiveBack(workspace, outputs, expectation, giveBack, patience),
  );
  const release = await rememberRelease(workspace, manifest, expectation);
  await rememberLive(workspace, made);
  const changed = before !== outputs.floatingIp;
  return { url: attachedUrl, outputs, report, probe: expectation, release, changed };
}

/** What an endpoint must answer that serves the published model: as remembered, else by the model itself. */
async function expectationOf(
  { stackHome, projectRoot, config }: Workspace,
  { models: [published] }: Manifest,
  given: string | undefined,
): Promise<Expectation> {
  const remembered = await readExpectation(stackHome);
  if (given === undefined && remembered !== undefined && remembered.digest === published?.digest) return remembered;
  const directory = resolve(projectRoot, given ?? config.model.directory);
  const { digest, expectation } = await readyModel(config.model.name, directory);
  if (digest === published?.digest) return expectation;
  throw new SlipwayError(
    "E_USAGE",
    `the hosts follow ${published?.name} version ${published?.version} (${published?.digest}), and ${directory} holds another model`,
    { hint: "Name the published model's folder with --model, or publish this one with `slipway up`." },
  );
}

function nothingPublished(stack: string): SlipwayError {
  return new SlipwayError("E_PAYLOAD_MISSING", `nothing is published for the hosts of ${stack}`, {
    hint: `Run \`slipway up ${stack}\`: it publishes payload and model.`,
  });
}
