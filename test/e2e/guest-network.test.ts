import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findEverything, findLeftovers } from "../../src/cloud/leftovers.ts";
import type { NetworkingPlan, PortPlan, SecurityRulePlan } from "../../src/cloud/network/dataplane.ts";
import {
  guestNamespace,
  links,
  namePrefix,
  networkNamespace,
  routerNamespace,
} from "../../src/cloud/network/linux/names.ts";
import { ensureNamespace } from "../../src/cloud/network/linux/netns.ts";
import { run } from "../../src/common/process.ts";
import { waitFor } from "../../src/common/wait.ts";
import { anyEgress, openPort, rule } from "./guests/fixtures.ts";
import { createScratchCloud, whyNoGuests } from "./guests/scratch-cloud.ts";
import { askFromMachine, standIn } from "./guests/stand-in.ts";

const sources = join(import.meta.dirname, "../../src");
const skipReason = await whyNoGuests();

/** A tenant with two guests at the same addresses as every other tenant's. */
function tenant(routerIp: string, floatingIp: string, rules: (group: string) => SecurityRulePlan[]) {
  const [network, router, group] = [randomUUID(), randomUUID(), randomUUID()];
  const portOf = (last: number): PortPlan => ({
    id: randomUUID(),
    networkId: network,
    mac: `fa:16:3e:00:00:${last}`,
    fixedIps: [`10.77.0.${last}`],
    allowedAddresses: [],
    portSecurity: true,
    securityGroupIds: [group],
    serverId: randomUUID(),
    nic: 0,
  });
  const ports: [PortPlan, PortPlan] = [portOf(21), portOf(22)];
  const subnet = { id: randomUUID(), cidr: "10.77.0.0/24", gatewayIp: "10.77.0.1" };
  const plan: NetworkingPlan = {
    networks: [{ id: network, mtu: 1450, subnets: [subnet] }],
    routers: [
      {
        id: router,
        externalIp: routerIp,
        enableSnat: true,
        interfaces: [{ networkId: network, ip: "10.77.0.1", cidr: "10.77.0.0/24" }],
        floatingIps: [{ floatingIp, fixedIp: "10.77.0.21" }],
        portForwardings: [],
        routes: [],
      },
    ],
    ports,
    securityGroups: [{ id: group, rules: rules(group) }],
  };
  return { plan, ports };
}

const together = (...plans: NetworkingPlan[]): NetworkingPlan => ({
  networks: plans.flatMap(({ networks }) => networks),
  routers: plans.flatMap(({ routers }) => routers),
  ports: plans.flatMap(({ ports }) => ports),
  securityGroups: plans.flatMap(({ securityGroups }) => securityGroups),
});

