import { fstatSync } from "node:fs";
import type { HypervisorChoice } from "../cloud/daemon-info.ts";
import { startCloud } from "../cloud/library.ts";
import type { Reporter } from "./ui/reporter.ts";

/** What is printed once the cloud answers, on a line of its own whatever else was asked for. */
interface Ready {
  type: "ready";
  authUrl: string;
  port: number;
  hypervisor: string;
  /** A clouds.yaml with the entries `slipway` and `slipway-admin`. */
  cloudsFile: string;
  /** What a client's environment needs. */
  env: { OS_CLIENT_CONFIG_FILE: string; OS_CLOUD: string };
}

/**
 * Runs a cloud of its own in this process, for tests in any language: on a folder that goes with it. Says in one line of JSON that
 * it answers, and ends by a signal, or where its standard input is a pipe, at the end of that: with whoever started it, however that ends.
 */
export async function runCloud(
  { hypervisor, port }: { hypervisor: HypervisorChoice; port?: number | undefined },
  reporter: Reporter,
  interrupted: AbortSignal,
): Promise<void> {
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const cloud = await startCloud({ hypervisor, log, ...(port === undefined ? {} : { port }) });
  try {
    const { authUrl, cloudsFile } = cloud;
    const env = { OS_CLIENT_CONFIG_FILE: cloudsFile, OS_CLOUD: "slipway" };
    const ready: Ready = { type: "ready", authUrl, port: cloud.port, hypervisor: cloud.hypervisor, cloudsFile, env };
    process.stdout.write(`${JSON.stringify(ready)}\n`);
    await untilTold(interrupted);
  } finally {
    await cloud.close();
  }
  reporter.result({ ok: true }, "");
}

function untilTold(interrupted: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    interrupted.addEventListener("abort", () => resolve());
    const stdin = fstatSync(0);
    if (!stdin.isFIFO() && !stdin.isSocket()) return; // a terminal, or nothing at all: only a signal ends it
    process.stdin.on("end", resolve).on("error", () => resolve());
    process.stdin.resume();
  });
}
