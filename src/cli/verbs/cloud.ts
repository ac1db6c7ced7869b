import { resolve } from "node:path";
import { daemonStatus, stopDaemon } from "../../cloud/control.ts";
import { dashboardAddress } from "../../cloud/dashboard/key.ts";
import { lastingObstacles, reasonOf } from "../../cloud/hypervisors/nspawn/probe.ts";
import { kindsWith } from "../../cloud/images/kinds.ts";
import { SlipwayError } from "../../common/errors.ts";
import { quoteForShell } from "../../contextualization/helpers.ts";
import { readClouds } from "../../openstack/clouds-file.ts";
import { chosenAction } from "../action.ts";
import { clock, clockOptions } from "../cloud-clock.ts";
import { doctor } from "../cloud-doctor.ts";
import { faultActions, faultOptions } from "../cloud-faults.ts";
import { showLog } from "../cloud-log.ts";
import { runCloud } from "../cloud-run.ts";
import { clientShell, guestShell } from "../cloud-shell.ts";
import { stateActions } from "../cloud-state.ts";
import { destroyEmbeddedCloud, ensureEmbeddedCloud } from "../embedded-cloud.ts";
import { type CloudPlace, cloudPlace, cloudPlaces, nameArgument, nameOption } from "../named-clouds.ts";
import { prepareGuests } from "../prepare-guests.ts";
import { guestLines } from "../pretended-guests.ts";
import { type Call, verb as declare } from "../verb.ts";
import { findProjectRoot } from "../workspace.ts";

const options = {
  hypervisor: {
    choices: ["auto", "nspawn", "qemu", "fake"],
    default: "auto",
    describe: "what makes the guests, at `start`",
  },
  port: {
    type: "number",
    describe: "TCP port of the APIs on 127.0.0.1, at `start`; the last one or any free one unless given",
  },
  containers: {
    type: "boolean",
    default: false,
    describe: "an image for guests that run containers besides, at `start` and `prepare`",
  },
  egress: {
    choices: ["none", "nat"],
    describe: "guests' way out by this machine, at `start`; as at the last one, none at the first",
  },
  vendordata: {
    type: "string",
    describe:
      "file with JSON that all guests are told as vendordata, at `start`; as at the last one, none at the first",
  },
  admin: { type: "boolean", default: false, describe: "the administrator's credentials, at `env` and `shell`" },
  name: nameOption,
  requests: { type: "boolean", default: false, describe: "the requests that the cloud has answered, at `log`" },
  follow: { type: "boolean", alias: "f", default: false, describe: "go on with what is added, until Ctrl-C, at `log`" },
  lines: { type: "number", default: 100, describe: "how many lines of what was written before, at `log`" },
  "dry-run": { type: "boolean", default: false, describe: "only tell what would be removed, at `doctor`" },
  delete: { type: "boolean", default: false, describe: "remove the snapshot, at `snapshot`" },
  ...faultOptions,
  ...clockOptions,
} as const;

type CloudCall = Call<typeof options>;

/** What `slipway cloud` can do. */
const actions: Record<string, (call: CloudCall, place: CloudPlace) => Promise<void>> = {
  start,
  stop,
  status,
  list,
  env,
  shell,
  log,
  ...onState(stateActions),
  prepare,
  destroy,
  clock: onSocket(clock),
  arm: onSocket(faultActions.arm),
  disarm: onSocket(faultActions.disarm),
  faults: onSocket(faultActions.faults),
};

/** What it can do outside of a project too. */
const machineActions: Record<string, (call: CloudCall) => Promise<void>> = {
  doctor: ({ args, reporter }) => doctor(args, reporter),
  run: async ({ args, reporter, signal }) => {
    if (args.port !== undefined) requirePort(args.port);
    await runCloud(args, reporter, signal);
  },
};

export const verb = declare({
  options,
  words: { action: [...Object.keys(actions), ...Object.keys(machineActions)] },
  texts: { what: "a fault, a snapshot, or at `shell` a server" },
  run: async (call) => {
    const { action: wanted } = call.args as { action?: unknown };
    if (typeof wanted === "string" && wanted in machineActions) return machineActions[wanted]?.(call);
    const action = chosenAction(actions, wanted, `, ${Object.keys(machineActions).join(", ")}`);
    await action(call, cloudPlace(await findProjectRoot(process.cwd()), call.args.name));
  },
});

function requirePort(port: number): void {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return;
  throw new SlipwayError("E_USAGE", `--port ${port} is no TCP port`, { hint: "Choose one from 1 to 65535." });
}

async function start({ args, reporter }: CloudCall, place: CloudPlace): Promise<void> {
  const { hypervisor, containers, egress, port } = args;
  const vendordata = args.vendordata === undefined ? undefined : resolve(args.vendordata);
  if (port !== undefined) requirePort(port);
  const info = await ensureEmbeddedCloud(place, reporter, { hypervisor, containers, egress, port, vendordata });
  reporter.result(
    { ok: true, ...info, timings: reporter.timings },
    [
      `the cloud answers at ${info.authUrl}`,
      ...guestLines(info),
      `other clients: eval "$(npx slipway cloud env${nameArgument(place)})"`,
    ].join("\n"),
  );
}

