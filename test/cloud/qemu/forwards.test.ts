import { describe, expect, it } from "vitest";
import { forwardsOf, ruleOf } from "../../../src/cloud/hypervisors/qemu/forwards.ts";
import { loopbackRange } from "../../../src/cloud/hypervisors/qemu/user-network.ts";
import type { NetworkingPlan, SecurityRulePlan } from "../../../src/cloud/network/dataplane.ts";

const rule = (change: Partial<SecurityRulePlan>): SecurityRulePlan => ({
  ...{ direction: "ingress", ethertype: "IPv4", protocol: "tcp", portMin: null, portMax: null },
  ...{ remoteCidr: null, remoteGroupId: null, ...change },
});

const planWith = (
  rules: SecurityRulePlan[],
  change: Partial<NetworkingPlan["ports"][number]> = {},
): NetworkingPlan => ({
  networks: [{ id: "net", mtu: 1450, subnets: [{ id: "subnet", cidr: "10.1.0.0/24", gatewayIp: "10.1.0.1" }] }],
  routers: [
    {
      ...{ id: "router", externalIp: "127.66.0.2", enableSnat: true, routes: [] },
      interfaces: [{ networkId: "net", ip: "10.1.0.1", cidr: "10.1.0.0/24" }],
      portForwardings: [
        { floatingIp: "127.66.0.7", protocol: "tcp", externalPort: 2022, fixedIp: "10.1.0.5", internalPort: 22 },
      ],
      floatingIps: [
        { floatingIp: "127.66.0.9", fixedIp: "10.1.0.5" },
        { floatingIp: "127.66.0.8", fixedIp: "10.1.0.6" },
      ],
    },
  ],
  ports: [
    {
      ...{ id: "port", networkId: "net", mac: "fa:16:3e:00:00:01", fixedIps: ["10.1.0.5"], allowedAddresses: [] },
      ...{ portSecurity: true, securityGroupIds: ["group"], serverId: "server", nic: 0, ...change },
    },
  ],
  securityGroups: [{ id: "group", rules }],
});
const rulesOf = (plan: NetworkingPlan, lowest = 1) => forwardsOf(plan, "server", lowest).map(ruleOf);

describe("what leads into a guest", () => {
  it("is what its groups let in from this machine, at its own floating IP", () => {
    const rules = [
      rule({ portMin: 22, portMax: 22 }),
      rule({ portMin: 8000, portMax: 8001, remoteCidr: "127.0.0.0/8" }),
      rule({ portMin: 22, portMax: 22, remoteCidr: "0.0.0.0/0" }),
      rule({ protocol: "17", portMin: 53, portMax: 53 }),
      rule({ portMin: 9001, portMax: 9001, remoteCidr: "10.0.0.0/8" }),
      rule({ portMin: 9002, portMax: 9002, remoteGroupId: "group" }),
      rule({ portMin: 9003, portMax: 9003, direction: "egress" }),
      rule({ portMin: 9004, portMax: 9004, ethertype: "IPv6" }),
      rule({ protocol: "icmp" }),
    ];
    expect(rulesOf(planWith(rules))).toEqual([
      "tcp:127.66.0.9:22-10.1.0.5:22",
      "tcp:127.66.0.9:8000-10.1.0.5:8000",
      "tcp:127.66.0.9:8001-10.1.0.5:8001",
      "udp:127.66.0.9:53-10.1.0.5:53",
      "tcp:127.66.0.7:2022-10.1.0.5:22",
    ]);
  });

  it("are the usual ports of a rule with very many, and of a port without security", () => {
    const all = rulesOf(planWith([rule({})]));
    expect(all).toContain("tcp:127.66.0.9:443-10.1.0.5:443");
    expect(all.length).toBeLessThan(16);
    expect(rulesOf(planWith([], { portSecurity: false }))).toEqual(expect.arrayContaining(all));
    expect(rulesOf(planWith([rule({ portMin: 100, portMax: 200 })]))).toEqual([]);
  });

  it("is found ten thousand higher where only an administrator may listen", () => {
    const rules = [rule({ portMin: 22, portMax: 22 }), rule({ portMin: 8080, portMax: 8080 })];
    expect(rulesOf(planWith(rules), 1024)).toEqual([
      "tcp:127.66.0.9:10022-10.1.0.5:22",
      "tcp:127.66.0.9:8080-10.1.0.5:8080",
      "tcp:127.66.0.7:2022-10.1.0.5:22",
    ]);
  });

  it("is nothing without a router that has a gateway, and nothing of other servers", () => {
    const plan = planWith([rule({ portMin: 22, portMax: 22 })]);
    expect(forwardsOf(plan, "other", 1)).toEqual([]);
    expect(rulesOf({ ...plan, routers: plan.routers.map((router) => ({ ...router, externalIp: null })) })).toEqual([]);
  });
});

it("a cloud's floating IPs are loopback addresses, the same at each start, and others than other clouds'", () => {
  const ranges = ["a1b2c3", "d4e5f6", "000001"].map((instance) => loopbackRange(instance).cidr);
  expect(new Set(ranges).size).toBe(3);
  for (const range of ranges) expect(range).toMatch(/^127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.0\/24$/);
  expect(loopbackRange("a1b2c3").cidr).toBe(ranges[0]);
});
