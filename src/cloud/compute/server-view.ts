import { isoMicrosNoZone } from "../http/time.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import type { NetworkTables } from "../network/records.ts";
import type { Collection } from "../store/store.ts";
import { type BlockDevice, devicesOf, rootDevice } from "./block-devices.ts";
import { embeddedFlavor } from "./flavors.ts";
import { host, hostIdOf } from "./host.ts";
import type { Server } from "./records.ts";
import { addressesOf, shortAddresses } from "./server-addresses.ts";
import { portsOf } from "./server-ports.ts";
import { isPlaced, powerState, statusOf } from "./server-status.ts";

/** What a view needs besides the server. */
export interface ViewContext {
  tables: NetworkTables;
  blockDevices: Collection<BlockDevice>;
  base: string;
  microversion: number;
  scope: Scope;
}

/**
 * What a server is shown for: a list leaves its groups out, and until 2.75 the answer to a change leaves out what Nova's extensions
 * added once.
 */
export type Occasion = "shown" | "listed" | "updated" | "rebuilt";

/** Statuses that are on the way somewhere. */
const withProgress = new Set(["ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"]);

/** Self and bookmark links of a server. */
export function serverLinks(id: string, base: string): unknown[] {
  return [
    { rel: "self", href: `${base}/compute/v2.1/servers/${id}` },
    { rel: "bookmark", href: `${base}/compute/servers/${id}` },
  ];
}

/** The server at the request's microversion. */
export function serverView(
  server: Server,
  context: ViewContext,
  occasion: Occasion = "shown",
): Record<string, unknown> {
  const { tables, base, microversion, scope } = context;
  const status = statusOf(server);
  const changed = occasion === "updated" || occasion === "rebuilt";
  const whole = !changed || microversion >= 75;
  const from = (minor: number, fields: () => Record<string, unknown>) => (microversion >= minor ? fields() : {});
  // while it is being built nothing is known of its addresses
  const addresses = server.vmState === "building" ? {} : addressesOf(server, tables);
  return {
    id: server.id,
    name: server.name,
    status,
    tenant_id: server.projectId,
    user_id: server.userId,
    metadata: server.metadata,
    hostId: isPlaced(server) ? hostIdOf(server.projectId) : "",
    image: server.imageId === "" ? "" : imageLink(server.imageId, base),
    flavor: embeddedFlavor(server.flavor, microversion, base),
    created: server.createdAt,
    updated: server.updatedAt,
    addresses: whole ? addresses : shortAddresses(addresses),
    accessIPv4: server.accessIPv4 ?? "",
    accessIPv6: server.accessIPv6 ?? "",
    links: serverLinks(server.id, base),
    "OS-DCF:diskConfig": server.diskConfig ?? "MANUAL",
    ...faultField(server, scope),
    ...(withProgress.has(status) ? { progress: 0 } : {}),
    ...(whole ? { "OS-EXT-AZ:availability_zone": isPlaced(server) ? server.availabilityZone : "" } : {}),
    ...(whole ? { config_drive: server.configDrive ? "True" : "" } : {}),
    ...(whole || (occasion === "rebuilt" && microversion >= 54) ? { key_name: server.keyName } : {}),
    ...(whole ? extensionFields(server, context, occasion) : {}),
    ...from(9, () => ({ locked: Boolean(server.lockedBy) })),
    ...from(73, () => ({ locked_reason: server.lockedReason ?? null })),
    ...from(19, () => ({ description: server.description })),
    ...from(26, () => ({ tags: server.tags })),
    ...from(63, () => ({ trusted_image_certificates: null })),
    ...(microversion >= 90 && !isAdmin(scope) ? { "OS-EXT-SRV-ATTR:hostname": server.hostname } : {}),
    ...(microversion >= 71 && occasion !== "listed" ? { server_groups: server.groupId ? [server.groupId] : [] } : {}),
  };
}

const imageLink = (id: string, base: string) => ({
  id,
  links: [{ rel: "bookmark", href: `${base}/compute/images/${id}` }],
});

/** What went wrong, of servers that are in error or gone; where it did, for administrators. */
function faultField({ fault, vmState }: Server, scope: Scope): Record<string, unknown> {
  if (fault === null || (vmState !== "error" && vmState !== "deleted")) return {};
  const { code, created, message } = fault;
  return { fault: { code, created, message, ...(isAdmin(scope) || code !== 500 ? { details: message } : {}) } };
}

function extensionFields(server: Server, context: ViewContext, occasion: Occasion): Record<string, unknown> {
  const { tables, blockDevices, microversion, scope } = context;
  const time = (stamp: string | null | undefined) => (stamp ? isoMicrosNoZone(stamp) : null);
  return {
    "OS-SRV-USG:launched_at": time(server.launchedAt),
    "OS-SRV-USG:terminated_at": time(server.terminatedAt),
    ...groupsField(groupNames(server, tables)),
    ...(isAdmin(scope) ? adminFields(server, microversion, occasion) : {}),
    "OS-EXT-STS:task_state": server.taskState,
    "OS-EXT-STS:vm_state": server.vmState,
    "OS-EXT-STS:power_state": powerState(server),
    "os-extended-volumes:volumes_attached": devicesOf(blockDevices, server.id).map((device) => ({
      id: device.volumeId,
      ...(microversion >= 3 ? { delete_on_termination: device.deleteOnTermination } : {}),
    })),
    ...(isAdmin(scope) && microversion >= 16 ? { host_status: isPlaced(server) ? "UP" : "" } : {}),
  };
}

function adminFields(server: Server, microversion: number, occasion: Occasion): Record<string, unknown> {
  const place = isPlaced(server) ? host.name : null;
  return {
    "OS-EXT-SRV-ATTR:host": place,
    "OS-EXT-SRV-ATTR:instance_name": instanceName(server),
    "OS-EXT-SRV-ATTR:hypervisor_hostname": place,
    ...(microversion >= 3
      ? {
          "OS-EXT-SRV-ATTR:reservation_id": server.reservationId ?? `r-${server.id.slice(0, 8)}`,
          "OS-EXT-SRV-ATTR:launch_index": server.launchIndex ?? 0,
          "OS-EXT-SRV-ATTR:hostname": server.hostname,
          "OS-EXT-SRV-ATTR:kernel_id": "",
          "OS-EXT-SRV-ATTR:ramdisk_id": "",
          "OS-EXT-SRV-ATTR:root_device_name": rootDevice,
          ...(occasion === "rebuilt" ? {} : { "OS-EXT-SRV-ATTR:user_data": server.userData }),
        }
      : {}),
  };
}

/** The hypervisor's name for a server, from its number. */
export function instanceName({ number, id }: Pick<Server, "number" | "id">): string {
  return `instance-${number === undefined ? id.slice(0, 8) : number.toString(16).padStart(8, "0")}`;
}

/** A server whose ports have no group shows no `security_groups` at all. */
function groupsField(names: string[]): Record<string, unknown> {
  return names.length === 0 ? {} : { security_groups: names.map((name) => ({ name })) };
}

function groupNames(server: Server, tables: NetworkTables): string[] {
  const ids = portsOf(tables, server).flatMap(({ securityGroupIds }) => securityGroupIds);
  return [...new Set(ids)].flatMap((id) => tables.securityGroups.get(id)?.name ?? []);
}
