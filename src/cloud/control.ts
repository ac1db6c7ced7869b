import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { compileCache } from "../common/compile-cache.mjs";
import { type ErrorCode, errorCatalogue } from "../common/error-catalogue.ts";
import { isErrno, SlipwayError } from "../common/errors.ts";
import { waitFor } from "../common/wait.ts";
import {
  type DaemonInfo,
  type DaemonMessage,
  daemonFiles,
  demandSame,
  type EgressChoice,
  type HypervisorChoice,
  readDaemonInfo,
} from "./daemon-info.ts";
import { isAlive } from "./hypervisors/nspawn/processes.ts";
import { guestImageNames } from "./images/recipe.ts";
import { findLeftovers, type Leftover, removeLeftovers } from "./leftovers.ts";
import { isKeptVendordata } from "./metadata/vendordata.ts";
import { incomingState } from "./snapshots/replace.ts";
import { isLocked, lockState } from "./store/lock.ts";
import { removeTree } from "./store/remove.ts";
import { readInstance, stateFiles } from "./store/state.ts";
import { takeState } from "./take-state.ts";

/**
 * V8's flags for a process that shares a laptop with guests: it collects early rather than growing. Half the memory under load for a fifth
 * of the calls in a second (bench/results/2026-11-26-cloud.md).
 */
const SMALL = ["--max-semi-space-size=2", "--optimize-for-size"];

export interface StartOptions {
  stateDir: string;
  hypervisor: HypervisorChoice;
  /** The port of the API; absent: the one of the last start, else any that is free. */
  port?: number;
  /** Whether guests that run containers are wanted; a cloud that offered an image for them goes on to. */
  containers?: boolean;
  /** Guests' way out; absent: as at the last start, none at the first. */
  egress?: EgressChoice;
  /** A file with JSON that all guests are told; absent: as at the last start, nothing at the first. */
  vendordata?: string;
  /** Where `src/cloud/daemon.ts` lies below. */
  projectRoot: string;
  /** The clouds.yaml that gets the cloud's two entries; its other entries stay. */
  cloudsFile?: string;
  /** The name of the first; the second's is the same with `-admin`. `slipway` unless told otherwise. */
  entry?: string;
  /** How long the daemon may take to answer; a minute unless told otherwise. */
  timeoutMs?: number;
}

/** How a state folder's daemon is. */
export type DaemonStatus = ({ running: true } & DaemonInfo) | { running: false };

/** A guest may take a minute to shut down, and operations under way are finished. */
const stopTimeoutMs = 120_000;

/**
 * Starts the cloud's daemon, detached from this process, and returns once it answers. A running one is left alone.
 * @throws SlipwayError E_PORT_IN_USE, E_HOST_PACKAGES, E_ADDRESS_RANGE, E_TIMEOUT; the daemon's last words are in its log
 */
export async function startDaemon(options: StartOptions): Promise<DaemonInfo> {
  const { stateDir, port, timeoutMs = 60_000 } = options;
  const status = await daemonStatus(stateDir);
  if (status.running) {
    demandSame(status.hypervisor, options.hypervisor);
    if (options.containers && !status.images?.includes(guestImageNames.containers)) {
      throw new SlipwayError("E_LOCKED", "this cloud runs already, without an image for containers", {
        hint: "Stop it first, and start it with --containers: its guests run on.",
      });
    }
    if (options.egress !== undefined && options.egress !== (status.egress ?? "none")) {
      throw new SlipwayError("E_LOCKED", `this cloud runs already, with egress ${status.egress ?? "none"}`, {
        hint: `Stop it first, and start it with --egress ${options.egress}: its guests run on.`,
      });
    }
    if (options.vendordata !== undefined && !(await isKeptVendordata(stateDir, options.vendordata))) {
      throw new SlipwayError("E_LOCKED", "this cloud runs already, with other vendordata", {
        hint: "Stop it first, and start it with --vendordata: its guests run on.",
      });
    }
    if (port === undefined || port === status.port) return status;
    throw new SlipwayError("E_LOCKED", `this cloud runs already, on port ${status.port}`, {
      hint: "Stop it first to give it another port.",
    });
  }
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const log = await open(daemonFiles(stateDir).log, "a", 0o600);
  try {
    const child = spawn(process.execPath, [...SMALL, ...daemonArguments(options)], {
      detached: true,
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache() },
      stdio: ["ignore", log.fd, log.fd, "ipc"],
      cwd: stateDir,
    });
    const info = await firstWord(child, timeoutMs, daemonFiles(stateDir).log);
    child.disconnect();
    child.unref();
    return info;
  } finally {
    await log.close();
  }
}

function daemonArguments({ stateDir, hypervisor, port, projectRoot, ...options }: StartOptions): string[] {
  return [
    join(projectRoot, "src/cloud/daemon.ts"),
    ...["--state", stateDir, "--hypervisor", hypervisor],
    ...(options.containers ? ["--containers"] : []),
    ...(options.egress === undefined ? [] : ["--egress", options.egress]),
    ...(options.vendordata === undefined ? [] : ["--vendordata", options.vendordata]),
    ...(port === undefined ? [] : ["--port", String(port)]),
    ...(options.cloudsFile === undefined ? [] : ["--clouds-file", options.cloudsFile]),
    ...(options.entry === undefined ? [] : ["--entry", options.entry]),
  ];
}

