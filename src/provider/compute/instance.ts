import type { PropertyMap } from "../../engine/resource-provider.ts";
import { findServer, listServers, type Server } from "../../openstack/compute/servers.ts";
import { findPort } from "../../openstack/network/ports.ts";
import { deleteUnlessGone, untilGone, untilStatus } from "../../openstack/waiting.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { isMap, textOf } from "../schema/values.ts";
import { createServer } from "./instance-create.ts";
import { networkEntries } from "./instance-networks.ts";
import { instanceProperties } from "./instance-properties.ts";
import { observeServer, readServer } from "./instance-read.ts";
import { ensurePowerState, updateServer } from "./instance-update.ts";
import { detachInterface } from "./interface-attach.ts";

/** `openstack_compute_instance_v2`. */
export const instance: ResourceKind = {
  type: "openstack:compute/instance:Instance",
  autoName: true,
  timeouts: { create: 1800, delete: 1800, update: 1800 },
  properties: instanceProperties,

  create: createServer,

  async settle(context, id, inputs) {
    const usable = ["ACTIVE", "SHUTOFF", "SHELVED_OFFLOADED"];
    await untilStatus(context, `server ${textOf(inputs, "name")} (${id})`, usable, () =>
      observeServer(context.session, id),
    );
    await ensurePowerState(context, id, textOf(inputs, "powerState") ?? "active");
  },

  read: readServer,
  update: updateServer,

  async delete(context, id, olds) {
    // one that does not stop is deleted all the same
    if (olds.stopBeforeDestroy === true) {
      await ensurePowerState(context, id, "shutoff").catch(() => context.signal?.throwIfAborted());
    }
    const vendorOptions = isMap(olds.vendorOptions) ? olds.vendorOptions : {};
    if (vendorOptions.detachPortsBeforeDestroy === true) await detachPorts(context, id, olds);
    const remove =
      olds.forceDelete === true
        ? () => context.session.request("compute", "POST", `/servers/${id}/action`, { body: { forceDelete: null } })
        : () => context.session.request("compute", "DELETE", `/servers/${id}`);
    await deleteUnlessGone(context, remove);
    await untilGone(context, `server ${id}`, async () => {
      const server = await findServer(context.session, id);
      if (server === undefined || server.status === "DELETED" || server.status === "SOFT_DELETED") return undefined;
      const fault = server.fault === undefined ? {} : { fault: server.fault.message };
      return { status: server["OS-EXT-STS:task_state"] || server.status, ...fault };
    });
  },

  async candidates({ session }, inputs) {
    const metadata = isMap(inputs.metadata) ? (inputs.metadata as Record<string, string>) : {};
    const servers = await listServers(session, { name: textOf(inputs, "name") ?? "", metadata });
    const mine = await Promise.all(servers.map((server) => isMade({ session }, server, inputs)));
    return servers.filter((_, index) => mine[index]).map(({ id, created }) => ({ id, createdAt: created }));
  },

  brokenBy: (olds) => (olds.powerState === "error" ? "powerState" : undefined),
};

/** True where the server has the ports, the key and the flavor that the inputs name. */
async function isMade({ session }: Pick<Context, "session">, server: Server, inputs: PropertyMap): Promise<boolean> {
  if ((server.key_name ?? "") !== (textOf(inputs, "keyPair") ?? "")) return false;
  const flavorId = textOf(inputs, "flavorId");
  if (flavorId !== undefined && server.flavor.id !== flavorId) return false;
  for (const entry of networkEntries(inputs)) {
    const portId = textOf(entry, "port");
    if (portId === undefined) continue;
    const port = await findPort(session, portId);
    // a server that is still being built has not bound its port yet: only another owner speaks against it
    if (port !== undefined && port.device_id !== "" && port.device_id !== server.id) return false;
  }
  return true;
}

/** The ports that the program gave are free before the server goes, so that nothing waits for Nova's own clearing up. */
async function detachPorts(context: Context, id: string, olds: PropertyMap): Promise<void> {
  const status = (await observeServer(context.session, id))?.status ?? "";
  if (!["ACTIVE", "SHUTOFF", "PAUSED"].includes(status)) return; // Nova detaches from no others
  for (const portId of networkEntries(olds).flatMap((entry) => textOf(entry, "port") ?? [])) {
    await detachInterface(context, `${id}/${portId}`);
  }
}
