import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FakeHypervisor } from "../../src/cloud/hypervisors/fake.ts";
import type { GuestSpec } from "../../src/cloud/hypervisors/hypervisor.ts";
import { type Answer, TestCloud } from "./support.ts";

let cloud: TestCloud;
let admin: { token: string };
let booted: GuestSpec | undefined;
beforeAll(async () => {
  const hypervisor = new FakeHypervisor({
    failBoot(spec) {
      booted = spec;
      return undefined;
    },
  });
  cloud = await TestCloud.start({ hypervisor });
  admin = { token: await cloud.adminToken() };
});
afterAll(() => cloud.remove());

const slaac = { ip_version: 6, ipv6_ra_mode: "slaac", ipv6_address_mode: "slaac" };
const stateful = { ip_version: 6, ipv6_ra_mode: "dhcpv6-stateful", ipv6_address_mode: "dhcpv6-stateful" };
const words = (answer: Answer) => [answer.status, answer.body.NeutronError.type, answer.body.NeutronError.message];

/** A network with subnets of these fields, in order. */
async function networkWith(...subnets: object[]) {
  const network = await cloud.make("network", {});
  const made = [];
  for (const fields of subnets) {
    made.push(await cloud.make("subnet", { network_id: network.id, ip_version: 4, ...fields }));
  }
  return { network, subnets: made };
}

const addressesOf = (port: { fixed_ips: { ip_address: string }[] }) => port.fixed_ips.map((ip) => ip.ip_address);
const portOf = async (id: string) => (await cloud.get(`/network/v2.0/ports/${id}`)).body.port;

describe("ports in IPv6 subnets", () => {
  it("have an address of each family, and give themselves those of SLAAC", async () => {
    const { network, subnets } = await networkWith(
      { cidr: "10.5.0.0/24" },
      { cidr: "2001:db8:1::/64", ...stateful },
      { cidr: "2001:db8:2::/64", ...slaac },
      { cidr: "2001:db8:3::/64", ip_version: 6 },
    );
    const port = await cloud.make("port", { network_id: network.id });
    const own = /^2001:db8:2:0:f816:3eff:fe[0-9a-f]{2}:[0-9a-f]{1,4}$/;
    // of the two subnets that give addresses one is enough; its gateway has the first, as every IPv6 subnet's
    expect(addressesOf(port)).toEqual(["10.5.0.2", "2001:db8:1::1", expect.stringMatching(own)]);
    const named = await cloud.make("port", { network_id: network.id, fixed_ips: [{ subnet_id: subnets[3].id }] });
    expect(addressesOf(named)).toEqual([expect.stringMatching(own), "2001:db8:3::1"]);
    const without = await cloud.make("port", { network_id: network.id, fixed_ips: [] });
    expect(addressesOf(without)).toEqual([expect.stringMatching(own)]);
  });

  it("get addresses of a subnet with SLAAC that comes later, and lose them with it", async () => {
    const { network } = await networkWith({ cidr: "10.5.0.0/24" });
    const port = await cloud.make("port", { network_id: network.id });
    const subnet = await cloud.make("subnet", { network_id: network.id, cidr: "2001:db8:2::/64", ...slaac });
    const grown = await portOf(port.id);
    expect(addressesOf(grown)).toHaveLength(2);
    expect(grown.revision_number).toBeGreaterThan(port.revision_number);
    expect((await cloud.delete(`/network/v2.0/subnets/${subnet.id}`)).status).toBe(204);
    expect(addressesOf(await portOf(port.id))).toEqual(addressesOf(port));
  });

  it("keep what is not asked for anew, and follow their MAC address", async () => {
    const { network, subnets } = await networkWith(
      { cidr: "2001:db8:1::/64", ...stateful },
      { cidr: "2001:db8:2::/64", ...slaac },
    );
    const port = await cloud.make("port", { network_id: network.id, mac_address: "fa:16:3e:00:00:01" });
    const change = async (fields: object, who?: { token: string }) =>
      addressesOf((await cloud.put(`/network/v2.0/ports/${port.id}`, { port: fields }, who)).body.port);
    const own = "2001:db8:2:0:f816:3eff:fe00:1";
    expect(addressesOf(port)).toEqual(["2001:db8:1::1", own]);
    expect(await change({ fixed_ips: [{ subnet_id: subnets[0].id }] })).toEqual(["2001:db8:1::1", own]);
    expect(await change({ fixed_ips: [{ ip_address: "2001:DB8:1:0::ff" }] })).toEqual(["2001:db8:1::ff", own]);
    expect(await change({ mac_address: "fa:16:3e:00:00:02" }, admin)).toEqual([
      "2001:db8:1::ff",
      "2001:db8:2:0:f816:3eff:fe00:2",
    ]);
    expect(await change({ fixed_ips: [{ subnet_id: subnets[1].id, delete_subnet: true }] })).toEqual([]);
  });
});

