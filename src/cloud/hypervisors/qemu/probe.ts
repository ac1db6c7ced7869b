import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CommandError, run } from "../../../common/process.ts";
import { findCommand, type HostPackage, missingHostPackages } from "../../host-packages.ts";
import type { Obstacle } from "../nspawn/obstacles.ts";
import type { Accelerator } from "./command.ts";

/** What virtual machines need. */
export const qemuPackages: readonly HostPackage[] = [
  { name: "qemu-system-x86", command: "qemu-system-x86_64", reason: "runs the guests" },
  { name: "qemu-utils", command: "qemu-img", reason: "makes their disks" },
];

/**
 * A guest that goes where Linux goes, and no further: by BIOS from real mode into long mode with paging; there it computes with SSE, says
 * so on the first serial port, and ends QEMU over its debug-exit device. Machines that offer /dev/kvm without hardware below stop in the
 * middle (seen: `KVM internal error`, at the first SSE instruction). Assembled of probe.S, beside this file.
 */
const bootSector =
  "+jHAjtiOwI7QvAB8vwAQZjHAuQAMZvOrxwYAEAMgxwYAIAMwxwYAMIMADwEWqHxmuCAGAAAPIuBmuAAQAAAPIthmuYAAAMAPMg0AAQ8wZrgRAACADyLA6lx8" +
  "CAC76AMAAPIPKsPyD1nA8g8twD1AQg8AdRlIjTUVAAAAZrr4A7kGAAAA825muvQAsBDu9Ov9Ym9vdHMKZpAAAAAAAAAAAAAAAAAAmiAADwCYfA==";

/** `isa-debug-exit` makes of the 16 that the guest writes an exit status of 2 · 16 + 1. */
const bootedStatus = 33;

/** Real hardware takes a tenth of a second; this is for a busy machine. */
const bootTimeoutMs = 5_000;

/** What was found out of QEMU on this machine. */
export type QemuFound =
  | { accelerator: Accelerator /** Why not by hardware, where that is so. */; slow?: string }
  | { obstacle: Obstacle };

/** Looks for QEMU, and boots the probe guest by each way that this system has: by hardware first. Takes 0.2 s, up to 5 s where KVM is broken. */
export async function findQemu(stateDir: string): Promise<QemuFound> {
  const missing = await missingHostPackages(qemuPackages);
  if (missing.length > 0) {
    const names = missing.map(({ name }) => name).join(" ");
    const what = `packages are not installed: ${missing.map(({ name, reason }) => `${name} (${reason})`).join(", ")}`;
    return { obstacle: { what, remedy: `Run \`apt-get install --no-install-recommends ${names}\` as root.` } };
  }
  const byHardware: Accelerator | undefined =
    process.platform === "linux" ? "kvm" : process.platform === "darwin" ? "hvf" : undefined;
  const problem =
    byHardware === undefined ? "this system has neither KVM nor HVF" : await failureOfBoot(stateDir, byHardware);
  if (byHardware !== undefined && problem === undefined) return { accelerator: byHardware };
  const other = await failureOfBoot(stateDir, "tcg");
  if (other === undefined) return { accelerator: "tcg", slow: `${byHardware ?? "hardware"} does not work: ${problem}` };
  return {
    obstacle: { what: `QEMU boots no guest (${other})`, remedy: "Install another version of QEMU." },
  };
}

/** The boot sector, with the mark by which a BIOS knows one. */
function bootDisk(): Buffer {
  const disk = Buffer.alloc(512);
  disk.set(Buffer.from(bootSector, "base64"));
  disk.set([0x55, 0xaa], 510);
  return disk;
}

/** Why the probe guest does not boot; undefined where it does. */
async function failureOfBoot(stateDir: string, accelerator: Accelerator): Promise<string | undefined> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const scratch = await mkdtemp(join(stateDir, "probe-"));
  try {
    const disk = join(scratch, "disk");
    await writeFile(disk, bootDisk());
    const program = (await findCommand("qemu-system-x86_64")) ?? "qemu-system-x86_64";
    const machine = ["-machine", `pc,accel=${accelerator}`, "-m", "64", "-nodefaults", "-display", "none"];
    const devices = ["-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-drive", `file=${disk},format=raw,if=ide`];
    await run(program, [...machine, "-serial", "null", ...devices], { timeoutMs: bootTimeoutMs });
    return "the probe guest ended without a word";
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.exitCode === bootedStatus) return undefined;
    const words = error.stderr.split("\n").filter((line) => line !== "" && !line.includes("warning:"));
    return words[0] ?? "the probe guest did not boot in time";
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