async function stop({ reporter }: CloudCall, place: CloudPlace): Promise<void> {
  const stopped = await reporter.phase("stop", "embedded cloud stopped", () => stopDaemon(place.stateDir));
  const text = stopped ? "the cloud is stopped; its guests run on" : "no cloud was running";
  reporter.result({ ok: true, stopped, timings: reporter.timings }, text);
}

async function status({ reporter }: CloudCall, place: CloudPlace): Promise<void> {
  const found = await daemonStatus(place.stateDir);
  const page = found.running ? await dashboardAddress(place.stateDir, found.port) : undefined;
  const lines = found.running
    ? [
        `running since ${found.startedAt} at ${found.authUrl} (pid ${found.pid})`,
        ...guestLines(found),
        `its page, for you alone: ${page}`,
      ]
    : ["not running"];
  reporter.result({ ok: true, ...found, ...(page === undefined ? {} : { page }) }, lines.join("\n"));
}

/** Every embedded cloud of this project. */
async function list({ reporter }: CloudCall, { projectRoot }: CloudPlace): Promise<void> {
  const places = await cloudPlaces(projectRoot);
  const clouds = await Promise.all(
    places.map(async ({ name, entry, stateDir }) => ({ name, entry, ...(await daemonStatus(stateDir)) })),
  );
  const lines = clouds.map((cloud) => {
    const how = cloud.running ? `running at ${cloud.authUrl}, ${cloud.hypervisor} guests` : "not running";
    return `${cloud.name}: ${how}; clouds.yaml entry ${cloud.entry}`;
  });
  reporter.result({ ok: true, clouds }, lines.length === 0 ? "there are none" : lines.join("\n"));
}

/** Prints what a shell evaluates so that other clients reach this cloud. */
async function env({ args, reporter }: CloudCall, place: CloudPlace): Promise<void> {
  const variables = await clientVariables(place, args.admin);
  const text = Object.entries(variables).map(([key, value]) => `export ${key}=${quoteForShell(value)}`);
  reporter.result({ ok: true, variables }, text.join("\n"));
}

/** A shell in which other clients reach this cloud, or with a server's name one inside its guest. */
async function shell({ args, reporter }: CloudCall, place: CloudPlace): Promise<void> {
  const words = (args["--"] ?? []) as string[];
  if (words.length === 0 && !(process.stdin.isTTY && process.stdout.isTTY)) {
    throw new SlipwayError("E_USAGE", "a shell needs a terminal", {
      hint: "Name a command after --, as in `slipway cloud shell -- openstack server list`.",
    });
  }
  const variables = await clientVariables(place, args.admin);
  const { what: server } = args as { what?: string };
  process.exitCode =
    server === undefined
      ? await clientShell(variables, words, reporter)
      : await guestShell(place.stateDir, server, words);
}

/** @throws SlipwayError E_CREDENTIALS_MISSING */
async function clientVariables({ cloudsFile, entry }: CloudPlace, admin: boolean): Promise<Record<string, string>> {
  const name = admin ? `${entry}-admin` : entry;
  if (!(await readClouds(cloudsFile)).has(name)) {
    throw new SlipwayError("E_CREDENTIALS_MISSING", "there is no embedded cloud yet", {
      hint: "Run `slipway cloud start`.",
    });
  }
  return { OS_CLIENT_CONFIG_FILE: cloudsFile, OS_CLOUD: name };
}

function log({ args, reporter, signal, readerGone }: CloudCall, place: CloudPlace): Promise<void> {
  return showLog(place, args, reporter, { signal, readerGone });
}

async function prepare({ args, reporter }: CloudCall, place: CloudPlace): Promise<void> {
  const obstacles = await lastingObstacles(place.stateDir);
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

function onState(of: typeof stateActions): Record<string, (call: CloudCall, place: CloudPlace) => Promise<void>> {
  const entries = Object.entries(of).map(([name, act]) => [
    name,
    ({ args, reporter }: CloudCall, place: CloudPlace) => act(place, args, reporter),
  ]);
  return Object.fromEntries(entries);
}

/** An action that asks the running daemon. */
function onSocket(
  act: (stateDir: string, args: CloudCall["args"]) => Promise<{ object: Record<string, unknown>; text: string }>,
) {
  return async ({ args, reporter }: CloudCall, place: CloudPlace): Promise<void> => {
    const { object, text } = await act(place.stateDir, args);
    reporter.result({ ok: true, ...object }, text);
  };
}

async function destroy({ args, reporter }: CloudCall, place: CloudPlace): Promise<void> {
  if (!args.yes) throw new SlipwayError("E_USAGE", "destroying the cloud ends its servers", { hint: "Add --yes." });
  const proof = await destroyEmbeddedCloud(place, reporter);
  reporter.result({ ok: true, leftovers: [], proof, timings: reporter.timings }, proof.join("\n"));
}