describe("routers", () => {
  it("have all IPv6 subnets of a network on one port, and give them up one by one", async () => {
    const { subnets } = await networkWith(
      { cidr: "10.5.0.0/24" },
      { cidr: "2001:db8:1::/64", ...slaac },
      { cidr: "2001:db8:2::/64", ...stateful },
    );
    const router = await cloud.make("router", {});
    const act = (action: string, body: object) => cloud.put(`/network/v2.0/routers/${router.id}/${action}`, body);
    const add = async (subnet: { id: string }) =>
      (await act("add_router_interface", { subnet_id: subnet.id })).body.port_id as string;
    const [four, six] = [await add(subnets[0]), await add(subnets[1])];
    expect(await add(subnets[2])).toBe(six);
    expect(four).not.toBe(six);
    expect(addressesOf(await portOf(six))).toEqual(["2001:db8:1::", "2001:db8:2::"]);
    expect(words(await cloud.delete(`/network/v2.0/subnets/${subnets[1].id}`))[1]).toBe("SubnetInUse");
    const wrong = await act("remove_router_interface", { port_id: six, subnet_id: subnets[0].id });
    expect(words(wrong).slice(0, 2)).toEqual([400, "SubnetMismatchForPort"]);
    const removed = await act("remove_router_interface", { subnet_id: subnets[1].id });
    expect(removed.body).toMatchObject({ port_id: six, subnet_ids: [subnets[1].id] });
    expect(addressesOf(await portOf(six))).toEqual(["2001:db8:2::"]);
    expect((await act("remove_router_interface", { port_id: six })).status).toBe(200);
    expect((await cloud.get(`/network/v2.0/ports/${six}`)).status).toBe(404);
  });

  it("reach out by both families, and floating IPs are of IPv4", async () => {
    const [external, only] = [
      await cloud.make("network", { "router:external": true }, admin.token),
      await cloud.make("network", { "router:external": true }, admin.token),
    ];
    const subnet = (fields: object) => cloud.make("subnet", { enable_dhcp: false, ...fields }, admin.token);
    await subnet({ network_id: external.id, ip_version: 4, cidr: "192.0.2.0/24" });
    const router = await cloud.make("router", { external_gateway_info: { network_id: external.id } });
    await subnet({ network_id: external.id, ip_version: 6, cidr: "2001:db8:9::/64" });
    await subnet({ network_id: only.id, ip_version: 6, cidr: "2001:db8:a::/64" });
    const { external_gateway_info: gateway } = (await cloud.get(`/network/v2.0/routers/${router.id}`)).body.router;
    expect(addressesOf({ fixed_ips: gateway.external_fixed_ips })).toEqual(["192.0.2.2", "2001:db8:9::1"]);
    const floating = (fields: object) => cloud.post("/network/v2.0/floatingips", { floatingip: fields });
    expect((await floating({ floating_network_id: external.id })).body.floatingip.floating_ip_address).toBe(
      "192.0.2.3",
    );
    expect(words(await floating({ floating_network_id: only.id }))[2]).toBe(
      `Bad floatingip request: Network ${only.id} does not contain any IPv4 subnet.`,
    );
  });

  it("have no address that no link takes", async () => {
    const router = await cloud.make("router", {});
    const add = (fields: object) => cloud.put(`/network/v2.0/routers/${router.id}/add_router_interface`, fields);
    const refused = (id: string, address: string) => [
      ...[400, "BadRequest"],
      `Bad router request: IP address ${address} of subnet ${id} cannot be a router's: it is unspecified, loopback, link-local or multicast.`,
    ];
    const ranges: [string, string][] = [
      ...([
        ["::/64", "::"],
        ["::/64", "::1"],
      ] as [string, string][]),
      ...([
        ["fe80::/64", "fe80::1"],
        ["ff05::/64", "ff05::1"],
      ] as [string, string][]),
    ];
    for (const [cidr, gateway] of ranges) {
      const { subnets } = await networkWith({ cidr, gateway_ip: gateway, ip_version: 6, enable_dhcp: false });
      expect(words(await add({ subnet_id: subnets[0].id }))).toEqual(refused(subnets[0].id, gateway));
    }
    const { network, subnets } = await networkWith({ cidr: "::/64", ip_version: 6, gateway_ip: null });
    const port = async (address: string) =>
      (await cloud.make("port", { network_id: network.id, fixed_ips: [{ ip_address: address }] })).id;
    expect(words(await add({ port_id: await port("::1") }))).toEqual(refused(subnets[0].id, "::1"));
    expect((await add({ port_id: await port("::2") })).status).toBe(200);
  });

  it("forward ports of floating IPs to no IPv6 address", async () => {
    const { network, router } = await cloud.routedNetwork("10.31.0.0/24");
    const six = await cloud.make("subnet", { network_id: network.id, ip_version: 6, cidr: "2001:db8:31::/64" });
    await cloud.put(`/network/v2.0/routers/${router.id}/add_router_interface`, { subnet_id: six.id });
    const own = { subnet_id: six.id, ip_address: "2001:db8:31::5" };
    const both = await cloud.make("port", { network_id: network.id, fixed_ips: [{ ip_address: "10.31.0.5" }, own] });
    const alone = await cloud.make("port", {
      ...{ network_id: network.id, fixed_ips: [{ ...own, ip_address: "2001:db8:31::6" }] },
    });
    const floating = await cloud.make("floatingip", { floating_network_id: await cloud.externalNetworkId() });
    const forwarded = (port: { id: string }, internal: string) =>
      cloud.post(`/network/v2.0/floatingips/${floating.id}/port_forwardings`, {
        port_forwarding: {
          ...{ protocol: "tcp", external_port: 80, internal_port: 80 },
          ...{ internal_port_id: port.id, internal_ip_address: internal },
        },
      });
    const [four] = both.fixed_ips.filter((ip: { ip_address: string }) => ip.ip_address === "10.31.0.5");
    expect(words(await forwarded(both, "2001:db8:31::5"))).toEqual([
      ...[400, "BadRequest"],
      `Bad port_forwarding request: Requested internal IP address 2001:db8:31::5 is not suitable for internal neutron port ${both.id}, as its fixed_ips are [{'subnet_id': '${four.subnet_id}', 'ip_address': '10.31.0.5'}].`,
    ]);
    expect(words(await forwarded(alone, "2001:db8:31::6"))[2]).toBe(
      `Bad port_forwarding request: Requested internal port ${alone.id} must allocate an IPv4 address at least..`,
    );
    expect((await forwarded(both, "10.31.0.5")).status).toBe(201);
  });
});

