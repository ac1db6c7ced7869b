import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { connectionCuts } from "../../src/cloud/network/linux/connection-cuts.ts";
import { machineRuleset } from "../../src/cloud/network/linux/machine-egress.ts";
import { membersOf, networkRuleset, portFilter } from "../../src/cloud/network/linux/network-ruleset.ts";
import { routerRuleset } from "../../src/cloud/network/linux/router-ruleset.ts";
import { matchOf } from "../../src/cloud/network/linux/rule-expression.ts";
import { external, plan, port, router, rule } from "./plans.ts";

const six = (fields: Parameters<typeof rule>[0] = {}) => rule({ ethertype: "IPv6", ...fields });

describe("a security group rule in nft's language", () => {
  it.each([
    [rule(), "meta nfproto ipv4"],
    [rule({ protocol: "tcp", portMin: 22, portMax: 22, remoteCidr: "10.0.0.0/8" }), "ip saddr 10.0.0.0/8 tcp dport 22"],
    [
      rule({ protocol: "udp", portMin: 100, portMax: 200, remoteCidr: "0.0.0.0/0" }),
      "meta nfproto ipv4 udp dport 100-200",
    ],
    [rule({ protocol: "6", portMin: 80, portMax: 80 }), "meta nfproto ipv4 tcp dport 80"],
    [rule({ protocol: "tcp" }), "meta nfproto ipv4 meta l4proto tcp"],
    [rule({ protocol: "icmp" }), "meta nfproto ipv4 meta l4proto icmp"],
    [rule({ protocol: "icmp", portMin: 8, portMax: 0 }), "meta nfproto ipv4 icmp type 8 icmp code 0"],
    [rule({ protocol: "47" }), "meta nfproto ipv4 meta l4proto 47"],
    [rule({ direction: "egress", remoteCidr: "10.1.0.0/16" }), "ip daddr 10.1.0.0/16"],
    [rule({ remoteGroupId: "aaaaaaaa-0000-0000-0000-000000000000" }), "ip saddr @g_aaaaaaaa"],
    [six(), "meta nfproto ipv6"],
    [six({ protocol: "6", portMin: 80, portMax: 80, remoteCidr: "fd00::5/64" }), "ip6 saddr fd00::/64 tcp dport 80"],
    [six({ protocol: "58", portMin: 128, portMax: 0 }), "meta nfproto ipv6 icmpv6 type 128 icmpv6 code 0"],
    [six({ protocol: "58", direction: "egress" }), "meta nfproto ipv6 meta l4proto ipv6-icmp"],
    [six({ remoteGroupId: "aaaaaaaa-0000-0000-0000-000000000000" }), "ip6 saddr @g6_aaaaaaaa"],
  ])("%o", (each, expected) => {
    expect(matchOf(each)).toBe(expected);
  });

  it("is nothing for a range of the other family, as an address group may have", () => {
    expect(matchOf(rule({ remoteCidr: "::/0" }))).toBeUndefined();
    expect(matchOf(six({ remoteCidr: "10.0.0.0/8" }))).toBeUndefined();
  });
});

