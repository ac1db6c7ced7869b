import type { EgressChoice } from "./daemon-info.ts";
import { FakeHypervisor } from "./hypervisors/fake.ts";
import type { OfferedImage } from "./image/registration.ts";
import { guestImageNames, type ImageKind } from "./images/recipe.ts";

// What a cloud is started with, for each kind of guests.

const common: Pick<OfferedImage, "minDiskGb" | "properties"> = {
  minDiskGb: 1,
  properties: { os_distro: "debian", os_version: "13", os_admin_user: "debian" },
};

/** Loaded only where guests are real. */
export async function realGuests(kinds: ImageKind[], log: (line: string) => void, egress: EgressChoice = "none") {
  const [{ createNspawnHypervisor }, { createLinuxDataplane }, { createHaproxyEngine }, { ensureGuestImage }] =
    await Promise.all([
      import("./hypervisors/nspawn/hypervisor.ts"),
      import("./network/linux/dataplane.ts"),
      import("./loadbalancer/haproxy/engine.ts"),
      import("./images/guest-image.ts"),
    ]);
  const images: OfferedImage[] = [];
  for (const kind of kinds) {
    const { name, rootfs: path, digest } = await ensureGuestImage({ kind, log });
    images.push({ ...common, name, path, digest });
  }
  return {
    hypervisor: createNspawnHypervisor,
    // guests reach this machine at the object store's port and nowhere else, whatever else they reach
    dataplane: (parts: Parameters<typeof createLinuxDataplane>[0] & { port: number }) =>
      createLinuxDataplane({ ...parts, hostPorts: [parts.port], egress }),
    balancerEngine: createHaproxyEngine,
    images,
  };
}

export function pretendedGuests(kinds: ImageKind[], bootMs = 0) {
  const images = kinds.map((kind): OfferedImage => ({ ...common, name: guestImageNames[kind], path: null }));
  return { hypervisor: new FakeHypervisor({ bootMs }), images };
}
