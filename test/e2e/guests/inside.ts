import { join } from "node:path";
import { leaderOf, nspawnPid } from "../../../src/cloud/hypervisors/nspawn/guest-folder.ts";
import { run } from "../../../src/common/process.ts";
import { waitFor } from "../../../src/common/wait.ts";

/** Acts inside a guest of a scratch cloud, as its root. */
export function inside(stateDir: string, serverId: string) {
  const folder = join(stateDir, "guests", serverId);
  const nspawn = () => nspawnPid(folder);
  /** Runs a command in the guest's namespaces, and returns what it printed. The guest's limits do not hold for it. */
  const inGuest = async (...command: string[]) =>
    (await run("nsenter", ["-t", String(await leaderOf(folder)), "-a", ...command])).stdout;
  /** Runs a command of this machine in the guest's network. */
  const inNetwork = async (...command: string[]) =>
    (await run("nsenter", ["-t", String(await leaderOf(folder)), "-n", ...command])).stdout;
  /** Runs a script by the guest's own init: within the guest's limits. */
  const shell = (script: string) =>
    inGuest("systemd-run", "--quiet", "--wait", "--pipe", "--collect", "sh", "-ec", script);
  /**
   * Started a moment later by the guest's own systemd: a tool that was inside by nsenter while the guest stops everything would be stopped
   * too, with nobody to continue it, and the guest's first process waits for it for ever.
   */
  const later = (...command: string[]) =>
    inGuest("systemd-run", "--quiet", "--on-active=300ms", "--timer-property=AccuracySec=10ms", ...command);
  const reboot = async () => {
    const before = await nspawn();
    await later("systemctl", "reboot");
    const isAnother = async () => ([before, undefined].includes(await nspawn()) ? undefined : true);
    await waitFor("the reboot", isAnother, { timeoutMs: 60_000 });
  };
  return { nspawn, inGuest, inNetwork, shell, later, reboot };
}
