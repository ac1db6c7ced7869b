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

/** The host on which this process runs. Throws where cloud-init has not written what it should. */
export async function thisHost(
  paths: GuestPaths = guestPaths(),
  journal: JournalWriter = new JournalWriter(paths.journal),
): Promise<Host> {
  return { config: await readHostConfig(paths), paths, journal, run, frontendUrl };
}
