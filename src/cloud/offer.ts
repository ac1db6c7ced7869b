import { SlipwayError } from "../common/errors.ts";
import type { ChosenHypervisor } from "./choose-hypervisor.ts";
import type { EgressChoice } from "./daemon-info.ts";
import { FakeHypervisor } from "./hypervisors/fake.ts";
import type { Accelerator } from "./hypervisors/qemu/command.ts";
import type { GuestNetwork } from "./hypervisors/qemu/guest-network.ts";
import type { QemuOptions } from "./hypervisors/qemu/hypervisor.ts";
import type { OfferedImage } from "./image/registration.ts";
import { guestImageNames, type ImageKind } from "./images/recipe.ts";
import type { Dataplane } from "./network/dataplane.ts";

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
  const { createUserNetwork } = await import("./hypervisors/qemu/user-network.ts");
  return machinesIn(({ instance }: QemuParts) => createUserNetwork(instance), accelerator, log);
}

/** Virtual machines in the networks that containers have. */
async function virtualMachines(accelerator: Accelerator, log: (line: string) => void, egress: EgressChoice) {
  const [{ createTapNetwork }, networks] = await Promise.all([
    import("./hypervisors/qemu/tap-network.ts"),
    machineNetworks(egress),
  ]);
  type Parts = Parameters<typeof networks.dataplane>[0];
  const inTaps = async (parts: Parts) => createTapNetwork(parts.instance, await networks.dataplane(parts));
  return { ...networks, ...(await machinesIn(inTaps, accelerator, log)) };
}

/** Virtual machines whose NICs lead into the data plane's networks. */
async function machinesIn<Parts>(
  networkOf: (parts: Parts) => Promise<Dataplane & GuestNetwork>,
  accelerator: Accelerator,
  log: (line: string) => void,
) {
  const { createQemuHypervisor } = await import("./hypervisors/qemu/hypervisor.ts");
  let network: GuestNetwork | undefined;
  return {
    dataplane: async (parts: Parts) => {
      const made = await networkOf(parts);
      network = made;
      return made;
    },
    hypervisor: (parts: QemuParts) => {
      if (network === undefined) throw new Error("virtual machines need their network first");
      return createQemuHypervisor({ ...parts, network, accelerator, log });
    },
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