describe("a network's ruleset", () => {
  it("opens what the port's groups open, and drops the rest", () => {
    const text = networkRuleset(plan(), port().networkId, [router().id]);
    expect(text).toContain(" chain i_aaaaaaaa {\n  meta nfproto ipv4 tcp dport 5100 accept;\n  drop;\n }");
    expect(text).toContain(" chain e_aaaaaaaa {\n  drop;\n }");
    expect(text).toContain('"t-aaaaaaaa" . fa:16:3e:00:00:01 . 10.0.0.5');
    expect(text).toContain('set links { type ifname; elements = { "t-aaaaaaaa", "q-cccccccc" }; }');
  });

  it("lets guests ask for metadata as far as their egress rules do, and nobody from beyond the router", () => {
    const [, local = ""] = networkRuleset(plan(), port().networkId, [router().id]).split(" chain local {");
    const rules = local
      .split("\n }")[0]
      ?.split("\n")
      .map((line) => line.trim());
    expect(rules).toEqual([
      "",
      "type filter hook input priority filter; policy accept;",
      "icmpv6 type { 131, 132, 133, 135, 136, 143 } accept;",
      'iifname "q-*" drop;',
      "meta nfproto ipv6 udp sport 546 udp dport 547 accept;",
      "meta nfproto ipv6 drop;",
      "iifname @ports ip daddr != 169.254.169.254 drop;",
      "iifname @ports meta l4proto != tcp drop;",
      "iifname @ports tcp dport != 80 drop;",
      "ct state established accept;",
      "iifname vmap @egress;",
    ]);
  });

  it("leaves a port without port security unfiltered", () => {
    const text = networkRuleset(plan({ ports: [port({ portSecurity: false })] }), port().networkId, []);
    expect(text).toContain("set ports { type ifname; }");
    expect(text).not.toContain("i_aaaaaaaa");
  });

  it("ends every port's chains with a drop, whatever the rules", () => {
    const rules = fc.array(
      fc.record({
        direction: fc.constantFrom("ingress" as const, "egress" as const),
        ethertype: fc.constantFrom("IPv4" as const, "IPv6" as const),
        protocol: fc.constantFrom(null, "tcp", "udp", "icmp", "17", "112"),
        portMin: fc.option(fc.integer({ min: 1, max: 100 })),
        portMax: fc.option(fc.integer({ min: 100, max: 65535 })),
        remoteCidr: fc.constantFrom(null, "0.0.0.0/0", "10.0.0.0/8", "::/0"),
        remoteGroupId: fc.constantFrom(null, "group"),
      }),
    );
    fc.assert(
      fc.property(rules, (list) => {
        const text = networkRuleset(plan({ securityGroups: [{ id: "group", rules: list }] }), port().networkId, []);
        const chains = text.match(/chain [ei]_[0-9a-f]{8} \{[^}]*\}/g) ?? [];
        expect(chains).toHaveLength(2);
        for (const chain of chains) expect(chain).toMatch(/\n {2}drop;\n \}$/);
        expect(text.split("{").length).toBe(text.split("}").length);
      }),
    );
  });

  it("knows a group's members by their addresses", () => {
    const members = [
      port(),
      port({ id: "p2", fixedIps: ["10.0.0.6", "fd00::6"] }),
      port({ id: "p3", securityGroupIds: [] }),
    ];
    const groups = [{ id: "group", rules: [rule({ remoteGroupId: "group" }), six({ remoteGroupId: "group" })] }];
    const known = plan({ ports: members, securityGroups: groups });
    expect(membersOf(known, "group")).toEqual(["10.0.0.5", "10.0.0.6", "fd00::6"]);
    const text = networkRuleset(known, port().networkId, []);
    expect(text).toMatch(
      /set g_\w+ { type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.5, 10.0.0.6 }; }/,
    );
    expect(text).toMatch(/set g6_\w+ { type ipv6_addr; flags interval; auto-merge; elements = { fd00::6 }; }/);
  });

  it("lets guests send from their own IPv6 addresses and the link-local one, and nobody advertise routers", () => {
    const allowed = [{ address: "fd00::99", mac: "fa:16:3e:00:00:02" }];
    const ports = [port({ fixedIps: ["10.0.0.5", "fd00::5"], allowedAddresses: allowed })];
    const text = networkRuleset(plan({ ports }), port().networkId, []);
    const sources = [
      ...["fa:16:3e:00:00:01 . fd00::5", "fa:16:3e:00:00:02 . fd00::99"],
      ...["fa:16:3e:00:00:01 . fe80::f816:3eff:fe00:1", "fa:16:3e:00:00:02 . fe80::f816:3eff:fe00:2"],
    ];
    expect(text).toContain(`elements = { ${sources.map((one) => `"t-aaaaaaaa" . ${one}`).join(", ")} }`);
    expect(text).toContain("iifname @ports icmpv6 type nd-router-advert drop;");
    expect(text).toContain("arp saddr ip != { 0.0.0.0, 10.0.0.5 } drop;");
  });

  it("names the narrow sources of a guest before the wide ones, which the kernel refuses otherwise", () => {
    const wide = ["0.0.0.0/0", "10.0.0.0/24", "10.0.0.7", "::/0", "fe80::/64"];
    const allowedAddresses = wide.map((address) => ({ address, mac: port().mac }));
    const ports = [port({ fixedIps: ["10.0.0.5", "fd00::5"], allowedAddresses })];
    const text = networkRuleset(plan({ ports }), port().networkId, []);
    const sources = (...ranges: string[]) =>
      `elements = { ${ranges.map((range) => `"t-aaaaaaaa" . fa:16:3e:00:00:01 . ${range}`).join(", ")} }`;
    expect(text).toContain(sources("10.0.0.5", "10.0.0.7", "10.0.0.0/24", "0.0.0.0/0"));
    expect(text).toContain(sources("fd00::5", "fe80::f816:3eff:fe00:1", "fe80::/64", "::/0"));
  });

  it("has no rule twice where two groups say the same", () => {
    const groups = ["a", "b"].map((id) => ({ id, rules: [rule({ protocol: "tcp", portMin: 80, portMax: 80 })] }));
    const filter = portFilter(plan({ securityGroups: groups }), port({ securityGroupIds: ["a", "b"] }));
    expect(filter.ingress).toEqual(["meta nfproto ipv4 tcp dport 80 accept"]);
  });
});

