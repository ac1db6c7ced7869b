import { openAsBlob } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findQemu } from "../../../src/cloud/hypervisors/qemu/probe.ts";
import { offerOf } from "../../../src/cloud/offer.ts";
import { TestCloud } from "../../cloud/support.ts";
import { registerCloud, removeCloud } from "./scratch-cloud.ts";

/** What the guests' NICs lead into. */
export type GuestNetworks = "namespaces" | "user";

/** The parts of a cloud of virtual machines, as the daemon puts them together. */
export async function virtualMachines(stateDir: string, network: GuestNetworks) {
  const found = await findQemu(stateDir);
  if ("obstacle" in found) throw new Error(found.obstacle.what);
  const { accelerator } = found;
  const chosen = { hypervisor: "qemu", accelerator, network, reason: "asked for" } as const;
  return { stateDir, log: console.log, ...(await offerOf(chosen, [], console.log, "none")) };
}

/** A cloud of virtual machines in this process; {@link removeVirtualCloud} takes it away, a later run where this one was killed. */
export async function startVirtualCloud(network: GuestNetworks): Promise<TestCloud> {
  const stateDir = await mkdtemp(join(tmpdir(), "slipway-vm-"));
  const cloud = await TestCloud.start(await virtualMachines(stateDir, network));
  await registerCloud(cloud.cloud.instance, stateDir);
  return cloud;
}

/** Ends it with its guests and all that it made on the machine. */
export async function removeVirtualCloud(cloud: TestCloud): Promise<void> {
  const { servers } = (await cloud.get("/compute/v2.1/servers")).body;
  for (const { id } of servers) await cloud.delete(`/compute/v2.1/servers/${id}`);
  await cloud.cloud.idle();
  const { instance } = cloud.cloud;
  await cloud.remove();
  await removeCloud(instance, cloud.stateDir);
}

/** Puts a file into Glance. @returns the image's id */
export async function uploadImage(
  cloud: TestCloud,
  file: string,
  image: { name: string; disk_format: string; [property: string]: unknown },
): Promise<string> {
  const made = await cloud.post("/image/v2/images", { container_format: "bare", ...image });
  const sent = await fetch(`${cloud.base}/image/v2/images/${made.body.id}/file`, {
    method: "PUT",
    headers: { "x-auth-token": cloud.token, "content-type": "application/octet-stream" },
    body: await openAsBlob(file),
  });
  if (sent.status !== 204) throw new Error(await sent.text());
  return made.body.id;
}

/** Lets TCP in at some ports. @returns the group's name */
export async function groupLettingIn(cloud: TestCloud, ...ports: number[]): Promise<string> {
  const group = await cloud.make("security_group", { name: `in-${ports.join("-")}` });
  for (const port of ports) {
    const range = { port_range_min: port, port_range_max: port };
    const rule = { direction: "ingress", ethertype: "IPv4", protocol: "tcp", ...range };
    await cloud.make("security_group_rule", { security_group_id: group.id, ...rule });
  }
  return group.name;
}

/** Gives a server's port in a network a floating IP. @returns the address */
export async function giveFloatingIp(cloud: TestCloud, serverId: string, networkId: string): Promise<string> {
  const { ports } = (await cloud.get(`/network/v2.0/ports?device_id=${serverId}&network_id=${networkId}`)).body;
  const floating = { floating_network_id: await cloud.externalNetworkId(), port_id: ports[0].id };
  return (await cloud.make("floatingip", floating)).floating_ip_address;
}

/** Does something with a server and waits for its end. @throws Error with what the cloud said else */
export async function act(cloud: TestCloud, serverId: string, action: unknown) {
  const answer = await cloud.post(`/compute/v2.1/servers/${serverId}/action`, action);
  if (![200, 202].includes(answer.status)) throw new Error(`${answer.status} ${answer.text}`);
  await cloud.cloud.idle();
  return answer.body;
}

/** The console log. */
export async function consoleOf(cloud: TestCloud, serverId: string): Promise<string> {
  return (await act(cloud, serverId, { "os-getConsoleOutput": {} })).output;
}
