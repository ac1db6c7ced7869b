import { daemonStatus, stopDaemon } from "../../cloud/control.ts";
import { lastingObstacles, reasonOf } from "../../cloud/hypervisors/nspawn/probe.ts";
import { kindsWith } from "../../cloud/images/kinds.ts";
import { SlipwayError } from "../../common/errors.ts";
import { slipwayHome } from "../../common/home.ts";
import { quoteForShell } from "../../contextualization/helpers.ts";
import { readClouds } from "../../openstack/clouds-file.ts";
import { chosenAction } from "../action.ts";
import { clock, clockOptions } from "../cloud-clock.ts";
import { faultActions, faultOptions } from "../cloud-faults.ts";
import { cloudFolder, destroyEmbeddedCloud, ensureEmbeddedCloud } from "../embedded-cloud.ts";
import { prepareGuests } from "../prepare-guests.ts";
import { guestLines } from "../pretended-guests.ts";
import { type Call, verb as declare } from "../verb.ts";
import { embeddedCloudsFile, findProjectRoot } from "../workspace.ts";

const options = {
  hypervisor: { choices: ["auto", "nspawn", "fake"], default: "auto", describe: "what makes the guests, at `start`" },
  port: {
    type: "number",
    describe: "TCP port of the APIs on 127.0.0.1, at `start`; the last one or any free one unless given",
  },
  containers: {
    type: "boolean",
    default: false,
    describe: "an image for guests that run containers besides, at `start` and `prepare`",
  },
  admin: { type: "boolean", default: false, describe: "the administrator's credentials, at `env`" },
  ...faultOptions,
  ...clockOptions,
} as const;

type CloudCall = Call<typeof options>;

/** What `slipway cloud` can do. */
const actions: Record<string, (call: CloudCall, projectRoot: string) => Promise<void>> = {
  start,
  stop,
  status,
  env,
  prepare,
  destroy,
  clock: onSocket(clock),
  arm: onSocket(faultActions.arm),
  disarm: onSocket(faultActions.disarm),
  faults: onSocket(faultActions.faults),
};

export const verb = declare({
  options,
  words: { action: Object.keys(actions) },
  run: async (call) => {
    const action = chosenAction(actions, (call.args as { action?: unknown }).action);
    await action(call, await findProjectRoot(process.cwd()));
  },
});

function requirePort(port: number): void {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return;
  throw new SlipwayError("E_USAGE", `--port ${port} is no TCP port`, { hint: "Choose one from 1 to 65535." });
}

async function start({ args, reporter }: CloudCall, projectRoot: string): Promise<void> {
  const { hypervisor, containers, port } = args;
  if (port !== undefined) requirePort(port);
  const info = await ensureEmbeddedCloud(projectRoot, reporter, { hypervisor, containers, port });
  reporter.result(
    { ok: true, ...info, timings: reporter.timings },
    [
      `the cloud answers at ${info.authUrl}`,
      ...guestLines(info),
      'other clients: eval "$(npx slipway cloud env)"',
    ].join("\n"),
  );
}

async function stop({ reporter }: CloudCall, projectRoot: string): Promise<void> {
  const stopped = await reporter.phase("stop", "embedded cloud stopped", () =>
    stopDaemon(cloudFolder(slipwayHome(projectRoot))),
  );
  const text = stopped ? "the cloud is stopped; its guests run on" : "no cloud was running";
  reporter.result({ ok: true, stopped, timings: reporter.timings }, text);
}

async function status({ reporter }: CloudCall, projectRoot: string): Promise<void> {
  const found = await daemonStatus(cloudFolder(slipwayHome(projectRoot)));
  const text = found.running
    ? [`running since ${found.startedAt} at ${found.authUrl} (pid ${found.pid})`, ...guestLines(found)].join("\n")
    : "not running";
  reporter.result({ ok: true, ...found }, text);
}

/** Prints what a shell evaluates so that other clients reach this cloud. */
async function env({ args, reporter }: CloudCall, projectRoot: string): Promise<void> {
  const name = args.admin ? "slipway-admin" : "slipway";
  const file = embeddedCloudsFile(slipwayHome(projectRoot));
  if (!(await readClouds(file)).has(name)) {
    throw new SlipwayError("E_CREDENTIALS_MISSING", "there is no embedded cloud yet", {
      hint: "Run `slipway cloud start`.",
    });
  }
  const variables = { OS_CLIENT_CONFIG_FILE: file, OS_CLOUD: name };
  const text = Object.entries(variables).map(([key, value]) => `export ${key}=${quoteForShell(value)}`);
  reporter.result({ ok: true, variables }, text.join("\n"));
}

async function prepare({ args, reporter }: CloudCall, projectRoot: string): Promise<void> {
  const obstacles = await lastingObstacles(cloudFolder(slipwayHome(projectRoot)));
  if (obstacles.length > 0) {
    const reason = reasonOf(obstacles);
    const remedies = obstacles.map(({ remedy }) => remedy);
    reporter.result({ ok: true, guests: false, reason, remedies }, [reason, ...remedies].join("\n  → "));
    return;
  }
  const images = await prepareGuests(reporter, kindsWith(args.containers));
  const lines = images.map(
    ({ name, digest, sizeBytes }) => `guest image ${name} ${digest}, ${Math.round(sizeBytes / 1e6)} MB`,
  );
  reporter.result({ ok: true, guests: true, images, timings: reporter.timings }, lines.join("\n"));
}

/** An action that asks the running daemon. */
function onSocket(
  act: (stateDir: string, args: CloudCall["args"]) => Promise<{ object: Record<string, unknown>; text: string }>,
) {
  return async ({ args, reporter }: CloudCall, projectRoot: string): Promise<void> => {
    const { object, text } = await act(cloudFolder(slipwayHome(projectRoot)), args);
    reporter.result({ ok: true, ...object }, text);
  };
}

async function destroy({ args, reporter }: CloudCall, projectRoot: string): Promise<void> {
  if (!args.yes) throw new SlipwayError("E_USAGE", "destroying the cloud ends its servers", { hint: "Add --yes." });
  const proof = await destroyEmbeddedCloud(projectRoot, reporter);
  reporter.result({ ok: true, leftovers: [], proof, timings: reporter.timings }, proof.join("\n"));
}
