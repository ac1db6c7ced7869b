import { mkdir } from "node:fs/promises";
import { parseArgs } from "node:util";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { writeFileAtomic } from "../common/files.ts";
import { BoundedLog } from "./bounded-log.ts";
import { chooseHypervisor } from "./choose-hypervisor.ts";
import { startCloud } from "./cloud.ts";
import { editCloudsFile, usualEntry, withCloudEntries } from "./clouds-yaml.ts";
import { serveControl } from "./control-socket.ts";
import {
  type DaemonInfo,
  type DaemonMessage,
  daemonFiles,
  type EgressChoice,
  type HypervisorChoice,
  keptEgress,
  removeDaemonInfo,
  writeDaemonInfo,
} from "./daemon-info.ts";
import { markOf, type ProcessMark } from "./hypervisors/nspawn/processes.ts";
import { imageKinds } from "./images/kinds.ts";
import { keptVendordata } from "./metadata/vendordata.ts";
import { offerOf } from "./offer.ts";
import { takeState } from "./take-state.ts";

// The embedded cloud as a process of its own:
//   node src/cloud/daemon.ts --state DIR --hypervisor auto|nspawn|qemu|fake [--containers] [--egress none|nat] [--port N]
//     [--vendordata FILE] [--clouds-file FILE [--entry NAME]]
// SIGTERM ends it and leaves the guests running; started again on the same state it finds them.

const log = (line: string) => console.log(`${new Date().toISOString()} ${line}`);

/** Tells the process that started this one, where it listens. */
function tell(message: DaemonMessage): void {
  process.send?.(message);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      state: { type: "string" },
      hypervisor: { type: "string", default: "auto" },
      port: { type: "string", default: "0" },
      "clouds-file": { type: "string" },
      entry: { type: "string", default: usualEntry },
      containers: { type: "boolean", default: false },
      egress: { type: "string" },
      vendordata: { type: "string" },
    },
  });
  const stateDir = values.state;
  if (stateDir === undefined) throw new SlipwayError("E_CONFIG_INVALID", "--state DIR is missing");
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const files = daemonFiles(stateDir);
  const lock = await takeState(stateDir);
  const chosen = await chooseHypervisor(stateDir, values.hypervisor as HypervisorChoice);
  if (values.containers) await writeFileAtomic(files.containers, "");
  const kinds = await imageKinds(stateDir);
  const egress = await keptEgress(stateDir, values.egress as EgressChoice | undefined);
  const vendorData = await keptVendordata(stateDir, values.vendordata);
  const offered = await offerOf(chosen, kinds, log, egress);
  const requests = new BoundedLog(files.requests);
  const cloud = await startCloud({
    stateDir,
    lock,
    port: Number(values.port),
    log,
    vendorData,
    answered: (request) => requests.add(JSON.stringify(request)),
    ...offered,
  });
  const control = await serveControl(stateDir, cloud);
  await writeFileAtomic(files.hypervisor, `${JSON.stringify(chosen)}\n`);
  const cloudsFile = values["clouds-file"];
  if (cloudsFile !== undefined) {
    const { authUrl, credentials } = cloud;
    await editCloudsFile(cloudsFile, (text) => withCloudEntries(text, authUrl, credentials, values.entry));
  }
  const info: DaemonInfo = {
    ...(await ownMark()),
    authUrl: cloud.authUrl,
    port: cloud.port,
    instance: cloud.instance,
    ...chosen,
    images: offered.images.map(({ name }) => name),
    egress: chosen.hypervisor === "fake" ? "none" : egress,
    startedAt: new Date().toISOString(),
  };
  await writeDaemonInfo(stateDir, info);

  const end = (signal: string) => {
    log(`ends by ${signal}`);
    removeDaemonInfo(stateDir)
      .then(() => control.close())
      .then(() => cloud.close())
      .then(() => requests.close())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          log(`did not end cleanly: ${messageOf(error)}`);
          process.exit(1);
        },
      );
  };
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
  log(`answers at ${info.authUrl} with ${info.hypervisor} guests: ${info.reason}`);
  tell({ type: "ready", info });
}

async function ownMark(): Promise<ProcessMark> {
  const mark = await markOf(process.pid);
  if (mark === undefined) throw new Error("this process is not in the system's list of processes");
  return mark;
}

main().catch((error: unknown) => {
  log(error instanceof Error ? (error.stack ?? error.message) : String(error));
  const known = error instanceof SlipwayError ? error : undefined;
  tell({
    type: "failed",
    code: known?.code,
    message: messageOf(error),
    hint: known?.hint,
    details: known?.details ?? [],
  });
  process.exitCode = 1;
});
