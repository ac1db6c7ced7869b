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
    const subnet = await cloud.make("subnet", {
      network_id: network.id,
      ip_version: 4,
      cidr: "10.77.0.0/24",
    });
    expect(subnet).toMatchObject({
      gateway_ip: "10.77.0.1",
      allocation_pools: [{ start: "10.77.0.2", end: "10.77.0.254" }],
      enable_dhcp: true,
      host_routes: [],
      dns_nameservers: [],
    });
    const noGateway = await cloud.make("subnet", {
      network_id: network.id,
      ip_version: 4,
      cidr: "10.78.0.0/29",
      gateway_ip: null,
    });
    expect(noGateway.allocation_pools).toEqual([{ start: "10.78.0.1", end: "10.78.0.6" }]);
  });

  it("gives a subnet the usual pools where an empty list is sent, until a change says that it has none", async () => {
    const { id } = await cloud.make("network", {});
    const fields = { network_id: id, ip_version: 4, cidr: "10.78.1.0/29", allocation_pools: [] };
    const subnet = await cloud.make("subnet", fields);
    expect(subnet.allocation_pools).toEqual([{ start: "10.78.1.2", end: "10.78.1.6" }]);
    const changed = await cloud.put(`/network/v2.0/subnets/${subnet.id}`, { subnet: { allocation_pools: [] } });
    expect([changed.status, changed.body.subnet.allocation_pools]).toEqual([200, []]);
  });

  it("gives a subnet a gateway outside of it, by which no router leads and which the machine knows nothing of", async () => {
    const network = await cloud.make("network", {});
    const fields = { network_id: network.id, ip_version: 4, cidr: "10.79.0.0/29", gateway_ip: "0.0.0.0" };
    const subnet = await cloud.make("subnet", fields);
    expect(subnet).toMatchObject({
      ...{ gateway_ip: "0.0.0.0", allocation_pools: [{ start: "10.79.0.1", end: "10.79.0.6" }] },
    });
    const router = await cloud.make("router", {});
    const plug = { subnet_id: subnet.id };
    const refused = await cloud.put(`/network/v2.0/routers/${router.id}/add_router_interface`, plug);
    expect([refused.status, refused.body]).toEqual([400, fault("InvalidIpForSubnet", expect.any(String))]);
    const pair = { network_id: network.id, ip_version: 4, cidr: "10.79.2.8/31", enable_dhcp: false };
    expect(await cloud.post("/network/v2.0/subnets", { subnet: pair })).toMatchObject({
      ...{
        status: 409,
        body: fault("IpamValueInvalid", "Gateway IP 10.79.2.9 cannot be allocated in CIDR 10.79.2.8/31"),
      },
    });
    const single = { network_id: network.id, ip_version: 4, cidr: "10.79.1.9/32", enable_dhcp: false };
    expect(await cloud.make("subnet", single)).toMatchObject({
      ...{ gateway_ip: "10.79.1.10", allocation_pools: [{ start: "10.79.1.9", end: "10.79.1.9" }] },
    });
  });

  it.each([
    [{ cidr: "10.77.0.300/24" }, 400, "InvalidInput"],
    [{ cidr: "10.77.0.0/24", gateway_ip: "10.77.0.0" }, 400, "InvalidInput"],
    [{ cidr: "10.77.0.0/24", gateway_ip: "10.77.0.255" }, 400, "InvalidInput"],
    [{ cidr: "10.77.0.0/24", gateway_ip: "10.77.0.01" }, 400, "HTTPBadRequest"],
    [{ cidr: "10.77.0.0/31" }, 400, "InvalidInput"],
    [
      { cidr: "10.77.0.0/24", allocation_pools: [{ start: "10.77.0.9", end: "10.77.1.9" }] },
      400,
      "OutOfBoundsAllocationPool",
    ],
    [
      { cidr: "10.77.0.0/24", dns_nameservers: [1, 2, 3, 4, 5, 6].map((last) => `10.0.0.${last}`) },
      400,
      "DNSNameServersExhausted",
    ],
    [
      { cidr: "10.77.0.0/24", allocation_pools: [{ start: "10.77.0.1", end: "10.77.0.9" }] },
      409,
      "GatewayConflictWithAllocationPools",
    ],
    [{ cidr: "10.77.0.0/24", ip_version: 6 }, 400, "InvalidInput"],
    [{ cidr: "10.77.0.0/24", colour: "red" }, 400, "HTTPBadRequest"],
  ])("refuses the subnet %j", async (fields, status, type) => {
    const network = await cloud.make("network", {});
    const answer = await cloud.post("/network/v2.0/subnets", {
      subnet: { network_id: network.id, ip_version: 4, ...fields },
    });
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual(fault(type, expect.any(String)));
  });

  it("refuses overlapping subnets and deletion of what is in use", async () => {
    const { network, subnet, router, interfacePortId } = await cloud.routedNetwork("10.3.0.0/24");
    const again = await cloud.post("/network/v2.0/subnets", {
      subnet: { network_id: network.id, ip_version: 4, cidr: "10.3.0.128/25" },
    });
    expect(again.body).toEqual(fault("InvalidInput", expect.stringContaining("overlaps with another subnet")));
    const inUse = async (path: string) => (await cloud.delete(`/network/v2.0/${path}`)).body;
    expect(await inUse(`networks/${network.id}`)).toEqual(
      fault(
        "NetworkInUse",
        `Unable to complete operation on network ${network.id}. There are one or more ports still in use on the network, id for these ports is: ${interfacePortId}.`,
      ),
    );
    expect(await inUse(`subnets/${subnet.id}`)).toEqual(
      fault("SubnetInUse", expect.stringContaining("One or more ports have an IP allocation from this subnet.")),
    );
    expect(await inUse(`routers/${router.id}`)).toEqual(
      fault("RouterInUse", `Router ${router.id} has ports still attached: ${interfacePortId}`),
    );
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

// each as Neutron 21 answered
describe("bodies that Neutron refuses", () => {
  const policy = (rule: string) => `(rule:create_network and rule:create_network:${rule}) is disallowed by policy`;
  it.each([
    [{ network: { name: 1 } }, 400, "HTTPBadRequest", "Invalid input for name. Reason: '1' is not a valid string."],
    [{ network: { nam: "x" } }, 400, "HTTPBadRequest", "Unrecognized attribute(s) 'nam'"],
    [{ network: { id: "x" } }, 400, "HTTPBadRequest", "Attribute 'id' not allowed in POST"],
    [
      { network: { admin_state_up: "maybe" } },
      400,
      "InvalidInput",
      "Invalid input for operation: 'maybe' cannot be converted to boolean.",
    ],
    [{ network: { mtu: -1 } }, 400, "HTTPBadRequest", "Invalid input for mtu. Reason: '-1' should be non-negative."],
    [
      { network: { mtu: 9000 } },
      400,
      "InvalidInput",
      "Invalid input for operation: Requested MTU is too big, maximum is 1450.",
    ],
    [{ network: { shared: true } }, 403, "PolicyNotAuthorized", policy("shared")],
    [{ network: { "provider:network_type": "vxlan" } }, 403, "PolicyNotAuthorized", policy("provider:network_type")],
    [
      { network: { availability_zone_hints: ["zz"] } },
      404,
      "AvailabilityZoneNotFound",
      "AvailabilityZone zz could not be found.",
    ],
    [
      { network: { availability_zone_hints: "nova" } },
      400,
      "HTTPBadRequest",
      "Invalid input for availability_zone_hints. Reason: 'nova' is not a list.",
    ],
    [
      { network: { tenant_id: "abc" } },
      400,
      "HTTPBadRequest",
      "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin or advsvc privileges",
    ],
    [{ net: {} }, 400, "HTTPBadRequest", "Unable to find 'network' in request body"],
    [{ network: [] }, 400, "HTTPBadRequest", "Object 'network' contains invalid data"],
    [{ networks: [] }, 400, "HTTPBadRequest", "Resources required"],
    [[], 400, "HTTPBadRequest", "Body contains invalid data"],
  ])("%j", async (body, status, type, message) => {
    const answer = await cloud.post("/network/v2.0/networks", body);
    expect([answer.status, answer.body]).toEqual([status, fault(type, message)]);
  });

  it("what is no JSON, and methods that there are not", async () => {
    const headers = { "content-type": "application/json" };
    const answer = await cloud.post("/network/v2.0/networks", "{bad", { headers });
    expect([answer.status, answer.body]).toEqual([400, fault("HTTPBadRequest", "Body contains invalid data")]);
    const { id } = await cloud.make("network", {});
    const patched = await cloud.request("PATCH", `/network/v2.0/networks/${id}`);
    expect([patched.status, patched.body.NeutronError.type]).toEqual([405, "HTTPMethodNotAllowed"]);
  });

  it("a bulk of which one is refused makes none", async () => {
    const networks = [{ name: "bulk" }, { name: 2 }];
    expect((await cloud.post("/network/v2.0/networks", { networks })).status).toBe(400);
    expect((await cloud.get("/network/v2.0/networks?name=bulk")).body.networks).toEqual([]);
  });

  it("a change of another revision than the client saw", async () => {
    const { id, revision_number: revision } = await cloud.make("network", { name: "seen" });
    const path = `/network/v2.0/networks/${id}`;
    const change = (etag: string, name = "again") =>
      cloud.put(path, { network: { name } }, { headers: { "if-match": etag } });
    expect((await change("revision_number=99")).body).toEqual(
      fault("RevisionNumberConstraintFailed", `Constrained to 99, but current revision is ${revision}`),
    );
    expect((await change("revision_number=x")).body).toEqual(
      fault("BadRequest", "Bad if-match request: Revision number etag must be in the format of revision_number=<int>."),
    );
    expect((await change(`revision_number=${revision}`)).body.network.revision_number).toBe(revision + 1);
    expect((await change(`revision_number=${revision + 1}`)).body.network.revision_number).toBe(revision + 1); // nothing new
    const gone = await cloud.delete(path, { headers: { "if-match": `revision_number=${revision}` } });
    expect(gone.status).toBe(412);
  });

  it("shows administrators how a network is carried, and nobody else", async () => {
    const { id } = await cloud.make("network", {});
    const path = `/network/v2.0/networks/${id}`;
    expect((await cloud.get(path)).body.network).not.toHaveProperty("provider:network_type");
    expect((await cloud.get(path, { token: await cloud.adminToken() })).body.network).toMatchObject({
      "provider:network_type": "vxlan",
      "provider:physical_network": null,
      "provider:segmentation_id": expect.any(Number),
    });
  });
});

describe("ports", () => {
  it("of others in one's own network are taken away and not changed", async () => {
    const token = await cloud.adminToken();
    const network = await cloud.make("network", {});
    const port = await cloud.make("port", { network_id: network.id }, token);
    const path = `/network/v2.0/ports/${port.id}`;
    expect((await cloud.put(path, { port: { name: "mine" } })).body).toEqual(
      fault("PolicyNotAuthorized", "rule:update_port is disallowed by policy"),
    );
    expect((await cloud.delete(path)).status).toBe(204);
  });

  it("have addresses of the subnets for their kind, and of those for all", async () => {
    const network_id = (await cloud.make("network", {})).id;
    const fields = { network_id, ip_version: 4, cidr: "10.5.8.0/24", service_types: ["compute:nova"] };
    const subnet = await cloud.make("subnet", fields);
    const none = (kind: string) =>
      fault(
        "IpAddressGenerationFailureNoMatchingSubnet",
        `No valid service subnet for the given device owner, network ${network_id}, service type ${kind}.`,
      );
    const post = (port: object) => cloud.post("/network/v2.0/ports", { port: { network_id, ...port } });
    expect((await post({})).body).toEqual(none(""));
    expect((await post({ fixed_ips: [{ subnet_id: subnet.id }], device_owner: "compute:x" })).body).toEqual(
      none("compute:x"),
    );
    expect((await post({ device_owner: "compute:nova" })).body.port.fixed_ips).toMatchObject([
      { subnet_id: subnet.id },
    ]);
    const forAll = await cloud.make("subnet", { network_id, ip_version: 4, cidr: "10.5.7.0/24" });
    expect((await post({})).body.port.fixed_ips).toMatchObject([{ subnet_id: forAll.id }]);
    expect((await post({ device_owner: "compute:nova" })).body.port.fixed_ips).toMatchObject([
      { subnet_id: subnet.id },
    ]);
    const wrong = { subnet: { service_types: ["zz:x"] } };
    expect((await cloud.put(`/network/v2.0/subnets/${subnet.id}`, wrong)).body).toEqual(
      fault("InvalidSubnetServiceType", "Subnet service type zz:x does not correspond to a valid device owner."),
    );
  });

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
    await cloud.make("subnet", { network_id: network.id, ip_version: 4, cidr: "10.5.0.0/30" });
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
    const rules = `/network/v2.0/security-group-rules?security_group_id=${body.security_groups[0].id}`;
    const [rule] = (await cloud.get(rules)).body.security_group_rules;
    expect(rule).toMatchObject({ description: null });
    expect(rule).not.toHaveProperty("tags");
    const group = await cloud.make("security_group", { name: "g" });
    expect(group.security_group_rules.map((rule: { direction: string }) => rule.direction)).toEqual([
      "egress",
      "egress",
    ]);
    expect((await cloud.delete(`/network/v2.0/security-groups/${body.security_groups[0].id}`)).body).toEqual(
      fault(expect.stringMatching(/^SecurityGroup(CannotRemoveDefault|InUse)$/), expect.any(String)),
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

  it("forward single ports, each outer and inner one once, and are then of no other use", async () => {
    const { network, router, subnet } = await cloud.routedNetwork("10.9.0.0/24");
    const port = await cloud.make("port", { network_id: network.id });
    const floating = await cloud.make("floatingip", { floating_network_id: await cloud.externalNetworkId() });
    const path = `/network/v2.0/floatingips/${floating.id}/port_forwardings`;
    const fields = {
      ...{ protocol: "tcp", external_port: 2222, internal_port: 22, internal_port_id: port.id },
      internal_ip_address: port.fixed_ips[0].ip_address,
    };
    const made = await cloud.post(path, { port_forwarding: fields });
    expect([made.status, made.body.port_forwarding]).toEqual([
      201,
      { id: expect.any(String), description: "", ...fields },
    ]);
    const shown = (await cloud.get(`/network/v2.0/floatingips/${floating.id}`)).body.floatingip;
    expect(shown).toMatchObject({ status: "ACTIVE", port_id: null, router_id: router.id });
    expect(shown.port_forwardings).toMatchObject([{ external_port: 2222, internal_port: 22 }]);
    const refused = async (change: object) => {
      const { status, body } = await cloud.post(path, { port_forwarding: { ...fields, ...change } });
      return [status, body.NeutronError.message];
    };
    expect(await refused({ internal_port: 23 })).toEqual([
      400,
      "Bad port_forwarding request: There is a port collision with the external_port_range. The following ranges collides: 2222:2222 and 2222:2222.",
    ]);
    expect((await refused({ external_port: 0 }))[1]).toBe(
      "Invalid input for external_port. Reason: '0' is too small - must be at least '1'.",
    );
    expect((await refused({ external_port: 80, internal_ip_address: "10.9.0.99" }))[1]).toContain(
      "The internal IP does not correspond to an address on the internal port",
    );
    const whole = await cloud.put(`/network/v2.0/floatingips/${floating.id}`, { floatingip: { port_id: port.id } });
    expect(whole.body).toEqual(
      fault("FipInUseByPortForwarding", `Floating IP ${floating.id} in use by Port Forwarding resources.`),
    );
    const cutOff = await cloud.put(`/network/v2.0/routers/${router.id}/remove_router_interface`, {
      subnet_id: subnet.id,
    });
    expect(cutOff.status).toBe(409);
    const one = `${path}/${made.body.port_forwarding.id}`;
    const moved = await cloud.put(one, { port_forwarding: { external_port: 2200 } });
    expect(moved.body.port_forwarding).toMatchObject({ external_port: 2200, internal_port: 22 });
    expect((await cloud.delete(one)).status).toBe(204);
    expect((await cloud.get(one)).body.NeutronError.type).toBe("PortForwardingNotFound");
    expect((await cloud.get(`/network/v2.0/floatingips/${floating.id}`)).body.floatingip).toMatchObject({
      status: "DOWN",
      router_id: null,
    });
  });

  it("404 where no router leads to the port", async () => {
    const network = await cloud.make("network", {});
    const subnet = await cloud.make("subnet", { network_id: network.id, ip_version: 4, cidr: "10.7.0.0/24" });
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
    expect(await names("name=list-a&name=list-b&sort_key=name&sort_dir=desc")).toEqual(["list-b", "list-a"]);
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

  it("come in pages with links, sorted by what is asked for and at last by id, forwards and backwards", async () => {
    const made: { id: string; name: string }[] = [];
    for (const name of ["page-b", "page-a", "page-c"])
      made.push(await cloud.make("network", { name, description: "p" }));
    const idOf = (name: string) => made.find((network) => network.name === name)?.id;
    const list = async (query: string) => (await cloud.get(`/network/v2.0/networks?description=p&${query}`)).body;
    const names = (body: { networks: { name: string }[] }) => body.networks.map(({ name }) => name);
    const first = await list("sort_key=name&sort_dir=asc&limit=2");
    expect(names(first)).toEqual(["page-a", "page-b"]);
    const next = first.networks_links.find(({ rel }: { rel: string }) => rel === "next").href;
    expect(next).toBe(
      `${cloud.base}/network/v2.0/networks?description=p&sort_key=name&sort_dir=asc&limit=2&marker=${idOf("page-b")}`,
    );
    const second = (await cloud.get(next.slice(cloud.base.length))).body;
    expect(names(second)).toEqual(["page-c"]);
    const previous = second.networks_links.map(({ rel, href }: { rel: string; href: string }) => [rel, href]);
    expect(previous).toEqual([["previous", expect.stringMatching(/&marker=[-0-9a-f]+&page_reverse=True$/)]]);
    expect(names((await cloud.get(previous[0][1].slice(cloud.base.length))).body)).toEqual(["page-a", "page-b"]);
    expect(names(await list("sort_key=name&sort_dir=desc&limit=1&page_reverse=True"))).toEqual(["page-a"]);
    const ids = made.map(({ id }) => id).toSorted();
    expect((await list("fields=id")).networks).toEqual(ids.map((id) => ({ id })));
    expect((await list("fields=colour")).networks).toEqual([{}, {}, {}]);
  });

  // each as Neutron 21 answered
  it.each([
    ["limit=x", 400, "BadRequest", "Bad limit request: Limit must be an integer 0 or greater and not 'x'."],
    ["limit=1&marker=zzz", 404, "NetworkNotFound", "Network zzz could not be found."],
    ["sort_key=name", 400, "HTTPBadRequest", "The number of sort_keys and sort_dirs must be same"],
    ["sort_key=bogus&sort_dir=asc", 400, "HTTPBadRequest", "['bogus'] is invalid attribute for sort_keys"],
    [
      "sort_key=name&sort_dir=up",
      400,
      "HTTPBadRequest",
      "['up'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'",
    ],
    ["shared=maybe", 400, "InvalidInput", "Invalid input for operation: 'maybe' cannot be converted to boolean."],
  ])("refuse ?%s", async (query, status, type, message) => {
    const answer = await cloud.get(`/network/v2.0/networks?${query}`);
    expect([answer.status, answer.body]).toEqual([status, fault(type, message)]);
  });

  it("single tags come and go", async () => {
    const port = await cloud.make("network", { name: "tags" });
    const path = `/network/v2.0/networks/${port.id}/tags/one`;
    const put = await cloud.put(path);
    expect([put.status, put.headers.get("content-type"), put.text]).toEqual([201, "application/json", "null"]);
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
