import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, realpath, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findCommand } from "../../../src/cloud/host-packages.ts";
import type { GuestSpec } from "../../../src/cloud/hypervisors/hypervisor.ts";
import type { GuestNetwork } from "../../../src/cloud/hypervisors/qemu/guest-network.ts";
import { createQemuHypervisor } from "../../../src/cloud/hypervisors/qemu/hypervisor.ts";
import { removeLeftovers } from "../../../src/cloud/leftovers.ts";

/** Whether real QEMUs run here. */
export const hasQemu =
  (await findCommand("qemu-system-x86_64")) !== undefined && (await findCommand("qemu-img")) !== undefined;

/**
 * A place for virtual machines whose disk holds nothing: their firmware finds nothing to boot, and QEMU is all real.
 * @param program what they run instead, machine code of at most 510 bytes at 0x7c00
 */
export async function placeForMachines(program?: Uint8Array) {
  const instance = randomBytes(3).toString("hex");
  const stateDir = await realpath(await mkdtemp(join(tmpdir(), "slipway-qemu-")));
  await mkdir(join(stateDir, "guests"));
  const image = join(stateDir, "empty.raw");
  await writeFile(image, program === undefined ? "" : bootSector(program));
  await truncate(image, 1024 * 1024);
  const told: string[] = [];
  return {
    ...{ instance, stateDir, told },
    hypervisorOn: (network: GuestNetwork) =>
      createQemuHypervisor({
        ...{ instance, stateDir, network, accelerator: "tcg", log: (line) => void told.push(line) },
        images: { pathOf: async () => image },
      }),
    async remove() {
      await removeLeftovers(instance);
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

function bootSector(program: Uint8Array): Uint8Array {
  const sector = new Uint8Array(512);
  sector.set(program);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

/** A server as the hypervisor gets it. */
export const machine = (id: string, nics: GuestSpec["nics"] = []): GuestSpec => ({
  ...{ id, hostname: "web", imageId: "empty", vcpus: 1, ramMb: 32, diskGb: 0, disks: [], nics, configDrive: {} },
});
