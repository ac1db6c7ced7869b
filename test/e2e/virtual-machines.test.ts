import { mkdtemp, readFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ImageStore } from "../../src/cloud/hypervisors/hypervisor.ts";
import { createQemuHypervisor } from "../../src/cloud/hypervisors/qemu/hypervisor.ts";
import { findQemu } from "../../src/cloud/hypervisors/qemu/probe.ts";
import { createUserNetwork, type UserNetwork } from "../../src/cloud/hypervisors/qemu/user-network.ts";
import { waitFor } from "../../src/common/wait.ts";
import { TestCloud } from "../cloud/support.ts";
import { registerCloud, removeCloud } from "./guests/scratch-cloud.ts";
import { smallMachine } from "./guests/small-machine.ts";

// A server's life in a virtual machine, by software emulation where KVM does not work: half a minute. Only where it is asked for.
const wanted = process.env.SLIPWAY_TEST_QEMU === "1";

const bootMs = 120_000;

let cloud: TestCloud;
let network: UserNetwork;
let serverId: string;
let address: string;

/** The parts of a cloud of virtual machines, as the daemon puts them together. */
async function virtualMachines(stateDir: string) {
  const found = await findQemu(stateDir);
  if ("obstacle" in found) throw new Error(found.obstacle.what);
  const { accelerator } = found;
  return {
    stateDir,
    images: [],
    dataplane: async ({ instance }: { instance: string }) => (network = await createUserNetwork(instance)),
    hypervisor: (parts: { instance: string; stateDir: string; images: ImageStore }) =>
      createQemuHypervisor({ ...parts, network, accelerator, log: console.log }),
  };
}

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
const act = async (action: unknown) => {
  expect((await cloud.post(`/compute/v2.1/servers/${serverId}/action`, action)).status).toBe(202);
  await cloud.cloud.idle();
};
const consoleText = async () =>
  (await cloud.post(`/compute/v2.1/servers/${serverId}/action`, { "os-getConsoleOutput": {} })).body.output as string;

describe.runIf(wanted)("a server in a virtual machine", { timeout: 2 * bootMs }, () => {
  beforeAll(async () => {
    const image = await smallMachine();
    cloud = await TestCloud.start(await virtualMachines(await mkdtemp(join(tmpdir(), "slipway-vm-"))));
    await registerCloud(cloud.cloud.instance, cloud.stateDir);
    const made = await cloud.post("/image/v2/images", {
      name: "debian-13",
      disk_format: "raw",
      container_format: "bare",
    });
    const content = await readFile(image);
    const sent = await fetch(`${cloud.base}/image/v2/images/${made.body.id}/file`, {
      method: "PUT",
      headers: { "x-auth-token": cloud.token, "content-type": "application/octet-stream" },
      body: content,
    });
    expect(sent.status).toBe(204);
    const { network: net } = await cloud.routedNetwork("10.1.0.0/24");
    const group = await cloud.make("security_group", { name: "web" });
    for (const port of [80, 8080]) {
      const rule = {
        direction: "ingress",
        ethertype: "IPv4",
        protocol: "tcp",
        port_range_min: port,
        port_range_max: port,
      };
      await cloud.make("security_group_rule", { security_group_id: group.id, ...rule });
    }
    const user_data = Buffer.from("echo user-data was run\n").toString("base64");
    const fields = {
      imageRef: made.body.id,
      networks: [{ uuid: net.id }],
      security_groups: [{ name: "web" }],
      user_data,
    };
    const server = await cloud.bootServer(fields);
    expect(server).toMatchObject({ status: "ACTIVE" });
    serverId = server.id;
    const { ports } = (await cloud.get(`/network/v2.0/ports?device_id=${serverId}`)).body;
    const floating = { floating_network_id: await cloud.externalNetworkId(), port_id: ports[0].id };
    address = (await cloud.make("floatingip", floating)).floating_ip_address;
  }, 2 * bootMs);
  afterAll(async () => {
    await cloud.delete(`/compute/v2.1/servers/${serverId}`);
    await cloud.cloud.idle();
    const { instance } = cloud.cloud;
    await cloud.remove();
    await removeCloud(instance, cloud.stateDir);
  });

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
    expect(await inGuest("nproc; cat /sys/block/vda/size")).toBe(`1\n${1024 ** 3 / 512}\n`);
    const memory = Number(await inGuest("awk '/MemTotal/ { print $2 }' /proc/meminfo"));
    expect(memory).toBeGreaterThan(400 * 1024);
    expect(memory).toBeLessThanOrEqual(512 * 1024);
    expect(await inGuest(`wget -q -T 3 -O - http://10.1.0.1:${cloud.cloud.port}/ || echo refused`)).toContain(
      "refused",
    );
  });

  it("takes volumes while it runs, and gives them back", async () => {
    const headers = { "openstack-api-version": "volume 3.70" };
    const created = await cloud.post(`/volume/v3/${cloud.projectId}/volumes`, { volume: { size: 1 } }, { headers });
    const volumeId = created.body.volume.id;
    await cloud.cloud.idle();
    const attached = await cloud.post(`/compute/v2.1/servers/${serverId}/os-volume_attachments`, {
      volumeAttachment: { volumeId },
    });
    expect(attached.status).toBe(200);
    await cloud.cloud.idle();
    const sizeOf = (command: string) =>
      waitFor("the disk", async () => (await inGuest(command)).trim() || undefined, { timeoutMs: 20_000 });
    expect(await sizeOf("cat /sys/block/vdb/size 2>/dev/null")).toBe(String(1024 ** 3 / 512));
    expect(await inGuest("cat /sys/block/vdb/serial")).toBe(volumeId.slice(0, 20));
    await inGuest("echo kept | dd of=/dev/vdb conv=notrunc,fsync");
    expect((await cloud.delete(`/compute/v2.1/servers/${serverId}/os-volume_attachments/${volumeId}`)).status).toBe(
      202,
    );
    await cloud.cloud.idle();
    expect(await inGuest("ls /sys/block | grep -c vdb")).toBe("0\n");
    const volume = await cloud.get(`/volume/v3/${cloud.projectId}/volumes/${volumeId}`);
    expect(volume.body.volume.status).toBe("available");
  });

  it("runs on while the cloud does not, and is led into by what changes after", async () => {
    const before = await inGuest("cat /proc/uptime");
    await cloud.restart(await virtualMachines(cloud.stateDir));
    expect(Number.parseFloat(await inGuest("cat /proc/uptime"))).toBeGreaterThan(Number.parseFloat(before));
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

  it("shuts down when it is asked to, keeps its disk, and is SHUTOFF when it powers itself off", async () => {
    await act({ "os-stop": null });
    expect((await cloud.server(serverId)).status).toBe("SHUTOFF");
    await act({ "os-start": null });
    await served();
    expect(await consoleText()).toContain("boot 2 of web.novalocal");
    await inGuest("(sleep 0.2; poweroff -f) &");
    await waitFor("SHUTOFF", async () => (await cloud.server(serverId)).status === "SHUTOFF" || undefined, {
      timeoutMs: 20_000,
    });
  });
});
