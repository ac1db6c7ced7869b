import { readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isAlive } from "../../src/cloud/hypervisors/nspawn/processes.ts";
import { guestFiles } from "../../src/cloud/hypervisors/qemu/guest-files.ts";
import { waitFor } from "../../src/common/wait.ts";
import type { TestCloud } from "../cloud/support.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { smallMachine } from "./guests/small-machine.ts";
import {
  act as actOn,
  consoleOf,
  type GuestNetworks,
  giveFloatingIp,
  groupLettingIn,
  removeVirtualCloud,
  startVirtualCloud,
  uploadImage,
  virtualMachines,
} from "./guests/virtual-cloud.ts";

// A server's life in a virtual machine, by software emulation where KVM does not work: minutes. Only where it is asked for.
const wanted = process.env.SLIPWAY_TEST_QEMU === "1";

const bootMs = 120_000;

const inTheWay = await whyNoGuests();

let cloud: TestCloud;
let serverId: string;
let imageId: string;
let networkId: string;
let address: string;

/** What the guest's web server says; undefined while it does not. */
function ask(path: string, port = 80): Promise<string | undefined> {
  return new Promise((resolve) => {
    const call = request({ host: address, port, path, agent: false, timeout: 2_000 }, (answer) => {
      let text = "";
      answer
        .on("data", (chunk) => (text += chunk))
        .on("end", () => resolve(answer.statusCode === 200 ? text : undefined));
    });
    call
      .on("timeout", () => call.destroy())
      .on("error", () => resolve(undefined))
      .end();
  });
}

const inGuest = async (command: string) => (await ask(`/cgi-bin/run?${encodeURIComponent(command)}`)) ?? "no answer";
const served = () => waitFor("the guest to serve", () => ask("/"), { timeoutMs: bootMs, maxIntervalMs: 250 });
const act = (action: unknown) => actOn(cloud, serverId, action);
const consoleText = () => consoleOf(cloud, serverId);
const statusOf = async () => (await cloud.server(serverId)).status;
const uptime = async () => Number.parseFloat(await inGuest("cat /proc/uptime"));
/** What a command prints, once it prints something: the guest's kernel may not yet have seen what was done to it. */
const printed = (command: string) =>
  waitFor(command, async () => (await inGuest(command)).trim() || undefined, { timeoutMs: 20_000 });
const gib = (count: number) => String((count * 1024 ** 3) / 512);
const userData = Buffer.from("echo user-data was run\n").toString("base64");

/** Another server than the one that most tests are about; its address is asked while `work` runs. */
async function withServer(fields: Record<string, unknown>, work: (id: string) => Promise<void>) {
  const own = address;
  const given = { networks: [{ uuid: networkId }], security_groups: [{ name: "in-80-8080" }], user_data: userData };
  const server = await cloud.bootServer({ name: "other", ...given, ...fields });
  expect(server).toMatchObject({ status: "ACTIVE" });
  try {
    address = await giveFloatingIp(cloud, server.id, networkId);
    await served();
    await work(server.id);
  } finally {
    address = own;
    await cloud.delete(`/compute/v2.1/servers/${server.id}`);
    await cloud.cloud.idle();
  }
}

const volume = async (id: string) => (await cloud.get(`/volume/v3/${cloud.projectId}/volumes/${id}`)).body.volume;
async function extend(id: string, size: number) {
  const headers = { "openstack-api-version": "volume 3.70" };
  const path = `/volume/v3/${cloud.projectId}/volumes/${id}/action`;
  expect((await cloud.post(path, { "os-extend": { new_size: size } }, { headers })).status).toBe(202);
  await cloud.cloud.idle();
}

/** A cloud with the server that the tests are about. */
async function startWithServer(networks: GuestNetworks) {
  cloud = await startVirtualCloud(networks);
  imageId = await uploadImage(cloud, await smallMachine(), { name: "debian-13", disk_format: "raw" });
  networkId = (await cloud.routedNetwork("10.1.0.0/24")).network.id;
  const name = await groupLettingIn(cloud, 80, 8080);
  const fields = { networks: [{ uuid: networkId }], security_groups: [{ name }], user_data: userData };
  const server = await cloud.bootServer(fields);
  expect(server).toMatchObject({ status: "ACTIVE" });
  serverId = server.id;
  address = await giveFloatingIp(cloud, serverId, networkId);
}

