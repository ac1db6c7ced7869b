import { describe, expect, it } from "vitest";
import type { NetworkingPlan } from "../../src/cloud/network/dataplane.ts";
import { type NamespacePlan, routedPlans } from "../../src/cloud/network/linux/desired.ts";
import { addressCommands } from "../../src/cloud/network/linux/link-diff.ts";
import { withoutIpv6 } from "../../src/cloud/network/linux/without-ipv6.ts";
import { external, plan, port, router } from "./plans.ts";

const slaac = { raMode: "slaac" as const, addressMode: "slaac" as const, nameServers: ["fd00::53"] };
const mode = "dhcpv6-stateful" as const;
const stateful = { raMode: mode, addressMode: mode, nameServers: ["fd00::54"] };

/** Two guests in a network with both families, behind a router with a leg in each subnet. */
function both(fields: Partial<NetworkingPlan> = {}): NetworkingPlan {
  const networkId = port().networkId;
  return plan({
    networks: [
      {
        id: networkId,
        mtu: 1400,
        subnets: [
          { id: "aaaaaaaa-0000-4000-8000-000000000001", cidr: "10.0.0.0/24", gatewayIp: "10.0.0.1" },
          { id: "aaaaaaaa-0000-4000-8000-000000000002", cidr: "fd00:1::/64", gatewayIp: "fd00:1::", ipv6: slaac },
          { id: "aaaaaaab-0000-4000-8000-000000000003", cidr: "fd00:2::/64", gatewayIp: "fd00:2::", ipv6: stateful },
        ],
      },
    ],
    routers: [
      router({
        interfaces: [
          { networkId, ip: "10.0.0.1", cidr: "10.0.0.0/24" },
          { networkId, ip: "fd00:1::", cidr: "fd00:1::/64" },
          { networkId, ip: "fd00:2::", cidr: "fd00:2::/64" },
        ],
        routes: [{ destination: "fd00:9::/64", nexthop: "fd00:2::5" }],
      }),
    ],
    ports: [
      port({ fixedIps: ["10.0.0.5", "fd00:2::5"] }),
      port({
        ...{ id: "dddddddd-0000-4000-8000-000000000000", serverId: "dddddddd-0000-4000-8000-000000000001" },
        ...{ mac: "fa:16:3e:00:00:02", fixedIps: ["fd00:1::2"] },
      }),
    ],
    ...fields,
  });
}

const plansOf = (wanted: NetworkingPlan) =>
  routedPlans(wanted, { instance: "cloud1", external }) as [NamespacePlan, NamespacePlan];

