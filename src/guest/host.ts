import { run } from "../common/process.ts";
import { frontendUrl } from "./gate.ts";
import { type HostConfig, readHostConfig } from "./host-config.ts";
import { JournalWriter } from "./journal-writer.ts";
import { type GuestPaths, guestPaths } from "./paths.ts";

/** The host that a bootstrap or an agent works on. `run` runs its commands; tests put their own there. */
export interface Host {
  config: HostConfig;
  paths: GuestPaths;
  journal: JournalWriter;
  run: typeof run;
  /** Where the gate asks the host's own frontend. */
  frontendUrl: (port: number) => string;
}

/** For a command, a service that stops among them: on a guest under software emulation systemd takes a minute to read its units anew. */
const COMMAND_MS = 180_000;

/** The host on which this process runs. Throws where cloud-init has not written what it should. */
export async function thisHost(
  paths: GuestPaths = guestPaths(),
  journal: JournalWriter = new JournalWriter(paths.journal),
): Promise<Host> {
  const patiently: Host["run"] = (command, args, options) => run(command, args, { timeoutMs: COMMAND_MS, ...options });
  return { config: await readHostConfig(paths), paths, journal, run: patiently, frontendUrl };
}