describe("subnet pools", () => {
  it("are of one family, each with its default", async () => {
    const pool = (fields: object) => cloud.post("/network/v2.0/subnetpools", { subnetpool: fields }, admin);
    const six = await pool({ name: "six", prefixes: ["2001:db8:100::/56"], is_default: true, shared: true });
    expect(six.body.subnetpool).toMatchObject({ ip_version: 6, min_prefixlen: "64", max_prefixlen: "128" });
    const four = await pool({
      name: "four",
      prefixes: ["10.100.0.0/16"],
      is_default: true,
      shared: true,
      default_prefixlen: 24,
    });
    expect(four.status).toBe(201);
    expect(words(await pool({ name: "another", prefixes: ["2001:db8:200::/56"], is_default: true }))[1]).toBe(
      "InvalidInput",
    );
    const { network, subnets } = await networkWith(
      { use_default_subnetpool: true, ip_version: 6 },
      { use_default_subnetpool: true },
      { use_default_subnetpool: true, ip_version: 6, prefixlen: 80 },
    );
    expect(subnets.map(({ cidr, gateway_ip }) => [cidr, gateway_ip])).toEqual([
      ["2001:db8:100::/64", "2001:db8:100::1"],
      ["10.100.0.0/24", "10.100.0.1"],
      ["2001:db8:100:1::/80", "2001:db8:100:1::1"],
    ]);
    const path = `/network/v2.0/network-ip-availabilities/${network.id}`;
    const { text } = await cloud.get(path, admin);
    expect(text).toContain('"total_ips":18446744073709551614'); // more than a number of JavaScript tells apart
    const filtered = await cloud.get("/network/v2.0/network-ip-availabilities?ip_version=4", admin);
    const found = filtered.body.network_ip_availabilities.find(
      (one: { network_id: string }) => one.network_id === network.id,
    );
    expect(found).toMatchObject({ total_ips: 253, subnet_ip_availability: [{ ip_version: 4 }] });
  });
});