describe.runIf(wanted && inTheWay === undefined)(
  "a server in the networks of containers",
  { timeout: 4 * bootMs },
  () => {
    beforeAll(() => startWithServer("namespaces"), 2 * bootMs);
    afterAll(() => removeVirtualCloud(cloud));

    it("is not reached while its port is disabled, and is when it is enabled again", async () => {
      expect(await served()).toBe("web.novalocal\n");
      const { ports } = (await cloud.get(`/network/v2.0/ports?device_id=${serverId}`)).body;
      const set = (enabled: boolean) =>
        cloud.put(`/network/v2.0/ports/${ports[0].id}`, { port: { admin_state_up: enabled } });
      expect((await set(false)).status).toBe(200);
      expect(await ask("/")).toBeUndefined();
      expect((await set(true)).status).toBe(200);
      expect(await served()).toBe("web.novalocal\n");
    });

    it("takes interfaces while it runs, which lead into their network, and gives them back", async () => {
      const second = await cloud.routedNetwork("10.2.0.0/24");
      const interfaces = `/compute/v2.1/servers/${serverId}/os-interface`;
      const attached = await cloud.post(interfaces, { interfaceAttachment: { net_id: second.network.id } });
      expect(attached.status).toBe(200);
      const { port_id, mac_addr, fixed_ips } = attached.body.interfaceAttachment;
      expect(await printed("cat /sys/class/net/eth1/address 2>/dev/null")).toBe(mac_addr);
      const reach = `ifconfig eth1 ${fixed_ips[0].ip_address} netmask 255.255.255.0 up; ping -c 3 -W 5 ${second.subnet.gateway_ip}`;
      expect(await inGuest(reach)).toContain("bytes from");
      expect((await cloud.delete(`${interfaces}/${port_id}`)).status).toBe(202);
      await cloud.cloud.idle();
      expect(await inGuest("ls /sys/class/net | grep -c eth1")).toBe("0\n");
    });
  },
);

