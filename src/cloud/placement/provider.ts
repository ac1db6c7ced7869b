import { host } from "../compute/host.ts";
import { capacity } from "../compute/hypervisors.ts";
import type { Server } from "../compute/records.ts";
import { isPlaced } from "../compute/server-status.ts";
import type { Hypervisor } from "../hypervisors/hypervisor.ts";
import type { Collection } from "../store/store.ts";

/** What Placement tells of. */
export interface Placed {
  servers: Collection<Server>;
  hypervisor: Hypervisor;
}

/** The one provider of resources: Nova's host, under its name and id. */
export const provider = { uuid: host.uuid, name: host.name } as const;

/** What the host has of each class, under Nova's names of classes. Nova here promises as much as quotas let it, so ratios are its defaults. */
export async function inventories({ servers }: Placed): Promise<Record<string, Record<string, number>>> {
  const { vcpus, memory_mb, local_gb } = await capacity({ servers });
  const of = (total: number, ratio: number) => ({
    total,
    reserved: 0,
    min_unit: 1,
    max_unit: total,
    step_size: 1,
    allocation_ratio: ratio,
  });
  return { VCPU: of(vcpus, 16), MEMORY_MB: of(memory_mb, 1.5), DISK_GB: of(local_gb, 1) };
}

/** What a server takes of the host. */
export function resourcesOf({ flavor, volumeBacked }: Server): Record<string, number> {
  const root = volumeBacked ? 0 : flavor.disk;
  const all = { VCPU: flavor.vcpus, MEMORY_MB: flavor.ram, DISK_GB: root + (flavor.ephemeral ?? 0) };
  return Object.fromEntries(Object.entries(all).filter(([, amount]) => amount > 0));
}

/** The servers that are on the host. */
export function consumers({ servers }: Placed, where: (server: Server) => boolean = () => true): Server[] {
  return servers.list((server) => isPlaced(server) && where(server));
}

/** Their resources together. */
export function usagesOf(list: Server[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const server of list) {
    for (const [name, amount] of Object.entries(resourcesOf(server))) total[name] = (total[name] ?? 0) + amount;
  }
  return total;
}

/** Grows with each server that was made. */
export function generation(list: Server[]): number {
  return list.reduce((most, { number }) => Math.max(most, number ?? 0), 1);
}

/** What the host can do, in Placement's words. */
export function traits({ hypervisor }: Placed): string[] {
  const always = [
    ...["COMPUTE_VOLUME_EXTEND", "COMPUTE_IMAGE_TYPE_RAW", "COMPUTE_VOLUME_ATTACH_WITH_TAG"],
    ...["COMPUTE_NET_ATTACH_INTERFACE", "COMPUTE_NET_ATTACH_INTERFACE_WITH_TAG", "COMPUTE_NODE"],
  ];
  return hypervisor.kind === "qemu" ? [...always, "COMPUTE_IMAGE_TYPE_QCOW2"] : always;
}
