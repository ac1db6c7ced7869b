import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createNspawnHypervisor } from "../../src/cloud/hypervisors/nspawn/hypervisor.ts";
import { readProcess } from "../../src/cloud/hypervisors/nspawn/processes.ts";
import { ensureGuestImage } from "../../src/cloud/images/guest-image.ts";
import { findLeftovers } from "../../src/cloud/leftovers.ts";
import type { NetworkingPlan, PortPlan } from "../../src/cloud/network/dataplane.ts";
import { createLinuxDataplane } from "../../src/cloud/network/linux/dataplane.ts";
import { guestNamespace, networkNamespace, routerNamespace } from "../../src/cloud/network/linux/names.ts";
import { processesInNamespace } from "../../src/cloud/network/linux/netns.ts";
import { pathExists } from "../../src/common/files.ts";
import { run } from "../../src/common/process.ts";
import { waitFor } from "../../src/common/wait.ts";
import { TestCloud } from "../cloud/support.ts";
import { rule } from "./guests/fixtures.ts";
import { createScratchCloud, registerCloud, removeCloud, whyNoGuests } from "./guests/scratch-cloud.ts";
import { standIn } from "./guests/stand-in.ts";

const skipReason =
  (await whyNoGuests()) ??
  ((await pathExists("/proc/sys/net/ipv6"))
    ? undefined
    : "skipped: this kernel has no IPv6 (/proc/sys/net/ipv6 is missing)");

/** A link's IPv6 addresses of more than link scope, as the guest has configured them. */
async function addressesIn(namespace: string): Promise<string[]> {
  const { stdout } = await run("ip", [
    "-n",
    namespace,
    "-6",
    "-j",
    "address",
    "show",
    "dev",
    "ens3",
    "scope",
    "global",
  ]);
  const [link] = JSON.parse(stdout.trim() || "[]") as { addr_info?: { local?: string }[] }[];
  return (link?.addr_info ?? []).flatMap(({ local }) => local ?? []).sort();
}