describe.skipIf(skipReason !== undefined)(`networks of two tenants (${skipReason ?? "Linux"})`, () => {
  const told: string[] = [];
  let cloud: Awaited<ReturnType<typeof createScratchCloud>>;
  let a: ReturnType<typeof tenant>;
  let b: ReturnType<typeof tenant>;
  let guests: { a1: ReturnType<typeof standIn>; a2: ReturnType<typeof standIn>; b1: ReturnType<typeof standIn> };
  const address = (last: number) => cloud.dataplane.external.cidr.replace(/0\/24$/, String(last));

  beforeAll(async () => {
    cloud = await createScratchCloud({ log: (line) => told.push(line) });
    const fromMembers = (group: string) => [
      openPort(80),
      rule({ protocol: "tcp", portMin: 90, portMax: 90, remoteGroupId: group }),
      anyEgress,
    ];
    a = tenant(address(10), address(100), fromMembers);
    b = tenant(address(11), address(101), () => [openPort(80), anyEgress]);
    await cloud.dataplane.apply(together(a.plan, b.plan));
    const of = (port: PortPlan) =>
      standIn(guestNamespace(cloud.instance, port.serverId as string), port.fixedIps[0] as string, "10.77.0.1");
    guests = { a1: of(a.ports[0]), a2: of(a.ports[1]), b1: of(b.ports[0]) };
    for (const guest of Object.values(guests)) for (const port of [80, 90]) await guest.start(port);
  });

  afterAll(async () => {
    for (const guest of Object.values(guests ?? {})) guest.stop();
    await cloud?.remove();
  });

  it("a floating IP leads to its own tenant's guest, though both have the same address", async () => {
    expect(await askFromMachine(address(100), 80)).toBe(cloud.dataplane.external.gatewayIp);
    expect(await askFromMachine(address(101), 80)).toBe(cloud.dataplane.external.gatewayIp);
    expect(await guests.b1.ask(address(100), 80)).toBe(address(101));
  });

  it("guests of one network reach each other, and a member-only port is open to members alone", async () => {
    expect(await guests.a2.ask("10.77.0.21", 80)).toBe("10.77.0.22");
    expect(await guests.a2.ask("10.77.0.21", 90)).toBe("10.77.0.22");
    expect(await askFromMachine(address(100), 90)).toBe("timeout");
    expect(await guests.b1.ask(address(100), 90)).toBe("timeout");
  });

  it("a guest reaches its own network's floating IPs, seen as itself or as the router", async () => {
    expect(await guests.a1.ask(address(100), 80)).toBe(address(100));
    expect(await guests.a2.ask(address(100), 80)).toBe("10.77.0.1");
  });

  it("a guest reaches nothing beyond the external range, and is told so at once", async () => {
    expect(await guests.a1.ask("198.51.100.7", 80)).toMatch(/^refused/);
    expect(await guests.a1.ask("198.51.100.7", 81)).toMatch(/^refused/);
  });

  it("what the kernel does not take of one tenant's stops nobody else's, and nothing of what it had", async () => {
    const [broken, wider] = [structuredClone(b.plan), structuredClone(a.plan)];
    const forwarding = {
      floatingIp: address(102),
      protocol: "tcp",
      externalPort: 80,
      fixedIp: "2001:db8::5",
      internalPort: 80,
    };
    for (const router of broken.routers) router.portForwardings = [forwarding];
    for (const { rules } of wider.securityGroups) rules.push(openPort(81));
    await guests.a1.start(81);
    expect(await askFromMachine(address(100), 81)).toBe("timeout");
    await cloud.dataplane.apply(together(wider, broken));
    expect(await askFromMachine(address(100), 81)).toBe(cloud.dataplane.external.gatewayIp);
    expect(await askFromMachine(address(101), 80)).toBe(cloud.dataplane.external.gatewayIp);
    expect(told).toEqual([expect.stringContaining(routerNamespace(cloud.instance, broken.routers[0]?.id as string))]);
    await cloud.dataplane.apply(together(a.plan, b.plan));
    expect(await askFromMachine(address(100), 81)).toBe("timeout");
    expect(told).toHaveLength(1);
  });

  it("guests ask for metadata as their own network's, where their groups let them out; nobody else reaches it", async () => {
    const asked = cloud.dataplane.serveMetadata?.(
      (network) => (request, response) => {
        response.end(`${network} ${request.socket.remoteAddress}`);
      },
      (line) => expect.unreachable(line),
    );
    const ask = (guest: typeof guests.a1) => guest.fetch("http://169.254.169.254/");
    try {
      const opened = () => ask(guests.b1).then((answer) => (answer.startsWith("refused") ? undefined : answer));
      const first = await waitFor("metadata", opened, { timeoutMs: 30_000 });
      expect(first).toBe(`${b.ports[0].networkId} 10.77.0.21`);
      expect(await ask(guests.a1)).toBe(`${a.ports[0].networkId} 10.77.0.21`);
      expect(await ask(guests.a2)).toBe(`${a.ports[0].networkId} 10.77.0.22`);
      expect(await guests.a1.ask("169.254.169.254", 81)).toBe("timeout");
      const shut = structuredClone(a.plan);
      for (const group of shut.securityGroups) group.rules = [openPort(80)];
      await cloud.dataplane.apply(together(shut, b.plan));
      expect(await guests.a1.ask("169.254.169.254", 80)).toBe("timeout");
      const unrouted = { ...structuredClone(a.plan), routers: [] };
      await cloud.dataplane.apply(together(unrouted, b.plan));
      expect(await ask(guests.a1)).toBe(`${a.ports[0].networkId} 10.77.0.21`);
      expect(await guests.a1.ask("10.99.0.1", 80)).toMatch(/^refused/);
      const passing = tenant(address(12), address(103), () => []);
      const [{ networkId }] = passing.ports;
      await cloud.dataplane.apply(together(a.plan, b.plan, passing.plan));
      await cloud.dataplane.apply(together(a.plan, b.plan)); // the network goes, whether its socket listens by now or not
      expect((await findLeftovers(cloud.instance)).map(({ name }) => name)).not.toContain(
        networkNamespace(cloud.instance, networkId),
      );
    } finally {
      await asked?.end();
      await cloud.dataplane.apply(together(a.plan, b.plan));
    }
    expect(await guests.b1.ask("169.254.169.254", 80)).toMatch(/^refused/);
  });

  it("packets with another's source address are dropped", async () => {
    await guests.a2.ip("address add 10.77.0.99/32 dev ens3", "route add 10.77.0.21/32 dev ens3 src 10.77.0.99");
    expect(await guests.a2.ask("10.77.0.21", 80)).toBe("timeout");
    await guests.a2.ip("route del 10.77.0.21/32 dev ens3", "address del 10.77.0.99/32 dev ens3");
    expect(await guests.a2.ask("10.77.0.21", 80)).toBe("10.77.0.22");
  });

  it("a port of a floating IP leads to a guest's port, and no other port does", async () => {
    const forwarding = {
      floatingIp: address(102),
      protocol: "tcp",
      externalPort: 8080,
      fixedIp: "10.77.0.22",
      internalPort: 80,
    };
    const forwarded = structuredClone(a.plan);
    for (const router of forwarded.routers) router.portForwardings = [forwarding];
    await cloud.dataplane.apply(together(forwarded, b.plan));
    expect(await askFromMachine(address(102), 8080)).toBe(cloud.dataplane.external.gatewayIp);
    expect(await guests.b1.ask(address(102), 8080)).toBe(address(101));
    expect(await askFromMachine(address(102), 80)).toMatch(/^refused/);
    await cloud.dataplane.apply(together(a.plan, b.plan));
    expect(await askFromMachine(address(102), 8080)).not.toBe(cloud.dataplane.external.gatewayIp);
  });

  it("a router's route leads packets to the guest that is its next hop", async () => {
    const beyond = "198.51.100.9";
    await guests.a2.ip(`address add ${beyond}/32 dev lo`);
    expect(await guests.a1.ask(beyond, 80)).toMatch(/^refused/);
    const routed = structuredClone(a.plan);
    for (const router of routed.routers) router.routes = [{ destination: "198.51.100.0/24", nexthop: "10.77.0.22" }];
    const [, next] = routed.ports;
    if (next !== undefined) next.allowedAddresses = [{ address: "198.51.100.0/24", mac: next.mac }];
    await cloud.dataplane.apply(together(routed, b.plan));
    expect(await guests.a1.ask(beyond, 80)).toBe("10.77.0.21");
    await cloud.dataplane.apply(together(a.plan, b.plan));
    expect(await guests.a1.ask(beyond, 80)).toMatch(/^refused/);
    await guests.a2.ip(`address del ${beyond}/32 dev lo`);
  });

  it("a floating IP moves to another guest, and rules follow a port's groups", async () => {
    const moved = structuredClone(a.plan);
    for (const router of moved.routers) router.floatingIps = [{ floatingIp: address(100), fixedIp: "10.77.0.22" }];
    await cloud.dataplane.apply(together(moved, b.plan));
    expect(await guests.a1.ask(address(100), 80)).toBe("10.77.0.1");
    for (const port of moved.ports) port.securityGroupIds = [];
    await cloud.dataplane.apply(together(moved, b.plan));
    expect(await askFromMachine(address(100), 80)).toBe("timeout");
    await cloud.dataplane.apply(together(a.plan, b.plan));
    expect(await askFromMachine(address(100), 80)).toBe(cloud.dataplane.external.gatewayIp);
  });

  it("a network that may carry more does so at once, to the guest's own end of its link; what may carry less goes on", async () => {
    const mtuIn = async (namespace: string, link: string) => {
      const { stdout } = await run("ip", ["-n", namespace, "-j", "link", "show", "dev", link]);
      return JSON.parse(stdout)[0].mtu as number;
    };
    const { id: network } = a.plan.networks[0] ?? expect.fail("the tenant has no network");
    const { id: router } = a.plan.routers[0] ?? expect.fail("the tenant has no router");
    const guestOf = (index: 0 | 1) => guestNamespace(cloud.instance, a.ports[index].serverId as string);
    const mtus = () =>
      Promise.all([
        mtuIn(guestOf(0), "ens3"),
        mtuIn(networkNamespace(cloud.instance, network), links.tap(a.ports[0].id)),
        mtuIn(networkNamespace(cloud.instance, network), links.networkLeg(router)),
        mtuIn(routerNamespace(cloud.instance, router), links.routerLeg(network)),
      ]);
    const carrying = async (mtu: number) => {
      const changed = structuredClone(a.plan);
      for (const one of changed.networks) one.mtu = mtu;
      await cloud.dataplane.apply(together(changed, b.plan));
    };
    expect(await mtus()).toEqual([1450, 1450, 1450, 1450]);
    await guests.a2.ip("link set ens3 down", "link set ens3 name own0", "link set own0 up");
    await carrying(1480);
    expect([...(await mtus()), await mtuIn(guestOf(1), "own0")]).toEqual([1480, 1480, 1480, 1480, 1480]);
    await guests.a2.ip(
      "link set own0 down",
      "link set own0 name ens3",
      "link set ens3 up",
      "route add default via 10.77.0.1",
    );
    await guests.a1.ip("link set ens3 mtu 1300"); // what a guest makes smaller is its own affair
    await carrying(1450);
    expect(await mtus()).toEqual([1300, 1480, 1480, 1480]);
    await guests.a1.ip("link set ens3 mtu 1450");
  });

  it("a second cloud on the machine gets another range, and neither sees the other's things", async () => {
    const other = await createScratchCloud();
    try {
      expect(other.dataplane.external.cidr).not.toBe(cloud.dataplane.external.cidr);
      expect((await findEverything()).map(({ tag }) => tag)).toEqual(
        expect.arrayContaining([cloud.instance, other.instance]),
      );
      await other.dataplane.destroy();
      expect(await findLeftovers(other.instance)).toEqual([]);
    } finally {
      await other.remove();
    }
    expect(await askFromMachine(address(100), 80)).toBe(cloud.dataplane.external.gatewayIp);
  });

  it("where there is a way out, guests leave under the machine's address, and nothing new comes in", async () => {
    const forwarding = () => readFile("/proc/sys/net/ipv4/ip_forward", "utf8");
    const before = await forwarding();
    const open = await createScratchCloud({ egress: "nat" });
    // a server beyond the machine, in a namespace that goes with the cloud's
    const outside = `${namePrefix(open.instance)}out`;
    const beyond = standIn(outside, "198.51.100.2", "198.51.100.1");
    try {
      const external = open.dataplane.external.cidr;
      const c = tenant(external.replace(/0\/24$/, "10"), external.replace(/0\/24$/, "100"), () => [
        openPort(80),
        anyEgress,
      ]);
      await open.dataplane.apply(c.plan);
      await ensureNamespace(outside);
      await run("ip", ["link", "add", `o-${open.instance}`, "type", "veth", "peer", "name", "ens3", "netns", outside]);
      await run("ip", ["address", "add", "198.51.100.1/24", "dev", `o-${open.instance}`]);
      await run("ip", ["link", "set", `o-${open.instance}`, "up"]);
      await beyond.start(80);
      const guest = standIn(guestNamespace(open.instance, c.ports[1].serverId as string), "10.77.0.22", "10.77.0.1");
      await guest.ip("link set dev lo up", "link set dev ens3 up", "address replace 10.77.0.22/24 dev ens3");
      await guest.ip("route replace default via 10.77.0.1");
      expect(await guest.ask("198.51.100.2", 80)).toBe("198.51.100.1");
      expect(await guest.ask("169.254.169.254", 80)).toMatch(/^refused/);
      expect(await beyond.ask(external.replace(/0\/24$/, "100"), 80)).toBe("timeout");
      expect(await guests.a1.ask("198.51.100.2", 80)).toMatch(/^refused/); // the other cloud's guests stay inside
    } finally {
      beyond.stop();
      await open.dataplane.destroy();
      expect(await findLeftovers(open.instance)).toEqual([]);
      await open.remove();
    }
    expect(await forwarding()).toBe(before);
  });

  it("where there is a way out, the machine forwards as long as a cloud has one, and on where somebody else wants it to", async () => {
    // on a machine of its own: a network and a /run that nobody else has
    const program = `
      import { readFileSync, writeFileSync } from "node:fs";
      import { closeEgress, openEgress } from ${JSON.stringify(join(sources, "cloud/network/linux/machine-egress.ts"))};
      const conf = (link) => "/proc/sys/net/ipv4/conf/" + link + "/forwarding";
      const seen = [];
      const look = () => seen.push(["all", "lo", "default", "before"].map((link) => readFileSync(conf(link), "utf8").trim()).join(""));
      const external = (n) => ({ cidr: "172.24." + n + ".0/24", gatewayIp: "172.24." + n + ".1" });
      look();
      await openEgress("aaaaaa", external(64)); look();
      await openEgress("bbbbbb", external(65)); look();
      await closeEgress("aaaaaa"); look();
      await closeEgress("bbbbbb"); look();
      await openEgress("aaaaaa", external(64));
      writeFileSync("/proc/sys/net/ipv4/ip_forward", "1"); // as others ask for it
      await closeEgress("aaaaaa"); look();
      console.log(seen.join(" "));
    `;
    const machine = `mount -t tmpfs tmpfs /run; ip link add before type veth peer name after
      for switch in all default lo before; do echo 0 > /proc/sys/net/ipv4/conf/$switch/forwarding; done
      echo 1 > /proc/sys/net/ipv4/conf/before/forwarding
      exec "$0" --input-type=module`;
    const { stdout } = await run("unshare", ["--net", "--mount", "sh", "-ec", machine, process.execPath], {
      input: program,
    });
    expect(stdout.trim().split(" ")).toEqual(["0001", "0111", "0111", "0111", "0001", "1111"]);
  });

  it("everything of a tenant goes when its plan does", async () => {
    guests.b1.stop();
    await cloud.dataplane.apply(a.plan);
    const names = (await findLeftovers(cloud.instance))
      .filter(({ kind }) => kind === "namespace")
      .map(({ name }) => name);
    expect(names).not.toContain(guestNamespace(cloud.instance, b.ports[0].serverId as string));
    expect(names).toContain(guestNamespace(cloud.instance, a.ports[0].serverId as string));
    expect(await askFromMachine(address(100), 80)).toBe(cloud.dataplane.external.gatewayIp);
  });
});
