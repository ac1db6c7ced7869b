// How long a server of the embedded cloud takes from POST to its last `runcmd`, beside a bare boot of the same image: systemd-nspawn on an overlay
// with the same config drive, and nothing of ours around it. Root; prints Markdown.
//   node_modules/.bin/node bench/cloud-guests.ts [rounds] [guests at once]
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startCloud } from "../src/cloud/cloud.ts";
import { writeConfigDrive } from "../src/cloud/hypervisors/nspawn/guest-folder.ts";
import { createNspawnHypervisor } from "../src/cloud/hypervisors/nspawn/hypervisor.ts";
import { ensureGuestImage } from "../src/cloud/images/guest-image.ts";
import { removeLeftovers } from "../src/cloud/leftovers.ts";
import { createLinuxDataplane } from "../src/cloud/network/linux/dataplane.ts";
import { run } from "../src/common/process.ts";
import { waitFor } from "../src/common/wait.ts";
import { Client } from "./cloud/client.ts";
import { addSample, machineLine, median, type Samples, table } from "./report.ts";

const rounds = Number(process.argv[2] ?? 5);
const atOnce = Number(process.argv[3] ?? 10);
const mark = "the-last-runcmd";
const userData = `#cloud-config\nruncmd:\n- echo one\n- echo ${mark} > /dev/console\n`;

/** Milliseconds until the mark stands in a console log. */
async function untilMark(consoleFile: string, begun: number): Promise<number> {
  const look = async () => ((await readFile(consoleFile, "utf8").catch(() => "")).includes(mark) ? true : undefined);
  await waitFor("the last runcmd", look, { timeoutMs: 180_000, intervalMs: 10, maxIntervalMs: 10 });
  return performance.now() - begun;
}

const mac = "fa:16:3e:00:00:01";
const networkData = {
  links: [{ id: "tap0", type: "phy", mtu: 1450, ethernet_mac_address: mac }],
  networks: [
    { id: "network0", type: "ipv4", link: "tap0", ip_address: "10.1.0.9", netmask: "255.255.255.0", routes: [] },
  ],
  services: [],
};

/** One link, as a guest of the cloud has one: without any, systemd waits two minutes for the network. */
async function makeNetwork(name: string): Promise<void> {
  await run("ip", ["netns", "add", name]);
  await run("ip", [
    "-n",
    name,
    "link",
    "add",
    "ens3",
    "address",
    mac,
    "mtu",
    "1450",
    "type",
    "veth",
    "peer",
    "name",
    "other",
  ]);
  await run("ip", ["-n", name, "link", "set", "other", "up"]);
}