describe("IPv6 in the data plane", () => {
  it("leads to guests by their links, and answers for each on the links of the others", () => {
    const [, network] = plansOf(both());
    expect(network.routes).toEqual([
      "10.0.0.5/32 dev t-aaaaaaaa",
      "fd00:2::5/128 dev t-aaaaaaaa",
      "fd00:1::2/128 dev t-dddddddd",
      "10.0.0.1/32 dev q-cccccccc",
      "fd00:1::/128 dev q-cccccccc",
      "fd00:2::/128 dev q-cccccccc",
      "fd00:9::/64 via fd00:2::5 dev t-aaaaaaaa onlink",
      "default via 10.0.0.1 dev q-cccccccc onlink",
      "::/0 via fd00:1:: dev q-cccccccc onlink",
    ]);
    expect(network.proxies).toEqual([
      ...["fd00:1::2", "fd00:1::", "fd00:2::"].map((one) => `${one} dev t-aaaaaaaa`),
      ...["fd00:2::5", "fd00:1::", "fd00:2::"].map((one) => `${one} dev t-dddddddd`),
      ...["fd00:2::5", "fd00:1::2"].map((one) => `${one} dev q-cccccccc`),
    ]);
  });

  it("is routed between a router's legs and nowhere else", () => {
    const [made] = plansOf(both());
    expect(made.addresses["qr-eeeeeeee"]).toEqual(["10.0.0.1/24", "fd00:1::/64", "fd00:2::/64"]);
    expect(made.routes).toEqual(["fd00:9::/64 via fd00:2::5"]);
    expect(made.linkSysctls).toEqual({ "net.ipv6.conf.qg.disable_ipv6": "1" });
    const [, filter = ""] = made.ruleset.split("table ip6 router {\n");
    expect(filter).toContain('policy drop;\n  iifname "qr-*" oifname "qr-*" accept;\n }');
  });

  it("is advertised to guests where a router has a leg, as the subnets' modes say", () => {
    const [, { daemons }] = plansOf(both());
    const advertised = (link: string) =>
      [
        ...[`interface ${link} {`, " IgnoreIfMissing on;", " AdvSendAdvert on;"],
        ...[" MinRtrAdvInterval 30;", " MaxRtrAdvInterval 100;", " AdvLinkMTU 1400;", " AdvManagedFlag on;"],
        " RDNSS fd00::53 { };",
        " prefix fd00:1::/64 { AdvOnLink on; AdvAutonomous on; };",
        " prefix fd00:2::/64 { AdvOnLink on; AdvAutonomous off; };",
        "};\n",
      ].join("\n");
    expect(daemons?.radvd).toBe(advertised("t-aaaaaaaa") + advertised("t-dddddddd"));
    expect(plansOf(both({ routers: [router()] }))[1].daemons?.radvd).toBeUndefined();
  });

  it("is given by DHCPv6 in stateful subnets, to whom Neutron says", () => {
    const [, { daemons, addresses }] = plansOf(both());
    const [settings = "", ranges = ""] = (daemons?.dnsmasq ?? "").split(/^(?=dhcp-range)/m);
    expect(settings).toMatch(/^quiet-dhcp6$/m);
    expect(settings).toContain("interface=t-aaaaaaaa\ninterface=t-dddddddd\n");
    expect(ranges.trim().split("\n")).toEqual([
      "dhcp-range=set:aaaaaaab,fd00:2::,static,64,86400",
      "shared-network=t-aaaaaaaa,fd00:2::",
      "shared-network=t-dddddddd,fd00:2::",
      "dhcp-option=tag:aaaaaaab,option6:dns-server,[fd00::54]",
      "dhcp-host=fa:16:3e:00:00:01,[fd00:2::5]",
    ]);
    expect(addresses["t-aaaaaaaa"]).toEqual(["100::1/64"]);
    const [, plain] = plansOf(plan());
    expect([plain.daemons?.dnsmasq, plain.addresses["t-aaaaaaaa"]]).toEqual([undefined, []]);
  });

  it("is told to radvd and dnsmasq in their own spelling, and dnsmasq of no range that it refuses", () => {
    const nameServers = ["::ffff:192.0.2.1", "FD00::53", "::53"];
    const subnet = (cidr: string, ipv6: object) => ({
      ...{ id: "aaaaaaab-0000-4000-8000-000000000003", cidr, gatewayIp: null },
      ipv6: { ...slaac, ...ipv6, nameServers },
    });
    const subnets = [subnet("::1:2:0:0/112", slaac), subnet("fd00:2::/64", stateful), subnet("fd00:4::/63", stateful)];
    const networks = [{ id: port().networkId, mtu: 1400, subnets }];
    const interfaces = [{ networkId: port().networkId, ip: "::1:2:0:1", cidr: "::1:2:0:0/112" }];
    const ports = [port({ fixedIps: ["fd00:2::5", "fd00:4::5"] })];
    const [, { daemons }] = plansOf(both({ networks, routers: [router({ interfaces })], ports }));
    expect(daemons?.radvd).toContain(" RDNSS 0::ffff:c000:201 fd00::53 0::53 { };\n prefix 0::1:2:0:0/112 { ");
    const [, ranges = ""] = (daemons?.dnsmasq ?? "").split(/^(?=dhcp-range)/m);
    expect(ranges.trim().split("\n")).toEqual([
      "dhcp-range=set:aaaaaaab,fd00:2::,static,64,86400",
      "shared-network=t-aaaaaaaa,fd00:2::",
      "dhcp-option=tag:aaaaaaab,option6:dns-server,[::ffff:c000:201],[fd00::53],[::53]",
      "dhcp-host=fa:16:3e:00:00:01,[fd00:2::5]",
    ]);
    const alone = [{ id: port().networkId, mtu: 1400, subnets: subnets.slice(2) }];
    expect(plansOf(both({ networks: alone, ports }))[1].daemons?.dnsmasq).toBeUndefined();
  });

  it("comes and goes by commands, which spare what the kernel gave itself", () => {
    const [, network] = plansOf(both());
    const row = (local: string, prefixlen: number, scope: string) => ({ family: "inet6", local, prefixlen, scope });
    const observed = [
      { ifname: "lo", flags: ["UP"], addr_info: [row("::1", 128, "host")] },
      { ifname: "t-aaaaaaaa", flags: ["UP"], addr_info: [row("fe80::1", 64, "link"), row("fd77::1", 64, "global")] },
    ];
    const routes = [
      { dst: "fe80::/64", dev: "t-aaaaaaaa", protocol: "kernel" },
      { dst: "fd00:2::5", dev: "t-aaaaaaaa", protocol: "boot" },
      { dst: "::/0", dev: "q-cccccccc", protocol: "boot" },
      { dst: "fd00:8::5", dev: "t-aaaaaaaa", protocol: "boot" },
    ];
    const proxies = [
      { dst: "fd00:1::2", dev: "t-aaaaaaaa" },
      { dst: "fd00:8::5", dev: "t-aaaaaaaa" },
    ];
    const commands = addressCommands(network, observed, routes, proxies);
    expect(commands.filter((line) => !line.startsWith("route replace"))).toEqual([
      ...["address add 169.254.169.254/32 dev lo", "address delete fd77::1/64 dev t-aaaaaaaa"],
      "address add 100::1/64 dev t-aaaaaaaa nodad",
      "route delete fd00:8::5 dev t-aaaaaaaa",
      "neighbour delete proxy fd00:8::5 dev t-aaaaaaaa",
      ...network.proxies.slice(1).map((proxy) => `neighbour add proxy ${proxy}`),
    ]);
  });

  it("has no address twice that a link gave itself and that is wanted", () => {
    const [, network] = plansOf(both());
    const addr_info = ["fe80::1", "fe80::2"].map((local) => ({
      ...{ family: "inet6", local, prefixlen: 64, scope: "link" },
    }));
    const observed = [{ ifname: "t-aaaaaaaa", flags: ["UP"], addr_info }];
    const wanted = { ...network, addresses: { "t-aaaaaaaa": ["fe80::1/64"] }, routes: [], proxies: [] };
    expect(addressCommands(wanted, observed, [])).toEqual([]);
  });

  it("is left out of networks that cannot have it", () => {
    const { networks, routers, ports } = withoutIpv6(both(), ({ mtu }) => mtu < 1401);
    expect(networks[0]?.subnets.map(({ cidr }) => cidr)).toEqual(["10.0.0.0/24"]);
    expect(routers[0]?.interfaces.map(({ ip }) => ip)).toEqual(["10.0.0.1"]);
    expect(ports.map(({ fixedIps }) => fixedIps)).toEqual([["10.0.0.5"], []]);
    expect(withoutIpv6(both(), ({ mtu }) => mtu < 1400)).toEqual(both());
    const [router] = plansOf({ ...both(), networks, routers, ports });
    expect(router.routes).toEqual([]); // nobody lies beside the next hop
  });
});
