import { createHash } from "node:crypto";
import { isoMicrosNoZone } from "../http/time.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import type { NetworkTables } from "../network/records.ts";
import type { Collection } from "../store/store.ts";
import { type BlockDevice, devicesOf } from "./block-devices.ts";
import { embeddedFlavor } from "./flavors.ts";
import { type Server, statusOf } from "./records.ts";

/** What a view needs besides the server. */
export interface ViewContext {
  tables: NetworkTables;
  blockDevices: Collection<BlockDevice>;
  base: string;
  microversion: number;
  scope: Scope;
}

const powerState: Record<Server["vmState"], number> = {
  ...{ building: 0, active: 1, stopped: 4, resized: 1, shelved_offloaded: 4, error: 0 },
};

/** Self and bookmark links of a server. */
export function serverLinks(id: string, base: string): unknown[] {
  return [
    { rel: "self", href: `${base}/compute/v2.1/servers/${id}` },
    { rel: "bookmark", href: `${base}/compute/servers/${id}` },
  ];
}

/** The server as `GET /servers/{id}` shows it at the request's microversion. */
export function serverView(server: Server, context: ViewContext): Record<string, unknown> {
  const { tables, blockDevices, base, microversion, scope } = context;
  const from = (minor: number, fields: () => Record<string, unknown>) => (microversion >= minor ? fields() : {});
  return {
    id: server.id,
    name: server.name,
    status: statusOf(server),
    tenant_id: server.projectId,
    user_id: server.userId,
    metadata: server.metadata,
    hostId: createHash("sha224").update(server.projectId).update("slipway").digest("hex"),
    image: {
      id: server.imageId,
      links: [{ rel: "bookmark", href: `${base}/compute/images/${server.imageId}` }],
    },
    flavor: embeddedFlavor(server.flavor, microversion, base),
    created: server.createdAt,
    updated: server.updatedAt,
    addresses: addressesOf(server, tables),
    accessIPv4: "",
    accessIPv6: "",
    links: serverLinks(server.id, base),
    "OS-DCF:diskConfig": "MANUAL",
    ...(server.vmState === "active" || server.vmState === "building" ? { progress: 0 } : {}),
    ...(server.fault === null ? {} : { fault: server.fault }),
    "OS-EXT-AZ:availability_zone": server.availabilityZone,
    config_drive: server.configDrive ? "True" : "",
    key_name: server.keyName,
    "OS-SRV-USG:launched_at": server.launchedAt === null ? null : isoMicrosNoZone(server.launchedAt),
    "OS-SRV-USG:terminated_at": null,
    ...groupsField(groupNames(server, tables)),
    "OS-EXT-STS:task_state": server.taskState,
    "OS-EXT-STS:vm_state": server.vmState,
    "OS-EXT-STS:power_state": powerState[server.vmState],
    "os-extended-volumes:volumes_attached": devicesOf(blockDevices, server.id).map((device) => ({
      id: device.volumeId,
      ...from(3, () => ({ delete_on_termination: device.deleteOnTermination })),
    })),
    ...(isAdmin(scope) ? adminFields(server, microversion) : {}),
    ...from(9, () => ({ locked: false })),
    ...from(19, () => ({ description: server.description })),
    ...from(26, () => ({ tags: server.tags })),
    ...from(63, () => ({ trusted_image_certificates: null })),
    ...from(71, () => ({ server_groups: server.groupId ? [server.groupId] : [] })),
    ...from(73, () => ({ locked_reason: null })),
    ...(microversion >= 90 && !isAdmin(scope) ? { "OS-EXT-SRV-ATTR:hostname": server.hostname } : {}),
  };
}

function adminFields(server: Server, microversion: number): Record<string, unknown> {
  return {
    "OS-EXT-SRV-ATTR:host": "slipway",
    "OS-EXT-SRV-ATTR:hypervisor_hostname": "slipway",
    "OS-EXT-SRV-ATTR:instance_name": `instance-${server.id.slice(0, 8)}`,
    ...(microversion >= 3
      ? {
          "OS-EXT-SRV-ATTR:hostname": server.hostname,
          "OS-EXT-SRV-ATTR:reservation_id": `r-${server.id.slice(0, 8)}`,
          "OS-EXT-SRV-ATTR:launch_index": 0,
          "OS-EXT-SRV-ATTR:kernel_id": "",
          "OS-EXT-SRV-ATTR:ramdisk_id": "",
          "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda",
          "OS-EXT-SRV-ATTR:user_data": server.userData,
        }
      : {}),
    ...(microversion >= 16 ? { host_status: "UP" } : {}),
  };
}

/** A server whose ports have no group shows no `security_groups` at all. */
function groupsField(names: string[]): Record<string, unknown> {
  return names.length === 0 ? {} : { security_groups: names.map((name) => ({ name })) };
}

function groupNames(server: Server, tables: NetworkTables): string[] {
  const ids = server.nics.flatMap(({ portId }) => tables.ports.get(portId)?.securityGroupIds ?? []);
  return [...new Set(ids)].flatMap((id) => tables.securityGroups.get(id)?.name ?? []);
}

/** Addresses by network name; a floating IP follows the fixed address that it leads to, with the same MAC. */
export function addressesOf(server: Server, tables: NetworkTables): Record<string, unknown[]> {
  const result: Record<string, unknown[]> = {};
  for (const { portId } of server.nics) {
    const port = tables.ports.get(portId);
    const network = port === undefined ? undefined : tables.networks.get(port.networkId);
    if (port === undefined || network === undefined) continue;
    const entry = (addr: string, type: "fixed" | "floating") => ({
      version: 4,
      addr,
      "OS-EXT-IPS:type": type,
      "OS-EXT-IPS-MAC:mac_addr": port.mac,
    });
    const list = result[network.name] ?? [];
    result[network.name] = list;
    for (const ip of port.fixedIps) {
      list.push(entry(ip.ipAddress, "fixed"));
      for (const floating of tables.floatingIps.list((f) => f.portId === port.id && f.fixedIp === ip.ipAddress)) {
        list.push(entry(floating.address, "floating"));
      }
    }
  }
  return result;
}