describe("guests", () => {
  it("get a floating IP for their first IPv4 address", async () => {
    const { network } = await cloud.routedNetwork("10.32.0.0/24");
    await cloud.make("subnet", { network_id: network.id, ip_version: 6, cidr: "2001:db8:32::/64" });
    const port = (...addresses: string[]) =>
      cloud.make("port", {
        network_id: network.id,
        fixed_ips: addresses.map((address) => ({ ip_address: address })),
      });
    const [six, both] = [await port("2001:db8:32::6"), await port("2001:db8:32::5", "10.32.0.5")];
    const floating = await cloud.make("floatingip", { floating_network_id: await cloud.externalNetworkId() });
    const { floating_ip_address: address } = floating;
    const add = (server: { id: string }) =>
      cloud.post(`/compute/v2.1/servers/${server.id}/action`, { addFloatingIp: { address } });
    const server = await cloud.bootServer({ networks: [{ port: six.id }, { port: both.id }] });
    expect((await add(server)).status).toBe(202);
    const shown = (await cloud.get(`/network/v2.0/floatingips/${floating.id}`)).body.floatingip;
    expect(shown).toMatchObject({ port_id: both.id, fixed_ip_address: "10.32.0.5" });
    const alone = await cloud.bootServer({ networks: [{ port: (await port("2001:db8:32::7")).id }] });
    expect((await add(alone)).body.badRequest.message).toBe(
      `Unable to associate floating IP ${address} to any fixed IPs for instance ${alone.id}. Instance has no fixed IPv4 addresses to associate.`,
    );
  });

  it("are told their IPv6 addresses as Nova tells them", async () => {
    const { network } = await networkWith(
      { cidr: "2001:db8:1::/64", ...stateful, dns_nameservers: ["2001:db8::53"] },
      { cidr: "2001:db8:2::/64", ...slaac },
    );
    const plain = await cloud.make("subnet", {
      ...{ network_id: network.id, ip_version: 6, cidr: "2001:db8:3::/64", enable_dhcp: false },
      host_routes: [{ destination: "2001:db8:77::/48", nexthop: "2001:db8:3::9" }],
    });
    const port = await cloud.make("port", {
      network_id: network.id,
      mac_address: "fa:16:3e:00:00:01",
      fixed_ips: [{ ip_address: "2001:db8:1::5" }, { subnet_id: plain.id, ip_address: "2001:db8:3::5" }],
    });
    const server = await cloud.bootServer({ networks: [{ port: port.id }] });
    expect(Object.values(server.addresses).flat()).toEqual(
      ["2001:db8:1::5", "2001:db8:2:0:f816:3eff:fe00:1", "2001:db8:3::5"].map((addr) =>
        expect.objectContaining({ addr, version: 6, "OS-EXT-IPS:type": "fixed" }),
      ),
    );
    const drive = JSON.parse(String(booted?.configDrive["openstack/latest/network_data.json"]));
    expect(String(booted?.configDrive["ec2/latest/meta-data.json"])).toContain('"local-ipv4":""');
    const link = `tap${port.id.slice(0, 11)}`;
    const common = { link, network_id: network.id, netmask: "ffff:ffff:ffff:ffff::" };
    const routeBy = (gateway: string) => ({ network: "::", netmask: "::", gateway });
    expect(drive.networks).toEqual([
      {
        ...{ id: "network0", type: "ipv6_dhcpv6-stateful", ip_address: "2001:db8:1::5", ...common },
        ...{ routes: [routeBy("2001:db8:1::")], services: [{ type: "dns", address: "2001:db8::53" }] },
      },
      {
        ...{ id: "network1", type: "ipv6_slaac", ip_address: "2001:db8:2:0:f816:3eff:fe00:1", ...common },
        ...{ routes: [routeBy("2001:db8:2::")], services: [] },
      },
      {
        ...{ id: "network2", type: "ipv6", ip_address: "2001:db8:3::5", ...common, services: [] },
        routes: [
          routeBy("2001:db8:3::"),
          { network: "2001:db8:77::", netmask: "ffff:ffff:ffff::", gateway: "2001:db8:3::9" },
        ],
      },
    ]);
  });
});