async function bareBoot(folder: string, rootfs: string, name: string): Promise<number> {
  const path = (part: string) => join(folder, name, part);
  for (const part of ["up", "work", "root"]) await mkdir(path(part), { recursive: true });
  const overlay = `lowerdir=${rootfs},upperdir=${path("up")},workdir=${path("work")}`;
  await run("mount", ["-t", "overlay", "overlay", "-o", overlay, path("root")]);
  await writeConfigDrive(path("root"), {
    "openstack/latest/meta_data.json": JSON.stringify({ uuid: randomUUID(), hostname: name, name }),
    "openstack/latest/network_data.json": JSON.stringify(networkData),
    "openstack/latest/user_data": userData,
  });
  await makeNetwork(name);
  const begun = performance.now();
  const command = [
    "--quiet",
    `--directory=${path("root")}`,
    `--machine=${name}`,
    "--register=no",
    "--keep-unit",
    "--boot",
  ];
  const options = ["--capability=CAP_NET_ADMIN", "--console=read-only", "--resolv-conf=off"];
  const script = `echo 0 > /sys/fs/cgroup/unified/${name}/cgroup.procs 2> /dev/null; exec nsenter --net=/run/netns/${name} "$0" "$@" > ${path("console")} 2>&1`;
  await mkdir(`/sys/fs/cgroup/unified/${name}`).catch(() => undefined); // where systemd owns the groups, it makes one
  const guest = spawn("sh", ["-c", script, "systemd-nspawn", ...command, ...options], {
    stdio: "ignore",
    env: { PATH: process.env.PATH, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" },
  });
  const ended = new Promise((resolve) => guest.once("exit", resolve));
  try {
    return await untilMark(path("console"), begun);
  } finally {
    guest.kill("SIGKILL");
    await run("sh", ["-c", `echo 1 > /sys/fs/cgroup/unified/${name}/cgroup.kill`]).catch(() => undefined);
    await ended;
    await sleep(200);
    await run("umount", ["--lazy", path("root")]);
    await run("ip", ["netns", "delete", name]);
    await run("sh", ["-c", `find /sys/fs/cgroup/*/${name} -depth -type d -exec rmdir {} + 2> /dev/null`]).catch(
      () => undefined,
    );
  }
}

const folder = await mkdtemp(join(tmpdir(), "slipway-bench-"));
const { rootfs, digest } = await ensureGuestImage({ log: console.error });
const stateDir = join(folder, "state");
const cloud = await startCloud({
  stateDir,
  hypervisor: createNspawnHypervisor,
  dataplane: (parts) => createLinuxDataplane({ ...parts, hostPorts: [parts.port] }),
  images: [{ name: "debian-13", path: rootfs, digest, minDiskGb: 1 }],
});
try {
  const { demo } = cloud.credentials;
  const domain = { name: "Default" };
  const client = new Client(cloud.authUrl, atOnce);
  await client.logIn({
    identity: { methods: ["password"], password: { user: { name: demo.username, password: demo.password, domain } } },
    scope: { project: { name: demo.projectName, domain } },
  });
  const network = (await client.make("POST", "/network/v2.0/networks", { network: { name: "net" } })).network;
  const subnet = { network_id: network.id, cidr: "10.1.0.0/24", ip_version: 4 };
  await client.make("POST", "/network/v2.0/subnets", { subnet });
  const [image] = (await client.make("GET", "/image/v2/images")).images;
  const [flavor] = (await client.make("GET", "/compute/v2.1/flavors")).flavors;
  const ours = async (name: string): Promise<number> => {
    const begun = performance.now();
    const user_data = Buffer.from(userData).toString("base64");
    const server = { name, imageRef: image.id, flavorRef: flavor.id, networks: [{ uuid: network.id }], user_data };
    const { id } = (await client.make("POST", "/compute/v2.1/servers", { server })).server;
    const took = await untilMark(join(stateDir, "guests", id, "console.log"), begun);
    await client.make("DELETE", `/compute/v2.1/servers/${id}`);
    return took;
  };
  const samples: Samples = new Map();
  for (let round = 0; round < rounds; round++) {
    addSample(samples, "bare", await bareBoot(folder, rootfs, `bench-${round}`));
    addSample(samples, "ours", await ours(`bench-${round}`));
    await cloud.idle();
  }
  const all = (boot: (name: string) => Promise<number>) =>
    Promise.all(Array.from({ length: atOnce }, (_, index) => boot(`bench-m${index}`)));
  if (atOnce > 1) {
    for (const took of await all((name) => bareBoot(folder, rootfs, name))) addSample(samples, "bare, at once", took);
    for (const took of await all(ours)) addSample(samples, "ours, at once", took);
    await cloud.idle();
  }
  client.close();
  const ratio = (name: string, other: string) =>
    (median(samples.get(name) ?? []) / median(samples.get(other) ?? [])).toFixed(2);
  console.log(machineLine(rounds), "\n");
  console.log(table(samples, "ms"));
  console.log(`\nours ÷ bare: ${ratio("ours", "bare")}; ${atOnce} at once ${ratio("ours, at once", "bare, at once")}`);
} finally {
  await cloud.close();
  await removeLeftovers(cloud.instance);
  await rm(folder, { recursive: true, force: true });
}
