import { messageOf } from "../../common/errors.ts";
import { GIT_USER } from "../../guest/git/texts.ts";
import type { ReleaseReport } from "../../guest/release-progress.ts";
import { checkEndpoint, type Expectation } from "../../health/check-endpoint.ts";
import { readExpectation } from "../../health/expectation.ts";
import { readReleaseStatus } from "../../health/follow-release.ts";
import { findServer } from "../../openstack/compute/servers.ts";
import { readStackRecord } from "../../release/stack-record.ts";
import { findOwnToken } from "../../release/tokens.ts";
import { forEachStack, otherStacks } from "../each-stack.ts";
import { attachedAddress } from "../public-address.ts";
import { pushedText } from "../pushed.ts";
import { requireOutputs } from "../running-stack.ts";
import { eachGeneration, endpointUrl, grpcAddress, hostObject, withAddress } from "../stack-outputs.ts";
import type { Reporter } from "../ui/reporter.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace, requireOwnCloud, type Workspace } from "../workspace.ts";

const READY_MS = 5000;

export const verb = declare({
  options: {},
  ...otherStacks,
  run: (call) =>
    forEachStack(call, async (stack, reporter) => tellStatus(await openWorkspace({ ...call.args, stack }), reporter)),
});

async function tellStatus(workspace: Workspace, reporter: Reporter): Promise<void> {
  const { stack, stackHome, engine, session, cloud } = workspace;
  const known = await requireOutputs(workspace);
  await requireOwnCloud(workspace);
  const each = eachGeneration(known);
  const [record, expectation, servers, address] = await Promise.all([
    readStackRecord(stackHome),
    readExpectation(stackHome),
    Promise.all(each.map(({ serverId }) => findServer(session, serverId))),
    attachedAddress(workspace, known),
  ]);
  const attached = address !== undefined;
  const outputs = withAddress(known, address);
  const url = endpointUrl(outputs);
  const grpc = grpcAddress(outputs);
  // an address that does not lead to the host may be somebody else's by now: it is not asked
  const unserved = attached ? "no release has passed its gate yet" : "no address leads to the host";
  const token = await findOwnToken(stackHome);
  const told = attached ? await readReleaseStatus(url, { token }) : undefined;
  const last = told?.last;
  // what was pushed to the host only the host knows
  const pushed = told?.serves.push === undefined ? undefined : told.serves;
  const asked = pushed === undefined ? expectation : undefined;
  const health = asked && attached ? await healthOf(url, asked, token) : pushed ? await readinessOf(url) : unserved;
  const git = attached && workspace.config.git && `${GIT_USER}@${outputs.floatingIp}:model.git`;
  const hosts = each.map((one, index) => {
    const live = one.generation === known.generation;
    const now = { attached: live && attached, state: servers[index]?.status ?? "GONE" };
    return { ...hostObject(withAddress(one, address), now), live };
  });
  const shown = hosts.map(({ name, state, image, flavor, privateIp, live }) => {
    const beside = live ? "" : ", beside the live one";
    return `${name} ${state}, ${image}, ${flavor}, ${privateIp}${beside}`;
  });
  const { model = undefined, sequence = undefined, at = undefined, trial = undefined } = record?.release ?? {};
  const rows = {
    url: attached ? url : `${url} (not attached)`,
    ...(grpc !== undefined && { grpc }),
    ...(git && { git: `${git}, branch ${workspace.config.git?.branch}` }),
    health,
    model: model === undefined ? "none" : `${model.name} version ${model.version}, ${model.digest}`,
    release: sequence === undefined ? "none" : `${sequence}, since ${at}`,
    ...(pushed && { pushed: `${pushedText(pushed)}, ${pushed.model.digest}` }),
    ...(trial === undefined ? {} : { trial: `version ${trial.model.version}, ${trial.mode} ${trial.percent} %` }),
    ...(last === undefined || last.push !== undefined || (last.sequence === sequence && last.result === "passed")
      ? {}
      : { last: wordsOf(last) }),
    host: shown.join(`\n${" ".repeat(9)}`),
    engine: engine.kind,
    cloud: `${cloud ?? "from OS_* variables"} (${session.authUrl})`,
  };
  reporter.result(
    {
      ok: true,
      stack,
      engine: engine.kind,
      cloud: { name: cloud, authUrl: session.authUrl },
      url,
      ...(grpc !== undefined && { grpc }),
      ...(git && { git }),
      health,
      ...(pushed && { pushed }),
      model,
      release: record?.release,
      last,
      hosts,
      timings: reporter.timings,
      leftovers: [],
    },
    Object.entries(rows)
      .map(([key, value]) => `${key.padEnd(9)}${value}`)
      .join("\n"),
  );
}

/** The host's last release, where it is another one than that which serves. */
function wordsOf({ sequence, result, phase, failure }: ReleaseReport): string {
  return `release ${sequence} ${result} in ${phase}${failure === undefined ? "" : `: ${failure.reason}`}`;
}

async function readinessOf(url: string): Promise<string> {
  const ready = await fetch(`${url}/v2/health/ready`, { signal: AbortSignal.timeout(READY_MS) }).catch(() => undefined);
  return ready?.ok ? "serving what was pushed" : "not ready";
}

async function healthOf(url: string, expectation: Expectation, token: string | undefined): Promise<string> {
  try {
    await checkEndpoint(url, expectation, { timeoutMs: 5000, token });
    return "serving";
  } catch (error) {
    return messageOf(error);
  }
}
