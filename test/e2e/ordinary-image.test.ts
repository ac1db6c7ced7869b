import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../src/common/process.ts";
import { waitFor } from "../../src/common/wait.ts";
import type { TestCloud } from "../cloud/support.ts";
import { ordinaryImage } from "./guests/ordinary-image.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import {
  act,
  consoleOf,
  type GuestNetworks,
  giveFloatingIp,
  groupLettingIn,
  removeVirtualCloud,
  startVirtualCloud,
  uploadImage,
} from "./guests/virtual-cloud.ts";

// A cloud image as distributions give them, in a virtual machine: minutes by software emulation. Only where it is asked for.
const wanted = process.env.SLIPWAY_TEST_QEMU === "1";

const bootMs = 15 * 60_000;

const userData = `#cloud-config
hostname: harbour
runcmd:
  - [sh, -c, "echo runcmd $(hostname) > /run/ran"]
`;

const whyNotNamespaces = await whyNoGuests();
const kinds: GuestNetworks[] = whyNotNamespaces === undefined ? ["namespaces", "user"] : ["user"];

describe.runIf(wanted).each(kinds)("an ordinary cloud image, its networks: %s", { timeout: bootMs }, (networks) => {
  let cloud: TestCloud;
  let folder: string;
  let serverId: string;
  let address: string;
  let flavor: { id: string; disk: number };

  /** What a command of the image's own user prints. */
  const inGuest = async (command: string) => {
    const options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=20"];
    const key = ["-i", join(folder, "key"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"];
    const ssh = [...key, ...options.flatMap((option) => ["-o", option]), `debian@${address}`, command];
    return (await run("ssh", ssh, { timeoutMs: 300_000 })).stdout;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-vm-key-"));
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
    const image = await ordinaryImage();
    cloud = await startVirtualCloud(networks);
    const imageRef = await uploadImage(cloud, image, { name: "debian-13", disk_format: "qcow2" });
    const { flavors } = (await cloud.get("/compute/v2.1/flavors/detail")).body;
    flavor = flavors.find(({ name }: { name: string }) => name === "m1.small");
    const public_key = await readFile(join(folder, "key.pub"), "utf8");
    await cloud.post("/compute/v2.1/os-keypairs", { keypair: { name: "key", public_key } });
    const { network } = await cloud.routedNetwork("10.1.0.0/24");
    const second = await cloud.make("network", { name: "second" });
    await cloud.make("subnet", { network_id: second.id, ip_version: 4, cidr: "10.2.0.0/24" });
    const server = await cloud.bootServer({
      ...{ name: "ship", imageRef, flavorRef: flavor.id, key_name: "key" },
      networks: [{ uuid: network.id }, { uuid: second.id }],
      security_groups: [{ name: await groupLettingIn(cloud, 22) }],
      user_data: Buffer.from(userData).toString("base64"),
    });
    expect(server).toMatchObject({ status: "ACTIVE" });
    serverId = server.id;
    address = await giveFloatingIp(cloud, serverId, network.id);
  }, bootMs);
  afterAll(async () => {
    await removeVirtualCloud(cloud);
    await rm(folder, { recursive: true, force: true });
  });

  it("does at its first boot what its user-data says, and lets the keypair's owner in at its floating IP", async () => {
    const letIn = () =>
      inGuest("true").then(
        () => true as const,
        () => undefined,
      );
    await waitFor("the guest to let its owner in", letIn, {
      timeoutMs: bootMs,
      intervalMs: 5_000,
      maxIntervalMs: 5_000,
    });
    expect(await inGuest("cloud-init status --wait")).toContain("status: done");
    expect(await inGuest("hostname; cat /run/ran; cloud-id")).toBe("harbour\nruncmd harbour\nconfigdrive\n");
    expect(await consoleOf(cloud, serverId)).toMatch(/Cloud-init v\. \S+ finished at/);
  });

  it("has its root file system as large as the flavor's disk", async () => {
    const bytes = Number(await inGuest("findmnt --bytes --noheadings --output SIZE /"));
    expect(bytes).toBeGreaterThan(0.9 * flavor.disk * 1024 ** 3);
  });

  it("has each NIC's address, the way out by the first", async () => {
    const { ports } = (await cloud.get(`/network/v2.0/ports?device_id=${serverId}`)).body;
    const addresses = await inGuest("ip -4 -o address show scope global");
    for (const { fixed_ips } of ports) expect(addresses).toContain(`${fixed_ips[0].ip_address}/24`);
    expect(await inGuest("ip -4 route show default")).toMatch(/^default via 10\.1\.0\.1 [^\n]*\n$/);
  });

  it("is told of itself at 169.254.169.254 where its network can carry that", async () => {
    const asked = await inGuest("curl -s -m 20 http://169.254.169.254/openstack/latest/meta_data.json || echo nobody");
    if (networks === "user") expect(asked).toBe("nobody\n");
    else expect(JSON.parse(asked)).toMatchObject({ uuid: serverId, name: "ship" });
  });

  it("shuts down by itself when it is asked to", async () => {
    await act(cloud, serverId, { "os-stop": null });
    expect((await cloud.server(serverId)).status).toBe("SHUTOFF");
    expect(await consoleOf(cloud, serverId)).toContain("reboot: Power down");
  });
});
