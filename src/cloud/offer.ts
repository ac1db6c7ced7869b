import { SlipwayError } from "../common/errors.ts";
import type { ChosenHypervisor } from "./choose-hypervisor.ts";
import type { EgressChoice } from "./daemon-info.ts";
import { FakeHypervisor } from "./hypervisors/fake.ts";
import type { Accelerator } from "./hypervisors/qemu/command.ts";
import type { QemuOptions } from "./hypervisors/qemu/hypervisor.ts";
import type { UserNetwork } from "./hypervisors/qemu/user-network.ts";
import type { OfferedImage } from "./image/registration.ts";
import { guestImageNames, type ImageKind } from "./images/recipe.ts";

// What a cloud is started with, for each kind of guests.

const common: Pick<OfferedImage, "minDiskGb" | "properties"> = {
  minDiskGb: 1,
  properties: { os_distro: "debian", os_version: "13", os_admin_user: "debian" },
};

/** For the kind that was chosen. @throws SlipwayError E_UNSUPPORTED for a way out that QEMU's own network does not have */
export async function offerOf(
  { hypervisor, accelerator = "tcg", network = "user" }: ChosenHypervisor,
  kinds: ImageKind[],
  log: (line: string) => void,
  egress: EgressChoice,
) {
  if (hypervisor === "nspawn") return realGuests(kinds, log, egress);
  if (hypervisor === "qemu") {
    return network === "user" ? closedMachines(accelerator, log, egress) : virtualMachines(accelerator, log, egress);
  }
  return pretendedGuests(kinds);
}

/** What virtual machines are made by, and that no image is offered: whoever has one uploads it. */
type QemuParts = Omit<QemuOptions, "network" | "accelerator" | "log">;

/** Virtual machines for which nothing of this machine's network is changed. */
async function closedMachines(accelerator: Accelerator, log: (line: string) => void, egress: EgressChoice) {
  if (egress !== "none") {
    throw new SlipwayError("E_UNSUPPORTED", "virtual machines have no way out of this cloud", {
      hint: "Start it with --egress none: with a way out they would reach this machine's own loopback addresses too.",
    });
  }
  const [{ createQemuHypervisor }, { createUserNetwork }] = await Promise.all([
    import("./hypervisors/qemu/hypervisor.ts"),
    import("./hypervisors/qemu/user-network.ts"),
  ]);
  let network: UserNetwork | undefined;
  return {
    dataplane: async ({ instance }: { instance: string }) => {
      network = await createUserNetwork(instance);
      return network;
    },
    hypervisor: (parts: QemuParts) => {
      if (network === undefined) throw new Error("virtual machines need their network first");
      return createQemuHypervisor({ ...parts, network, accelerator, log });
    },
    images: [],
  };
}

/** Virtual machines in the networks that containers have. */
async function virtualMachines(accelerator: Accelerator, log: (line: string) => void, egress: EgressChoice) {
  const [{ createQemuHypervisor }, { createTapNetwork }, networks] = await Promise.all([
    import("./hypervisors/qemu/hypervisor.ts"),
    import("./hypervisors/qemu/tap-network.ts"),
    machineNetworks(egress),
  ]);
  return {
    hypervisor: (parts: QemuParts) =>
      createQemuHypervisor({ ...parts, network: createTapNetwork(parts.instance), accelerator, log }),
    ...networks,
    images: [],
  };
}

/** Networks that are this machine's own, and what balances loads in them. Loaded only where guests are real. */
async function machineNetworks(egress: EgressChoice) {
  const [{ createLinuxDataplane }, { createHaproxyEngine }] = await Promise.all([
    import("./network/linux/dataplane.ts"),
    import("./loadbalancer/haproxy/engine.ts"),
  ]);
  return {
    // guests reach this machine at the object store's port and nowhere else, whatever else they reach
    dataplane: (parts: Parameters<typeof createLinuxDataplane>[0] & { port: number }) =>
      createLinuxDataplane({ ...parts, hostPorts: [parts.port], egress }),
    balancerEngine: createHaproxyEngine,
  };
}

/** Loaded only where guests are real. */
async function realGuests(kinds: ImageKind[], log: (line: string) => void, egress: EgressChoice) {
  const [{ createNspawnHypervisor }, { ensureGuestImage }, networks] = await Promise.all([
    import("./hypervisors/nspawn/hypervisor.ts"),
    import("./images/guest-image.ts"),
    machineNetworks(egress),
  ]);
  const images: OfferedImage[] = [];
  for (const kind of kinds) {
    const { name, rootfs: path, digest } = await ensureGuestImage({ kind, log });
    images.push({ ...common, name, path, digest });
  }
  return { hypervisor: createNspawnHypervisor, ...networks, images };
}

export function pretendedGuests(kinds: ImageKind[], bootMs = 0) {
  const images = kinds.map((kind): OfferedImage => ({ ...common, name: guestImageNames[kind], path: null }));
  return { hypervisor: new FakeHypervisor({ bootMs }), images };
}