describe.skipIf(skipReason !== undefined)(`guests with IPv6 (${skipReason ?? "Linux"})`, () => {
  let cloud: TestCloud;
  let router: { id: string };
  const guests: Record<string, { id: string; ip: string; net: ReturnType<typeof standIn> }> = {};
  const subnets: Record<string, { id: string; network_id: string }> = {};
  const guest = (name: string) => guests[name] as NonNullable<(typeof guests)[string]>;
  const namespaceOf = (name: string) => guestNamespace(cloud.cloud.instance, guest(name).id);
  const ask = (from: string, to: string, port: number) => guest(from).net.ask(guest(to).ip, port);

  /** A network with one subnet and the router in it. */
  async function routed(name: string, cidr: string, mode: object) {
    const network = await cloud.make("network", { name, mtu: 1400 });
    const subnet = await cloud.make("subnet", { network_id: network.id, ip_version: 6, cidr, ...mode });
    const added = await cloud.put(`/network/v2.0/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id });
    if (added.status !== 200) throw new Error(added.text);
    subnets[name] = subnet;
    return network;
  }

  async function boot(name: string, network: { id: string }, groups: string[]) {
    const port = await cloud.make("port", { network_id: network.id, security_groups: groups });
    const server = await cloud.bootServer({ name, networks: [{ port: port.id }] });
    expect(server.status).toBe("ACTIVE");
    const ip = port.fixed_ips[0].ip_address as string;
    const net = standIn(guestNamespace(cloud.cloud.instance, server.id), ip, "");
    guests[name] = { id: server.id, ip, net };
  }

  beforeAll(async () => {
    const { rootfs: path, digest } = await ensureGuestImage();
    cloud = await TestCloud.start({
      hypervisor: createNspawnHypervisor,
      images: [{ name: "debian-13", path, digest, minDiskGb: 1 }],
      dataplane: ({ instance, stateDir, port }) => createLinuxDataplane({ instance, stateDir, hostPorts: [port] }),
    });
    await registerCloud(cloud.cloud.instance, cloud.stateDir);
    router = await cloud.make("router", {});
    const [members, others] = [await cloud.make("security_group", {}), await cloud.make("security_group", {})];
    const open = { security_group_id: members.id, direction: "ingress", ethertype: "IPv6", protocol: "tcp" };
    await cloud.make("security_group_rule", { ...open, port_range_min: 80, port_range_max: 80 });
    const fromMembers = { port_range_min: 90, port_range_max: 90, remote_group_id: members.id };
    await cloud.make("security_group_rule", { ...open, ...fromMembers });
    const one = await routed("one", "fd00:1::/64", { ipv6_ra_mode: "slaac", ipv6_address_mode: "slaac" });
    const mode = "dhcpv6-stateful";
    const two = await routed("two", "fd00:2::/64", { ipv6_ra_mode: mode, ipv6_address_mode: mode });
    const three = await routed("three", "fd00:3::/64", { enable_dhcp: false });
    await boot("a", one, [members.id]);
    await boot("b", one, [members.id]);
    await boot("c", two, [others.id]);
    await boot("d", three, [members.id]);
  });
  afterAll(async () => {
    for (const { net } of Object.values(guests)) net.stop();
    await cloud?.cloud.close();
    if (cloud !== undefined) await removeCloud(cloud.cloud.instance, cloud.stateDir);
  });

  it("configure the addresses that Neutron gave them: of what routers advertise, by DHCPv6, and as they are told", async () => {
    for (const name of ["a", "b", "c", "d"]) {
      const configured = async () => ((await addressesIn(namespaceOf(name))).length > 0 ? true : undefined);
      await waitFor(`guest ${name} to have its address`, configured, { timeoutMs: 60_000, intervalMs: 100 });
      expect(await addressesIn(namespaceOf(name)), name).toEqual([guest(name).ip]);
      for (const port of [80, 90, 91]) await guest(name).net.serve6(port);
    }
    expect(guest("a").ip).toMatch(/^fd00:1::f816:3eff:fe/);
    expect([guest("c").ip, guest("d").ip]).toEqual(["fd00:2::2", "fd00:3::1"].map(() => expect.any(String)));
    const links = await run("ip", ["-n", namespaceOf("a"), "-j", "link", "show", "dev", "ens3"]);
    expect(JSON.parse(links.stdout)[0].mtu).toBe(1400);
  });

  it("reach each other within a subnet, and across subnets by the router", async () => {
    expect(await ask("a", "b", 80)).toBe(guest("a").ip);
    expect(await ask("c", "a", 80)).toBe(guest("c").ip);
    expect(await ask("a", "d", 80)).toBe(guest("a").ip);
    expect(await ask("d", "b", 80)).toBe(guest("d").ip);
  });

  it("are let in as their security groups say", async () => {
    expect(await ask("a", "b", 90)).toBe(guest("a").ip); // a member, by its IPv6 address
    expect(await ask("d", "a", 90)).toBe(guest("d").ip);
    expect(await ask("c", "a", 90)).toBe("timeout");
    expect(await ask("a", "b", 91)).toBe("timeout");
    expect(await ask("a", "c", 80)).toBe("timeout"); // its group lets nothing in
  });

  it("cannot send from addresses that are not theirs", async () => {
    await guest("a").net.ip("address add fd00:1::bad/64 dev ens3 nodad");
    const { stdout } = await run("nsenter", [
      `--net=/run/netns/${namespaceOf("a")}`,
      ...["python3", "-c", asking, guest("b").ip, "fd00:1::bad"],
    ]);
    expect(stdout.trim()).toBe("timeout");
    await guest("a").net.ip("address delete fd00:1::bad/64 dev ens3");
    expect(await ask("a", "b", 80)).toBe(guest("a").ip);
  });

  it("are served by processes that go on while the cloud is stopped, and lose their way when the router leaves", async () => {
    /** The processes that serve a network: their programs with their ids. */
    const serving = async (name: string) => {
      const namespace = networkNamespace(cloud.cloud.instance, subnets[name]?.network_id ?? "");
      const pids = await processesInNamespace(namespace);
      const all = await Promise.all(
        pids.map(async (pid) => `${(await readProcess(`/proc/${pid}/comm`)).trim()} ${pid}`),
      );
      return all.filter((one) => /^(radvd|dnsmasq) /.test(one)); // what makes the sockets for metadata comes and goes
    };
    const programs = async (name: string) => [...new Set((await serving(name)).map((one) => one.split(" ")[0]))].sort();
    expect([await programs("one"), await programs("two"), await programs("three")]).toEqual([
      ["radvd"],
      ["dnsmasq", "radvd"],
      [],
    ]);
    const before = [await serving("one"), await serving("two")];
    await cloud.restart();
    expect([await serving("one"), await serving("two")]).toEqual(before);
    expect(await ask("c", "a", 80)).toBe(guest("c").ip);
    const left = await cloud.put(`/network/v2.0/routers/${router.id}/remove_router_interface`, {
      subnet_id: subnets.two?.id,
    });
    expect(left.status, left.text).toBe(200);
    expect(await ask("c", "a", 80)).not.toBe(guest("c").ip);
    expect([await programs("one"), await programs("two")]).toEqual([["radvd"], ["dnsmasq"]]);
  });

  it("leave nothing behind", async () => {
    for (const { id, net } of Object.values(guests)) {
      net.stop();
      await cloud.delete(`/compute/v2.1/servers/${id}`);
    }
    await cloud.cloud.idle();
    const { instance } = cloud.cloud;
    await cloud.cloud.close();
    await removeCloud(instance, cloud.stateDir);
    expect(await findLeftovers(instance)).toEqual([]);
  });
});

/** Asks at port 80 from an address of its own choosing. */
const asking = `import socket, sys
try:
    s = socket.create_connection((sys.argv[1], 80), timeout=1, source_address=(sys.argv[2], 0))
    print(s.recv(99).decode())
except TimeoutError: print("timeout")
except OSError as e: print("refused", e.errno)
`;

describe.skipIf(skipReason !== undefined)(`tenants with the same IPv6 range (${skipReason ?? "Linux"})`, () => {
  let cloud: Awaited<ReturnType<typeof createScratchCloud>>;
  beforeAll(async () => {
    cloud = await createScratchCloud();
  });
  afterAll(() => cloud?.remove());

  /** A router with a guest in its network, and a name for it. */
  function tenant(last: number) {
    const [networkId, router, group] = [randomUUID(), randomUUID(), randomUUID()];
    const port: PortPlan = {
      ...{ id: randomUUID(), networkId, mac: `fa:16:3e:00:00:0${last}`, fixedIps: [`fd00:1::${last}`] },
      ...{ allowedAddresses: [], portSecurity: true, securityGroupIds: [group], serverId: randomUUID(), nic: 0 },
    };
    const everything = (["ingress", "egress"] as const).map((direction) => rule({ direction, ethertype: "IPv6" }));
    const plan: NetworkingPlan = {
      networks: [
        { id: networkId, mtu: 1450, subnets: [{ id: randomUUID(), cidr: "fd00:1::/64", gatewayIp: "fd00:1::" }] },
      ],
      routers: [
        {
          ...{ id: router, externalIp: null, enableSnat: true, floatingIps: [], portForwardings: [], routes: [] },
          interfaces: [{ networkId, ip: "fd00:1::", cidr: "fd00:1::/64" }],
        },
      ],
      ports: [port],
      securityGroups: [{ id: group, rules: everything }],
    };
    return { plan, port, router };
  }

  it("are served again soon where what advertises their routers has died, without a change of any network", async () => {
    const one = tenant(1);
    const mode = { raMode: "slaac" as const, addressMode: "slaac" as const, nameServers: [] };
    for (const { subnets } of one.plan.networks) for (const subnet of subnets) subnet.ipv6 = mode;
    const advertising = async () => {
      const pids = await processesInNamespace(networkNamespace(cloud.instance, one.port.networkId));
      const names = await Promise.all(pids.map(async (pid) => (await readProcess(`/proc/${pid}/comm`)).trim()));
      return pids.filter((_, index) => names[index] === "radvd");
    };
    await cloud.dataplane.apply(one.plan);
    const before = await advertising();
    expect(before).not.toEqual([]);
    for (const pid of before) process.kill(pid, "SIGKILL");
    const again = async () => {
      const now = await advertising();
      return now.length > 0 && !now.some((pid) => before.includes(pid)) ? true : undefined;
    };
    await waitFor("radvd to be started again", again, { timeoutMs: 30_000 });
    await cloud.dataplane.apply({ networks: [], routers: [], ports: [], securityGroups: [] });
  });

  it("do not meet, and only their routers and networks forward", async () => {
    const [one, two] = [tenant(1), tenant(2)];
    await cloud.dataplane.apply({
      networks: [...one.plan.networks, ...two.plan.networks],
      routers: [...one.plan.routers, ...two.plan.routers],
      ports: [one.port, two.port],
      securityGroups: [...one.plan.securityGroups, ...two.plan.securityGroups],
    });
    const guestOf = ({ port }: typeof one) =>
      standIn(guestNamespace(cloud.instance, port.serverId as string), port.fixedIps[0] as string, "");
    const [a, b] = [guestOf(one), guestOf(two)];
    try {
      for (const [guest, last] of [
        [a, 1],
        [b, 2],
      ] as const) {
        await guest.ip("link set lo up", "link set ens3 up", `address add fd00:1::${last}/64 dev ens3 nodad`);
        await guest.ip("route replace ::/0 via fd00:1::");
        await guest.serve6(80);
      }
      expect(await a.ask("fd00:1::1", 80)).toBe("fd00:1::1"); // itself
      expect(await a.ask("fd00:1::2", 80)).not.toBe("fd00:1::1");
      expect(await b.ask("fd00:1::1", 80)).not.toBe("fd00:1::2");
    } finally {
      for (const guest of [a, b]) guest.stop();
    }
    const forwards = async (namespace: string) =>
      (
        await run("nsenter", [`--net=/run/netns/${namespace}`, "cat", "/proc/sys/net/ipv6/conf/all/forwarding"])
      ).stdout.trim();
    expect(await forwards(routerNamespace(cloud.instance, one.router))).toBe("1");
    expect(await forwards(guestNamespace(cloud.instance, one.port.serverId as string))).toBe("0");
  });
});