describe("a router's ruleset", () => {
  it("translates floating IPs both ways and everything else to its own address", () => {
    const text = routerRuleset(router(), external);
    expect(text).toContain("elements = { 172.24.64.100 : 10.0.0.5 }");
    expect(text).toContain("elements = { 10.0.0.5 : 172.24.64.100 }");
    expect(text).toContain('oifname "qg" snat to 172.24.64.10;');
  });

  it("leads single ports of a floating IP to guests, and its routes' targets are reached", () => {
    const forwarding = {
      floatingIp: "172.24.64.101",
      protocol: "udp",
      externalPort: 53,
      fixedIp: "10.0.0.5",
      internalPort: 5353,
    };
    const routes = [
      { destination: "192.0.2.0/24", nexthop: "172.24.64.9" },
      { destination: "198.51.100.0/24", nexthop: "10.0.0.5" },
      { destination: "2001:db8::/32", nexthop: "172.24.64.9" }, // of no family that its next hop carries
    ];
    const text = routerRuleset(router({ portForwardings: [forwarding], routes }), external);
    expect(text).toContain("  ip daddr 172.24.64.101 udp dport 53 dnat to 10.0.0.5:5353;");
    expect(text).toContain("elements = { 172.24.64.0/24, 192.0.2.0/24 }");
    expect(routerRuleset(router(), { ...external, anywhere: true })).toContain("elements = { 0.0.0.0/0 }");
  });

  it("lets guests reach the external range only, and there the machine's named ports", () => {
    const text = routerRuleset(router(), { ...external, hostPorts: [8080] });
    expect(text).toContain(
      "set reachable { type ipv4_addr; flags interval; auto-merge; elements = { 172.24.64.0/24 }; }",
    );
    expect(text).toContain("ip daddr 172.24.64.1 tcp dport != { 8080 } jump refuse;");
  });

  it("sends out only guests with a floating IP when source translation is off", () => {
    const text = routerRuleset(router({ enableSnat: false }), external);
    expect(text).not.toContain('oifname "qg" snat to 172.24.64.10');
    expect(text).toContain('iifname "qr-*" oifname "qg" ip saddr != @translated jump refuse;');
  });

  it("takes the first of two floating IPs of one guest as its source", () => {
    const two = [
      { floatingIp: "172.24.64.100", fixedIp: "10.0.0.5" },
      { floatingIp: "172.24.64.101", fixedIp: "10.0.0.5" },
    ];
    const text = routerRuleset(router({ floatingIps: two }), external);
    expect(text).toContain("map fixed { type ipv4_addr : ipv4_addr; elements = { 10.0.0.5 : 172.24.64.100 }; }");
  });
});

