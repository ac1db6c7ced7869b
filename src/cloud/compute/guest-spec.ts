import type { GuestSpec } from "../hypervisors/hypervisor.ts";
import type { ConfigDrive } from "../metadata/config-drive.ts";
import type { NetworkTables } from "../network/records.ts";
import type { Server } from "./records.ts";
import { portsOf } from "./server-ports.ts";

/** What a hypervisor has to make of a server. */
export function guestSpec(
  server: Server,
  tables: NetworkTables,
  volumes: Pick<GuestSpec, "rootDisk" | "disks">,
  configDrive: () => ConfigDrive,
): GuestSpec {
  const ports = portsOf(tables, server);
  return {
    id: server.id,
    hostname: server.hostname,
    imageId: server.imageId,
    ...(server.rescueImageId ? { rescueImageId: server.rescueImageId } : {}),
    vcpus: server.flavor.vcpus,
    ramMb: server.flavor.ram,
    diskGb: server.flavor.disk,
    nics: ports.map((port) => ({
      portId: port.id,
      networkId: port.networkId,
      mac: port.mac,
      mtu: tables.networks.get(port.networkId)?.mtu ?? 1500,
    })),
    ...volumes,
    // made when it is looked at: a restart looks at no guest's that runs
    get configDrive() {
      return configDrive();
    },
  };
}