describe.runIf(wanted)("a server in a virtual machine", { timeout: 4 * bootMs }, () => {
  beforeAll(() => startWithServer("user"), 2 * bootMs);
  afterAll(() => removeVirtualCloud(cloud));

  it("is reached at its floating IP, a loopback address, where its groups let in, and nowhere else", async () => {
    expect(address).toMatch(/^127\./);
    expect(await served()).toBe("web.novalocal\n");
    expect(await ask("/", 8081)).toBeUndefined();
    const console = await waitFor(
      "user-data",
      async () => {
        const text = await consoleText();
        return text.includes("user-data was run") ? text : undefined;
      },
      { timeoutMs: 20_000 },
    );
    expect(console).toContain("boot 1 of web.novalocal");
  });

  it("has its flavor's CPUs, memory and disk, and no way out", async () => {
    expect(await inGuest("nproc; cat /sys/block/vda/size")).toBe(`1\n${gib(1)}\n`);
    const memory = Number(await inGuest("awk '/MemTotal/ { print $2 }' /proc/meminfo"));
    expect(memory).toBeGreaterThan(400 * 1024);
    expect(memory).toBeLessThanOrEqual(512 * 1024);
    expect(await inGuest(`wget -q -T 3 -O - http://10.1.0.1:${cloud.cloud.port}/ || echo refused`)).toContain(
      "refused",
    );
  });

  it("takes volumes while it runs, sees them grow, and gives them back", async () => {
    const headers = { "openstack-api-version": "volume 3.70" };
    const created = await cloud.post(`/volume/v3/${cloud.projectId}/volumes`, { volume: { size: 1 } }, { headers });
    const volumeId = created.body.volume.id;
    await cloud.cloud.idle();
    const attachments = `/compute/v2.1/servers/${serverId}/os-volume_attachments`;
    expect((await cloud.post(attachments, { volumeAttachment: { volumeId } })).status).toBe(200);
    await cloud.cloud.idle();
    expect(await printed("cat /sys/block/vdb/size 2>/dev/null")).toBe(gib(1));
    expect(await inGuest("cat /sys/block/vdb/serial")).toBe(volumeId.slice(0, 20));
    await inGuest("echo kept | dd of=/dev/vdb conv=notrunc,fsync");
    await extend(volumeId, 2);
    expect(await printed(`grep -x ${gib(2)} /sys/block/vdb/size`)).toBe(gib(2));
    expect(await inGuest("head -c 5 /dev/vdb")).toBe("kept\n");
    expect((await cloud.delete(`${attachments}/${volumeId}`)).status).toBe(202);
    await cloud.cloud.idle();
    expect(await inGuest("ls /sys/block | grep -c vdb")).toBe("0\n");
    expect(await volume(volumeId)).toMatchObject({ status: "available", size: 2 });
  });

  it("takes interfaces while it runs, and gives them back", async () => {
    const interfaces = `/compute/v2.1/servers/${serverId}/os-interface`;
    const attached = await cloud.post(interfaces, { interfaceAttachment: { net_id: networkId } });
    expect(attached.status).toBe(200);
    const { port_id, mac_addr } = attached.body.interfaceAttachment;
    expect(await printed("cat /sys/class/net/eth1/address 2>/dev/null")).toBe(mac_addr);
    expect((await cloud.delete(`${interfaces}/${port_id}`)).status).toBe(202);
    await cloud.cloud.idle();
    expect(await inGuest("ls /sys/class/net | grep -c eth1")).toBe("0\n");
    expect(await served()).toBe("web.novalocal\n");
  });

  it("stands still while it is paused or suspended, and goes on where it was", async () => {
    for (const [hold, status, letGo] of [
      ["pause", "PAUSED", "unpause"],
      ["suspend", "SUSPENDED", "resume"],
    ] as const) {
      const before = await uptime();
      await act({ [hold]: null });
      expect(await statusOf()).toBe(status);
      expect(await ask("/")).toBeUndefined();
      await cloud.restart(await virtualMachines(cloud.stateDir, "user"));
      expect(await statusOf()).toBe(status);
      expect(await ask("/")).toBeUndefined();
      await act({ [letGo]: null });
      expect(await statusOf()).toBe("ACTIVE");
      await served();
      expect(await uptime()).toBeGreaterThan(before);
      expect(await inGuest("dmesg | grep -c 'Linux version'")).toBe("1\n");
    }
  });

  it("runs on while the cloud does not, and is led into by what changes after", async () => {
    const before = await uptime();
    await cloud.restart(await virtualMachines(cloud.stateDir, "user"));
    expect(await uptime()).toBeGreaterThan(before);
    const [rule] = (await cloud.get("/network/v2.0/security-group-rules?port_range_min=80")).body.security_group_rules;
    expect((await cloud.delete(`/network/v2.0/security-group-rules/${rule.id}`)).status).toBe(204);
    expect(await ask("/")).toBeUndefined();
    const { id: _, ...same } = rule;
    const { security_group_id, direction, ethertype, protocol, port_range_min, port_range_max } = same;
    await cloud.make("security_group_rule", {
      security_group_id,
      direction,
      ethertype,
      protocol,
      port_range_min,
      port_range_max,
    });
    expect(await served()).toBe("web.novalocal\n");
  });

  it("reboots, politely or at once, and begins anew", async () => {
    expect(await consoleText()).not.toContain("boot 2 of");
    await act({ reboot: { type: "SOFT" } });
    await served();
    expect(await consoleText()).toContain("boot 2 of web.novalocal");
    expect(await consoleText()).toContain("powers off"); // it was asked
    await act({ reboot: { type: "HARD" } });
    await served();
    expect(await consoleText()).toContain("boot 3 of web.novalocal");
    expect((await consoleText()).match(/powers off/g)).toHaveLength(1);
    const lines = await act({ "os-getConsoleOutput": { length: 3 } });
    expect(lines.output.trim().split("\n").length).toBeLessThanOrEqual(3);
  });

  it("shuts down when it is asked to, keeps its disk, and is SHUTOFF when it powers itself off", async () => {
    await act({ pause: null });
    await act({ unpause: null });
    await act({ "os-stop": null });
    expect(await statusOf()).toBe("SHUTOFF");
    await act({ "os-start": null });
    await served();
    expect(await consoleText()).toContain("boot 4 of web.novalocal");
    await inGuest("(sleep 0.2; poweroff -f) &");
    await waitFor("SHUTOFF", async () => (await statusOf()) === "SHUTOFF" || undefined, { timeoutMs: 20_000 });
    await act({ "os-start": null });
    await served();
  });

  it("boots anew where its start was not noted, since the cloud was killed in it", async () => {
    const { run } = guestFiles(join(cloud.stateDir, "guests", serverId));
    await cloud.cloud.close();
    const { process: noted } = JSON.parse(await readFile(run, "utf8"));
    await rm(run);
    await cloud.restart(await virtualMachines(cloud.stateDir, "user"));
    await cloud.cloud.idle();
    expect(await isAlive(noted)).toBe(false);
    expect(await statusOf()).toBe("ACTIVE");
    await served();
  });

  it("is rescued from a fresh disk, with its own beside, and is then what it was", async () => {
    await inGuest("echo its own disk | dd of=/dev/vda seek=200001 conv=notrunc,fsync");
    await act({ rescue: {} });
    expect(await statusOf()).toBe("RESCUE");
    await served();
    expect(await inGuest("cat /sys/block/vdb/size; dd if=/dev/vdb skip=200001 count=1 2>/dev/null | head -c 13")).toBe(
      `${gib(1)}\nits own disk\n`,
    );
    await act({ unrescue: null });
    expect(await statusOf()).toBe("ACTIVE");
    await served();
    expect(await inGuest("ls /sys/block | grep -c vdb")).toBe("0\n");
    expect(await inGuest("dd if=/dev/vda skip=200001 count=1 2>/dev/null | head -c 13")).toBe("its own disk\n");
  });

  it("becomes an image, from which another server goes on where it was", async () => {
    await inGuest("echo in the image | dd of=/dev/vda seek=200002 conv=notrunc");
    await act({ createImage: { name: "copy" } });
    expect(await ask("/")).toBe("web.novalocal\n");
    const [image] = (await cloud.get("/image/v2/images?name=copy")).body.images;
    expect(image).toMatchObject({ status: "active", disk_format: "qcow2", container_format: "bare" });
    await withServer({ imageRef: image.id }, async () => {
      expect(await inGuest("dd if=/dev/vda skip=200001 count=2 2>/dev/null | tr -d '\\0'")).toBe(
        "its own disk\nin the image\n",
      );
    });
  });

  it("is rebuilt with a fresh disk, and resized to a larger one", async () => {
    await act({ rebuild: { imageRef: imageId } });
    await served();
    expect(await inGuest("dd if=/dev/vda skip=200001 count=1 2>/dev/null | tr -d '\\0'")).toBe("");
    const { flavors } = (await cloud.get("/compute/v2.1/flavors/detail")).body;
    const larger = flavors.find(({ name }: { name: string }) => name === "m1.small");
    await act({ resize: { flavorRef: larger.id } });
    expect(await statusOf()).toBe("VERIFY_RESIZE");
    await served();
    expect(await inGuest("nproc; cat /sys/block/vda/size")).toBe(`${larger.vcpus}\n${gib(larger.disk)}\n`);
    const confirmed = await cloud.post(`/compute/v2.1/servers/${serverId}/action`, { confirmResize: null });
    expect(confirmed.status).toBe(204);
    expect(await statusOf()).toBe("ACTIVE");
  });

  it("runs from a volume that is made of an image, grows with it, and leaves it behind", async () => {
    const device = { boot_index: 0, uuid: imageId, source_type: "image", destination_type: "volume", volume_size: 1 };
    let rootId = "";
    await withServer({ imageRef: "", block_device_mapping_v2: [device] }, async (id) => {
      const attachments = `/compute/v2.1/servers/${id}/os-volume_attachments`;
      const [attachment] = (await cloud.get(attachments)).body.volumeAttachments;
      rootId = attachment.volumeId;
      expect(attachment.device).toBe("/dev/vda");
      expect(await inGuest("cat /sys/block/vda/size /sys/block/vda/serial")).toBe(`${gib(1)}\n${rootId.slice(0, 20)}`);
      await inGuest("echo on the volume | dd of=/dev/vda seek=200003 conv=notrunc,fsync");
      await extend(rootId, 2);
      expect(await printed(`grep -x ${gib(2)} /sys/block/vda/size`)).toBe(gib(2));
      await actOn(cloud, id, { reboot: { type: "HARD" } });
      await served();
      expect(await inGuest("dd if=/dev/vda skip=200003 count=1 2>/dev/null | tr -d '\\0'")).toBe("on the volume\n");
      expect(await consoleOf(cloud, id)).toContain("boot 2 of other.novalocal");
    });
    expect(await volume(rootId)).toMatchObject({ status: "available", size: 2, bootable: "true" });
  });
});
