import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await TestCloud.start();
});
afterAll(() => cloud.remove());

const fault = (type: string, message: unknown) => ({ NeutronError: { type, message, detail: "" } });

describe("networks and subnets", () => {
  it("answers a new network as Neutron does", async () => {
    const network = await cloud.make("network", { name: "trace-net", admin_state_up: true });
    expect(network).toMatchObject({
      name: "trace-net",
      status: "ACTIVE",
      mtu: 1450,
      subnets: [],
      shared: false,
      "router:external": false,
      port_security_enabled: true,
      description: "",
      tags: [],
      project_id: cloud.projectId,
      tenant_id: cloud.projectId,
    });
    expect(network.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  it("gives a subnet its gateway and pools", async () => {
    const network = await cloud.make("network", {});
    const subnet = await cloud.make("subnet", { network_id: network.id, cidr: "10.77.0.0/24", ip_version: 4 });
    expect(subnet).toMatchObject({
      gateway_ip: "10.77.0.1",
      allocation_pools: [{ start: "10.77.0.2", end: "10.77.0.254" }],
      enable_dhcp: true,
      host_routes: [],
      dns_nameservers: [],
    });
    const noGateway = await cloud.make("subnet", { network_id: network.id, cidr: "10.78.0.0/29", gateway_ip: null });
    expect(noGateway.allocation_pools).toEqual([{ start: "10.78.0.1", end: "10.78.0.6" }]);
  });

  it.each([
    [{ cidr: "10.77.0.300/24" }, 400, "HTTPBadRequest"],
    [{ cidr: "10.77.0.0/24", gateway_ip: "10.78.0.1" }, 400, "InvalidInput"],
    [
      { cidr: "10.77.0.0/24", allocation_pools: [{ start: "10.77.0.1", end: "10.77.0.9" }] },
      409,
      "GatewayConflictWithAllocationPools",
    ],
    [{ cidr: "fd00::/64", ip_version: 6 }, 400, "InvalidInput"],
    [{ cidr: "10.77.0.0/24", colour: "red" }, 400, "HTTPBadRequest"],
  ])("refuses the subnet %j", async (fields, status, type) => {
    const network = await cloud.make("network", {});
    const answer = await cloud.post("/network/v2.0/subnets", { subnet: { network_id: network.id, ...fields } });
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual(fault(type, expect.any(String)));
  });

  it("refuses overlapping subnets and deletion of what is in use", async () => {
    const { network, subnet, router, interfacePortId } = await cloud.routedNetwork("10.3.0.0/24");
    const again = await cloud.post("/network/v2.0/subnets", {
      subnet: { network_id: network.id, cidr: "10.3.0.128/25" },
    });
    expect(again.body).toEqual(fault("InvalidInput", expect.stringContaining("overlaps with another subnet")));
    const inUse = async (path: string) => (await cloud.delete(`/network/v2.0/${path}`)).body;
    expect(await inUse(`networks/${network.id}`)).toEqual(
      fault(
        "NetworkInUse",
        `Unable to complete operation on network ${network.id}. There are one or more ports still in use on the network, id for these ports is ${interfacePortId}.`,
      ),
    );
    expect(await inUse(`subnets/${subnet.id}`)).toEqual(
      fault("SubnetInUse", expect.stringContaining("One or more ports have an IP allocation from this subnet.")),
    );
    expect(await inUse(`routers/${router.id}`)).toEqual(fault("RouterInUse", `Router ${router.id} still has ports`));
    expect(await inUse(`ports/${interfacePortId}`)).toEqual(fault("ServicePortInUse", expect.any(String)));
    expect((await cloud.get(`/network/v2.0/subnets/${subnet.id}`)).status).toBe(200);
  });

  it("keeps what is another tenant's out of sight", async () => {
    const token = await cloud.adminToken();
    const foreign = await cloud.make("network", { name: "theirs" }, token);
    expect((await cloud.get(`/network/v2.0/networks/${foreign.id}`)).body).toEqual(
      fault("NetworkNotFound", `Network ${foreign.id} could not be found.`),
    );
    expect((await cloud.get("/network/v2.0/networks?name=theirs")).body.networks).toEqual([]);
    expect((await cloud.delete(`/network/v2.0/networks/${foreign.id}`)).status).toBe(404);
    // the external network is for all to see and not to change
    expect((await cloud.delete(`/network/v2.0/networks/${await cloud.externalNetworkId()}`)).status).toBe(403);
  });
});

describe("ports", () => {
  it("takes the address that is asked for, or the lowest free one", async () => {
    const { network, subnet } = await cloud.routedNetwork("10.4.0.0/24");
    const fixed_ips = [{ subnet_id: subnet.id, ip_address: "10.4.0.10" }];
    const port = await cloud.make("port", { network_id: network.id, fixed_ips });
    expect(port).toMatchObject({ status: "DOWN", device_id: "", fixed_ips, port_security_enabled: true });
    expect(port.mac_address).toMatch(/^fa:16:3e(:[0-9a-f]{2}){3}$/);
    expect(port.security_groups).toHaveLength(1);
    const next = await cloud.make("port", { network_id: network.id });
    expect(next.fixed_ips[0].ip_address).toBe("10.4.0.2");
    const taken = await cloud.post("/network/v2.0/ports", { port: { network_id: network.id, fixed_ips } });
    expect(taken.status).toBe(409);
    expect(taken.body).toEqual(
      fault("IpAddressAlreadyAllocated", `IP address 10.4.0.10 already allocated in subnet ${subnet.id}`),
    );
  });

  it("runs out of addresses with the words for it", async () => {
    const network = await cloud.make("network", {});
    await cloud.make("subnet", { network_id: network.id, cidr: "10.5.0.0/30" });
    await cloud.make("port", { network_id: network.id });
    const answer = await cloud.post("/network/v2.0/ports", { port: { network_id: network.id } });
    expect(answer.status).toBe(409);
    expect(answer.body).toEqual(
      fault("IpAddressGenerationFailure", `No more IP addresses available on network ${network.id}.`),
    );
  });
});

describe("security groups", () => {
  it("a project has a default group, and a new group lets everything out", async () => {
    const { body } = await cloud.get("/network/v2.0/security-groups?name=default");
    expect(body.security_groups).toHaveLength(1);
    expect(body.security_groups[0].security_group_rules).toHaveLength(4);
    const group = await cloud.make("security_group", { name: "g" });
    expect(group.security_group_rules.map((rule: { direction: string }) => rule.direction)).toEqual([
      "egress",
      "egress",
    ]);
    expect((await cloud.delete(`/network/v2.0/security-groups/${body.security_groups[0].id}`)).body).toEqual(
      fault("SecurityGroupCannotRemoveDefault", expect.any(String)),
    );
  });

  it("refuses a duplicate rule by its meaning, and echoes the prefix as sent", async () => {
    const group = await cloud.make("security_group", { name: "dup" });
    const rule = {
      security_group_id: group.id,
      direction: "ingress",
      ethertype: "IPv4",
      protocol: "tcp",
      port_range_min: 22,
      port_range_max: 22,
      remote_ip_prefix: "10.0.0.5/24",
    };
    const made = await cloud.make("security_group_rule", rule);
    expect(made).toMatchObject({ ...rule, normalized_cidr: "10.0.0.0/24", description: "" });
    const again = await cloud.post("/network/v2.0/security-group-rules", {
      security_group_rule: { ...rule, remote_ip_prefix: "10.0.0.0/24", description: "other words" },
    });
    expect(again.status).toBe(409);
    expect(again.body).toEqual(
      fault("SecurityGroupRuleExists", `Security group rule already exists. Rule id is ${made.id}.`),
    );
    const all = { ...rule, port_range_min: 1, port_range_max: 65_535 };
    expect(await cloud.make("security_group_rule", all)).toMatchObject({ port_range_min: null, port_range_max: null });
  });

  it("cannot be deleted while a port has it", async () => {
    const group = await cloud.make("security_group", { name: "used" });
    const network = await cloud.make("network", {});
    const port = await cloud.make("port", { network_id: network.id, security_groups: [group.id] });
    const path = `/network/v2.0/security-groups/${group.id}`;
    expect((await cloud.delete(path)).body).toEqual(fault("SecurityGroupInUse", `Security Group ${group.id} in use.`));
    expect((await cloud.delete(`/network/v2.0/ports/${port.id}`)).status).toBe(204);
    expect((await cloud.delete(path)).status).toBe(204);
    expect((await cloud.get(path)).body).toEqual(
      fault("SecurityGroupNotFound", `Security group ${group.id} does not exist`),
    );
  });
});

describe("floating IPs", () => {
  it("associate, refuse a second one, disassociate, and guard the interface", async () => {
    const { network, subnet, router } = await cloud.routedNetwork("10.6.0.0/24");
    const port = await cloud.make("port", { network_id: network.id });
    const floating_network_id = await cloud.externalNetworkId();
    const floating = await cloud.make("floatingip", { floating_network_id });
    expect(floating).toMatchObject({ status: "DOWN", port_id: null, router_id: null, port_details: null });
    const path = `/network/v2.0/floatingips/${floating.id}`;
    const associated = await cloud.put(path, { floatingip: { port_id: port.id } });
    expect(associated.status).toBe(200);
    expect(associated.body.floatingip).toMatchObject({
      status: "ACTIVE",
      port_id: port.id,
      router_id: router.id,
      fixed_ip_address: port.fixed_ips[0].ip_address,
      port_details: { network_id: network.id },
    });

    const second = await cloud.make("floatingip", { floating_network_id });
    const refused = await cloud.put(`/network/v2.0/floatingips/${second.id}`, { floatingip: { port_id: port.id } });
    expect(refused.status).toBe(409);
    expect(refused.body).toEqual(fault("FloatingIPPortAlreadyAssociated", expect.stringContaining(port.id)));

    const remove = () =>
      cloud.put(`/network/v2.0/routers/${router.id}/remove_router_interface`, { subnet_id: subnet.id });
    expect((await remove()).body).toEqual(
      fault("RouterInterfaceInUseByFloatingIP", expect.stringContaining(router.id)),
    );
    const gateway = await cloud.put(`/network/v2.0/routers/${router.id}`, { router: { external_gateway_info: {} } });
    expect(gateway.body).toEqual(fault("RouterExternalGatewayInUseByFloatingIp", expect.any(String)));

    const described = await cloud.put(path, { floatingip: { description: "kept" } });
    expect(described.body.floatingip).toMatchObject({ description: "kept", status: "ACTIVE" });
    const taken = await cloud.put(path, { floatingip: { port_id: null } });
    expect(taken.body.floatingip).toMatchObject({ status: "DOWN", port_id: null, fixed_ip_address: null });
    expect((await remove()).status).toBe(200);
  });

  it("404 where no router leads to the port", async () => {
    const network = await cloud.make("network", {});
    const subnet = await cloud.make("subnet", { network_id: network.id, cidr: "10.7.0.0/24" });
    const port = await cloud.make("port", { network_id: network.id });
    const floating_network_id = await cloud.externalNetworkId();
    const answer = await cloud.post("/network/v2.0/floatingips", {
      floatingip: { floating_network_id, port_id: port.id },
    });
    expect(answer.status).toBe(404);
    expect(answer.body).toEqual(
      fault(
        "ExternalGatewayForFloatingIPNotFound",
        `External network ${floating_network_id} is not reachable from subnet ${subnet.id}.  Therefore, cannot associate Port ${port.id} with a Floating IP.`,
      ),
    );
    // nothing half-made: the address that was taken for it is free again
    const { body } = await cloud.get("/network/v2.0/floatingips?port_id=", {});
    expect(body.floatingips.every((item: { fixed_ip_address: null }) => item.fixed_ip_address === null)).toBe(true);
  });

  it("a deleted port gives its floating IP back", async () => {
    const { network } = await cloud.routedNetwork("10.8.0.0/24");
    const port = await cloud.make("port", { network_id: network.id });
    const floating_network_id = await cloud.externalNetworkId();
    const floating = await cloud.make("floatingip", { floating_network_id, port_id: port.id });
    expect((await cloud.delete(`/network/v2.0/ports/${port.id}`)).status).toBe(204);
    const { body } = await cloud.get(`/network/v2.0/floatingips/${floating.id}`);
    expect(body.floatingip).toMatchObject({ port_id: null, status: "DOWN" });
  });
});

describe("lists", () => {
  it("filter by attribute, tags and several values, and refuse what is no attribute", async () => {
    const a = await cloud.make("network", { name: "list-a", description: "x" });
    const b = await cloud.make("network", { name: "list-b" });
    const tagged = await cloud.put(`/network/v2.0/networks/${a.id}/tags`, { tags: ["slipway", "stack=p"] });
    expect(tagged.body).toEqual({ tags: ["slipway", "stack=p"] });
    const names = async (query: string) =>
      (await cloud.get(`/network/v2.0/networks?${query}`)).body.networks.map((n: { name: string }) => n.name);
    expect(await names("name=list-a&name=list-b")).toEqual(["list-a", "list-b"]);
    expect(await names(`id=${b.id}&status=ACTIVE`)).toEqual(["list-b"]);
    expect(await names("tags=slipway,stack%3Dp")).toEqual(["list-a"]);
    expect(await names("tags=slipway,other")).toEqual([]);
    expect(await names("tags-any=slipway,other")).toEqual(["list-a"]);
    expect(await names("router%3Aexternal=True")).toEqual(["public"]);
    expect(await names("description=x&admin_state_up=true")).toEqual(["list-a"]);
    expect((await cloud.get(`/network/v2.0/networks?name=list-a&fields=id`)).body.networks).toEqual([{ id: a.id }]);
    expect((await cloud.get("/network/v2.0/networks?colour=red")).body).toEqual(
      fault("HTTPBadRequest", "['colour'] is invalid attribute for filtering"),
    );
  });

  it("single tags come and go", async () => {
    const port = await cloud.make("network", { name: "tags" });
    const path = `/network/v2.0/networks/${port.id}/tags/one`;
    expect((await cloud.put(path)).status).toBe(201);
    expect((await cloud.get(path)).status).toBe(204);
    expect((await cloud.delete(path)).status).toBe(204);
    expect((await cloud.get(path)).body).toEqual(fault("TagNotFound", "Tag one could not be found."));
  });
});

it("stops at the quota", async () => {
  const own = await TestCloud.start();
  try {
    for (let n = 0; n < 9; n++) await own.make("security_group", { name: `g${n}` });
    const answer = await own.post("/network/v2.0/security-groups", { security_group: { name: "one more" } });
    expect(answer.status).toBe(409);
    expect(answer.body).toEqual(fault("OverQuota", "Quota exceeded for resources: ['security_group']."));
  } finally {
    await own.remove();
  }
});
