import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NetworkingPlan } from "../../src/cloud/network/dataplane.ts";
import { networkingPlan } from "../../src/cloud/network/plan.ts";
import { Reconciler } from "../../src/cloud/network/reconciler.ts";
import { networkTables } from "../../src/cloud/network/records.ts";
import { stateFiles } from "../../src/cloud/store/state.ts";
import { Store } from "../../src/cloud/store/store.ts";
import { TestCloud } from "./support.ts";

/** A data plane that only remembers its last plan. */
const plane = {
  external: { cidr: "172.24.98.0/24", gatewayIp: "127.0.0.3" },
  last: undefined as NetworkingPlan | undefined,
  start: async () => undefined,
  async apply(plan: NetworkingPlan) {
    plane.last = plan;
  },
  destroy: async () => undefined,
};

describe("the plan of the data plane", () => {
  let cloud: TestCloud;
  beforeAll(async () => {
    cloud = await TestCloud.start({ dataplane: plane });
  });
  afterAll(() => cloud.remove());

  it("follows the API: networks, routers, ports, groups, floating IPs", async () => {
    const { network, subnet, router } = await cloud.routedNetwork("10.20.0.0/24");
    const group = await cloud.make("security_group", { name: "web" });
    await cloud.make("security_group_rule", {
      security_group_id: group.id,
      direction: "ingress",
      protocol: "tcp",
      port_range_min: 5100,
      port_range_max: 5100,
      remote_ip_prefix: "0.0.0.0/0",
    });
    const port = await cloud.make("port", {
      network_id: network.id,
      security_groups: [group.id],
      allowed_address_pairs: [{ ip_address: "10.20.0.99" }],
    });
    const floating = await cloud.make("floatingip", {
      floating_network_id: await cloud.externalNetworkId(),
      port_id: port.id,
    });
    expect(plane.last?.networks).toEqual([
      { id: network.id, mtu: 1450, subnets: [{ id: subnet.id, cidr: "10.20.0.0/24", gatewayIp: "10.20.0.1" }] },
    ]);
    expect(plane.last?.routers).toEqual([
      {
        id: router.id,
        externalIp: "172.24.98.2",
        enableSnat: true,
        interfaces: [{ networkId: network.id, ip: "10.20.0.1", cidr: "10.20.0.0/24" }],
        floatingIps: [{ floatingIp: floating.floating_ip_address, fixedIp: "10.20.0.2" }],
        portForwardings: [],
        routes: [],
      },
    ]);
    const planned = {
      id: port.id,
      networkId: network.id,
      mac: port.mac_address,
      fixedIps: ["10.20.0.2"],
      allowedAddresses: [{ address: "10.20.0.99", mac: port.mac_address }],
      portSecurity: true,
      securityGroupIds: [group.id],
      ...{ serverId: null, nic: 0 },
    };
    expect(plane.last?.ports).toEqual([planned]);
    expect(plane.last?.securityGroups.find(({ id }) => id === group.id)?.rules).toContainEqual({
      direction: "ingress",
      ethertype: "IPv4",
      protocol: "6",
      portMin: 5100,
      portMax: 5100,
      remoteCidr: "0.0.0.0/0",
      remoteGroupId: null,
    });
    const server = await cloud.bootServer({ networks: [{ port: port.id }] });
    expect(plane.last?.ports).toEqual([{ ...planned, serverId: server.id }]);
    await cloud.put(`/network/v2.0/floatingips/${floating.id}`, { floatingip: { port_id: null } });
    expect(plane.last?.routers[0]?.floatingIps).toEqual([]);
    await cloud.delete(`/compute/v2.1/servers/${server.id}`);
    await cloud.cloud.idle();
    expect(plane.last?.ports).toEqual([planned]);
  });

  it("a data plane that fails makes the call fail, and the next one tries again", async () => {
    const apply = plane.apply;
    plane.apply = async () => {
      throw new Error("no such device");
    };
    const failed = await cloud.post("/network/v2.0/networks", { network: { name: "unlucky" } });
    plane.apply = apply;
    expect(failed.status).toBe(500);
    expect(failed.body.NeutronError.message).toBe(
      "Request Failed: internal server error while processing your request.",
    );
    await cloud.make("network", { name: "lucky" });
    expect(plane.last?.networks).toHaveLength(3);
  });

  it("tells how guests configure themselves in IPv6", async () => {
    const network = await cloud.make("network", {});
    const subnet = await cloud.make("subnet", {
      ...{ network_id: network.id, ip_version: 6, cidr: "fd00:1::/64", dns_nameservers: ["fd00::53"] },
      ...{ ipv6_ra_mode: "slaac", ipv6_address_mode: "slaac" },
    });
    const router = await cloud.make("router", {});
    await cloud.put(`/network/v2.0/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id });
    await cloud.make("port", {
      ...{ network_id: network.id, mac_address: "fa:16:3e:00:00:01" },
      allowed_address_pairs: [{ ip_address: "FD00:1::0:99" }],
    });
    expect(plane.last?.networks.find(({ id }) => id === network.id)?.subnets).toEqual([
      {
        ...{ id: subnet.id, cidr: "fd00:1::/64", gatewayIp: "fd00:1::" },
        ipv6: { raMode: "slaac", addressMode: "slaac", nameServers: ["fd00::53"] },
      },
    ]);
    expect(plane.last?.routers.find(({ id }) => id === router.id)).toMatchObject({
      externalIp: null,
      interfaces: [{ networkId: network.id, ip: "fd00:1::", cidr: "fd00:1::/64" }],
    });
    const [port] = plane.last?.ports.filter(({ networkId }) => networkId === network.id) ?? [];
    expect(port?.fixedIps).toEqual(["fd00:1::f816:3eff:fe00:1"]);
    expect(port?.allowedAddresses.map(({ address }) => address)).toEqual(["fd00:1::99"]);
  });

  it("leaves out what a state from before has and no machine takes", async () => {
    const { network, router } = await cloud.routedNetwork("10.33.0.0/24");
    const port = await cloud.make("port", { network_id: network.id });
    const floating = await cloud.make("floatingip", { floating_network_id: await cloud.externalNetworkId() });
    await cloud.make("subnet", { network_id: network.id, ip_version: 6, cidr: "::/64", gateway_ip: null });
    const forwarded = await cloud.post(`/network/v2.0/floatingips/${floating.id}/port_forwardings`, {
      port_forwarding: {
        ...{ protocol: "tcp", external_port: 80, internal_port: 80 },
        ...{ internal_port_id: port.id, internal_ip_address: port.fixed_ips[0].ip_address },
      },
    });
    expect(forwarded.status).toBe(201);
    const store = new Store(stateFiles(cloud.stateDir).database);
    try {
      const tables = networkTables(store);
      const planned = () => networkingPlan(tables).routers.find(({ id }) => id === router.id);
      const before = planned();
      expect(before?.portForwardings).toHaveLength(1);
      const [leg] = tables.ports.list(({ device }) => device?.id === router.id);
      const [forwarding] = tables.portForwardings.list(({ floatingIpId }) => floatingIpId === floating.id);
      if (leg === undefined || forwarding === undefined) throw new Error("not stored");
      const six = tables.subnets.find(({ networkId, cidr }) => networkId === network.id && cidr === "::/64")?.id ?? "";
      const wrong = ["::", "::1", "fe80::1", "ff02::5"].map((ipAddress) => ({ subnetId: six, ipAddress }));
      tables.ports.put({ ...leg, fixedIps: [...leg.fixedIps, ...wrong] });
      tables.portForwardings.put({ ...forwarding, internalIp: "fd00::5" });
      expect(planned()).toEqual({ ...before, portForwardings: [] });
    } finally {
      store.close();
    }
  });
});

describe("the reconciler", () => {
  const plan = (name: string): NetworkingPlan => ({
    networks: [{ id: name, mtu: 1450, subnets: [] }],
    routers: [],
    ports: [],
    securityGroups: [],
  });

  it("lets calls that come during an application share the next one, which sees the newest plan", async () => {
    let current = plan("a");
    const applied: string[] = [];
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const reconciler = new Reconciler(
      {
        ...plane,
        async apply(next: NetworkingPlan) {
          applied.push(next.networks[0]?.id ?? "");
          await gate;
        },
      },
      () => current,
    );
    const first = reconciler.reconcile();
    current = plan("b");
    const waiting = [reconciler.reconcile(), reconciler.reconcile()];
    current = plan("c");
    release();
    await Promise.all([first, ...waiting]);
    expect(applied).toEqual(["a", "c"]);
    await reconciler.reconcile();
    expect(applied).toEqual(["a", "c"]); // already in effect
  });
});