describe("the machine's own rules, where guests have a way out", () => {
  it("touch the cloud's link and range alone, and let nothing new in", () => {
    const text = machineRuleset("cloud1", external);
    expect(text).toContain('  ip saddr 172.24.64.0/24 oifname != "sw-cloud1-x" masquerade;');
    expect(text).toContain('  oifname "sw-cloud1-x" ct state != { established, related } drop;');
    expect(text).toContain('  iifname "sw-cloud1-x" ip daddr != 172.24.64.1 ct state new drop;');
    const rules = text.split("\n").filter((line) => line.startsWith("  ") && !line.includes(" hook "));
    for (const each of rules)
      expect(each).toMatch(/^ {2}((iifname|oifname) "sw-cloud1-x"|ip saddr 172\.24\.64\.0\/24) /);
    expect(text.match(/policy (\w+)/g)).toEqual(["policy accept", "policy accept", "policy accept"]);
  });
});

describe("connections that a change cuts", () => {
  const cut = (before: Parameters<typeof plan>[0], after: Parameters<typeof plan>[0]) =>
    connectionCuts(plan(before), plan(after), "cloud1");
  const of = (rules: ReturnType<typeof rule>[]) => ({ securityGroups: [{ id: "group", rules }] });

  it("none, when nothing changed or something was added", () => {
    expect(cut({}, {})).toEqual([]);
    expect(cut(of([]), of([rule({ protocol: "tcp" })]))).toEqual([]);
  });

  it("those of the port that lost a rule, in its network", () => {
    expect(cut(of([rule({ protocol: "tcp" })]), of([]))).toEqual([
      { namespace: "sw-cloud1-n-eeeeeeee", arguments: ["--orig-dst", "10.0.0.5"] },
      { namespace: "sw-cloud1-n-eeeeeeee", arguments: ["--orig-src", "10.0.0.5"] },
    ]);
  });

  it("those of an IPv6 address too", () => {
    const ports = [port({ fixedIps: ["fd00::5"] })];
    const lost = cut({ ports, ...of([six({ protocol: "tcp" })]) }, { ports, ...of([]) });
    expect(lost.map(({ arguments: words }) => words.join(" "))).toEqual([
      "--family ipv6 --orig-dst fd00::5",
      "--family ipv6 --orig-src fd00::5",
    ]);
  });

  it("those of a floating IP that was taken away, but not of one that moved", () => {
    const moved = [{ floatingIp: "172.24.64.100", fixedIp: "10.0.0.9" }];
    expect(cut({}, { routers: [router({ floatingIps: moved })] })).toEqual([]);
    const forwarding = {
      floatingIp: "172.24.64.101",
      protocol: "tcp",
      externalPort: 80,
      fixedIp: "10.0.0.5",
      internalPort: 1,
    };
    expect(cut({ routers: [router({ portForwardings: [forwarding] })] }, {})).toEqual([
      {
        namespace: "sw-cloud1-r-cccccccc",
        arguments: ["--proto", "tcp", "--orig-dst", "172.24.64.101", "--orig-port-dst", "80"],
      },
    ]);
    expect(cut({}, { routers: [router({ floatingIps: [] })] })).toEqual([
      { namespace: "sw-cloud1-r-cccccccc", arguments: ["--orig-dst", "172.24.64.100"] },
      { namespace: "sw-cloud1-r-cccccccc", arguments: ["--orig-src", "10.0.0.5", "--reply-dst", "172.24.64.100"] },
    ]);
  });

  it("those of a guest that left a group which others let in", () => {
    const groups = {
      securityGroups: [
        { id: "group", rules: [] },
        { id: "db", rules: [rule({ remoteGroupId: "group" })] },
      ],
    };
    const left = cut(groups, { ...groups, ports: [port({ securityGroupIds: [] })] });
    expect(left.map(({ arguments: words }) => words.join(" "))).toEqual(["--orig-dst 10.0.0.5", "--orig-src 10.0.0.5"]);
  });
});
