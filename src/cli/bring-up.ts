import { resolve } from "node:path";
import type { Digest } from "../common/digest.ts";
import { SlipwayError } from "../common/errors.ts";
import type { Manifest } from "../guest/manifest.ts";
import { checkEndpoint, type EndpointReport, type Expectation } from "../health/check-endpoint.ts";
import { rememberExpectation } from "../health/expectation.ts";
import { describe, followJournal, type Verdict } from "../health/follow-journal.ts";
import { consoleOutput } from "../openstack/compute/servers.ts";
import { associateFloatingIp, disassociateFloatingIp, findFloatingIp } from "../openstack/network/floating-ips.ts";
import { buildPayload } from "../release/payload.ts";
import { publish, republish } from "../release/publication.ts";
import { readStackRecord, recordRelease, type StackRecord } from "../release/stack-record.ts";
import { swiftStore } from "../release/swift-store.ts";
import { ensureLoginKey } from "../remote/login-key.ts";
import { GOLDEN_TOLERANCE } from "../serving/models/golden.ts";
import { importModel } from "../serving/models/import.ts";
import { packageTar } from "../serving/models/package.ts";
import { showEngine, summary } from "./engine-progress.ts";
import { endpointUrl, type StackOutputs, stackOutputs } from "./stack-outputs.ts";
import type { Reporter } from "./ui/reporter.ts";
import { bindToCloud, type Workspace } from "./workspace.ts";

/** How long a host may take from its start to its verdict; a guest under software emulation needs minutes. */
const BOOTSTRAP_TIMEOUT_MS = 15 * 60_000;
/** A served endpoint answers its first request within this. */
const ENDPOINT_TIMEOUT_MS = 20_000;

/** A stack that serves. */
export interface Served {
  url: string;
  outputs: StackOutputs;
  report: EndpointReport;
  /** The golden rows that were predicted. */
  rows: number[][];
  release: Release;
  /** False when everything was as it should be already. */
  changed: boolean;
}

/** A release as the stack remembers it. */
type Release = NonNullable<StackRecord["release"]>;

/** A model ready to be published, with what an endpoint serving it must answer. */
interface ReadyModel {
  name: string;
  bytes: Uint8Array;
  digest: Digest;
  expectation: Expectation;
}

/**
 * Makes a stack serve its model: publishes payload and model, lets the engine make the resources, follows the host to its verdict,
 * attaches the floating IP and asks the endpoint from outside. Each part is skipped over where it is done already, so that a run
 * that was killed anywhere is finished by the next.
 */
export async function bringUp(
  workspace: Workspace,
  reporter: Reporter,
  options: { model?: string | undefined; signal: AbortSignal },
): Promise<Served> {
  const { session, engine, reference, home, config } = workspace;
  const { signal } = options;
  const directory = resolve(workspace.projectRoot, options.model ?? config.model.directory);

  const model = await reporter.phase("model", `model ${config.model.name}`, () =>
    readyModel(config.model.name, directory),
  );
  await reporter.phase("authenticate", `log in to ${workspace.cloud ?? session.authUrl}`, () => bindToCloud(workspace));
  const publication = await reporter.phase("publish", "payload and model published", async ({ note }) => {
    await ensureLoginKey(home);
    const payload = await buildPayload({ projectRoot: workspace.projectRoot, log: note });
    const { stack, stackHome } = workspace;
    const store = swiftStore(session);
    return publish({
      store,
      stack,
      home: stackHome,
      payload,
      model: { name: model.name, content: model.bytes },
      log: note,
    });
  });
  const result = await reporter.phase("provision", "resources", async ({ note }) => {
    const updated = await engine.up(reference, { onEvent: showEngine(reporter), signal });
    note(summary(updated.changes));
    return updated;
  });
  const outputs = stackOutputs.parse(result.outputs);
  const url = endpointUrl(outputs);
  const ended = async (report: EndpointReport, changed: boolean): Promise<Served> => {
    const release = await rememberRelease(workspace, publication.manifest, model.expectation);
    return { url, outputs, report, rows: model.expectation.rows, release, changed };
  };

  const attached = (await findFloatingIp(session, outputs.floatingIpId))?.port_id === outputs.portId;
  const served = attached && (await serves(url, model.expectation));
  if (served !== false) return ended(served, publication.changed || summary(result.changes) !== summary({}));

  await reporter.phase("bootstrap", `host ${outputs.serverName}`, async ({ detail }) => {
    if (attached) detail("the runtime restarts with the new model: a gap of about a second");
    const verdict = await followJournal({
      readConsole: () => consoleOutput(session, outputs.serverId),
      sequence: publication.manifest.sequence,
      timeoutMs: BOOTSTRAP_TIMEOUT_MS,
      onLine: ({ entry }) => detail(describe(entry)),
      signal,
    });
    await requirePassed(verdict, workspace, publication, model);
  });
  await reporter.phase("attach", `floating IP ${outputs.floatingIp}`, () =>
    associateFloatingIp(session, outputs.floatingIpId, outputs.portId, { signal }),
  );
  const report = await reporter.phase("check", `prediction through ${url}`, async () => {
    try {
      return await checkEndpoint(url, model.expectation, ENDPOINT_TIMEOUT_MS);
    } catch (error) {
      // What this run attached and what does not serve from outside must not look like an endpoint.
      if (!attached) await disassociateFloatingIp(session, outputs.floatingIpId);
      throw error;
    }
  });
  return ended(report, true);
}

async function rememberRelease(
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

async function readyModel(name: string, directory: string): Promise<ReadyModel> {
  const model = await importModel(directory);
  const { bytes, digest } = await packageTar(model);
  const expectation = {
    digest,
    rows: model.golden.rows,
    outputs: model.golden.outputs.flat(),
    tolerance: GOLDEN_TOLERANCE,
  };
  return { name, bytes, digest, expectation };
}

/** The endpoint's answer if it serves what it should, else false. */
async function serves(url: string, expectation: Expectation): Promise<EndpointReport | false> {
  try {
    return await checkEndpoint(url, expectation, 3000);
  } catch (error) {
    if (error instanceof SlipwayError && error.code === "E_UNHEALTHY") return false;
    throw error;
  }
}

async function requirePassed(
  verdict: Verdict | undefined,
  workspace: Workspace,
  publication: Awaited<ReturnType<typeof publish>>,
  model: ReadyModel,
): Promise<void> {
  // A cloud that hides the console leaves only the check from outside.
  if (verdict === undefined || (verdict.ok && verdict.model?.digest === model.digest)) return;
  const kept = verdict.model !== undefined && verdict.model.digest !== model.digest;
  // Hosts follow the publication: one that failed must not be what the next boot finds.
  if (kept && publication.replaced !== undefined) {
    const { session, stack, stackHome } = workspace;
    await republish({ store: swiftStore(session), stack, home: stackHome }, publication.replaced);
  }
  const { step = "bootstrap", reason = "the host gave no reason", lines = [] } = verdict.failure ?? {};
  throw new SlipwayError(step === "gate" || kept ? "E_GATE_FAILED" : "E_BOOTSTRAP_FAILED", `step ${step}: ${reason}`, {
    details: lines,
    hint: kept
      ? `the old model (version ${verdict.model?.version}) still serves; mend the new one and run \`slipway up\` again`
      : "`slipway logs` shows all steps; mend the cause and run `slipway up` again, or `slipway down`",
  });
}