/** What the daemon says of its start: that it answers, or why it does not. */
function firstWord(child: ChildProcess, timeoutMs: number, logFile: string): Promise<DaemonInfo> {
  return new Promise((resolve, reject) => {
    const hint = `Read ${logFile}.`;
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new SlipwayError("E_TIMEOUT", `the cloud did not answer within ${timeoutMs / 1000} s`, { hint }));
    }, timeoutMs);
    child.once("error", reject);
    child.once("exit", (status, signal) => {
      clearTimeout(timer);
      reject(
        new SlipwayError("E_CLOUD_UNREACHABLE", `the cloud ended at its start (${signal ?? `status ${status}`})`, {
          hint,
        }),
      );
    });
    child.once("message", (message: DaemonMessage) => {
      clearTimeout(timer);
      if (message.type === "ready") return resolve(message.info);
      const code = message.code !== undefined && message.code in errorCatalogue ? message.code : "E_CLOUD_UNREACHABLE";
      const { details } = message;
      reject(new SlipwayError(code as ErrorCode, message.message, { hint: message.hint ?? hint, details }));
    });
  });
}

/** Whether the cloud runs; told by its lock, which no dead process holds. One that starts or ends is waited for. */
export function daemonStatus(stateDir: string): Promise<DaemonStatus> {
  const look = async (): Promise<DaemonStatus | undefined> => {
    if (!isLocked(stateFiles(stateDir).lock)) return { running: false };
    const info = await readDaemonInfo(stateDir);
    // another process has the lock where the daemon that wrote this is dead
    return info === undefined || !(await isDaemon(info)) ? undefined : { running: true, ...info };
  };
  return waitFor("the cloud to start or to end", look, { timeoutMs: stopTimeoutMs });
}

const isDaemon = async ({ pid, startTime }: DaemonInfo) =>
  startTime === undefined || (await isAlive({ pid, startTime }));

/**
 * Ends the daemon; its guests stay. Returns whether there was one.
 * @throws SlipwayError E_LOCKED where somebody's program has the cloud in it, E_TIMEOUT
 */
export async function stopDaemon(stateDir: string): Promise<boolean> {
  const status = await daemonStatus(stateDir);
  if (!status.running) return false;
  if (status.isProgram) {
    throw new SlipwayError(
      "E_LOCKED",
      `this cloud runs in a program, process ${status.pid}, that started it by itself`,
      {
        hint: "End that program, or let it close its cloud.",
      },
    );
  }
  await terminate(status);
  await waitFor("the cloud to end", async () => (isLocked(stateFiles(stateDir).lock) ? undefined : true), {
    timeoutMs: stopTimeoutMs,
    intervalMs: 50,
  });
  return true;
}

async function terminate(info: DaemonInfo): Promise<void> {
  if (!(await isDaemon(info))) return; // ended just now, and its id may be another's
  const { pid } = info;
  try {
    process.kill(pid, "SIGTERM");
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error; // ended just now
  }
}

/**
 * Runs `work` on the state of a cloud that does not run meanwhile. One that ran is started again afterwards, whatever came of the work.
 * @throws SlipwayError E_LOCKED where somebody else starts it in between, and as {@link stopDaemon}
 */
export async function whileStopped<T>(options: StartOptions, work: () => Promise<T>): Promise<T> {
  const ran = await stopDaemon(options.stateDir);
  const result = await underLock(options.stateDir, work).catch(async (error: unknown) => {
    if (ran) await startDaemon(options);
    throw error;
  });
  if (ran) await startDaemon(options);
  return result;
}

async function underLock<T>(stateDir: string, work: () => Promise<T>): Promise<T> {
  const lock = await takeState(stateDir);
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/** What a cloud's end came to, on the machine. */
export interface Teardown {
  /** What the cloud had made when its end began. */
  found: Leftover[];
  /** What of it could not be removed: the proof is an empty list. */
  left: Leftover[];
}

/**
 * Ends the cloud with everything that it made: servers, networks, data plane, state. Also where its daemon is dead.
 * The state stays as long as something is left.
 * @throws SlipwayError E_LOCKED where somebody else starts it in between, or works on its state
 */
export async function destroyCloud(stateDir: string): Promise<Teardown> {
  await stopDaemon(stateDir);
  if (!existsSync(stateDir)) return { found: [], left: [] };
  const lock = lockState(stateFiles(stateDir).lock);
  try {
    let found: Leftover[] = [];
    // a replacement that was killed may have taken the former database away already
    const instance = [stateDir, incomingState(stateDir)]
      .map((folder) => readInstance(stateFiles(folder).database))
      .find((one) => one !== undefined);
    if (instance !== undefined) {
      found = await removeLeftovers(instance);
      const left = await findLeftovers(instance);
      if (left.length > 0) return { found, left };
    }
    await removeTree(stateDir);
    return { found, left: [] };
  } finally {
    lock.release();
  }
}
