import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NetworkingPlan } from "../../src/cloud/network/dataplane.ts";
import { type Answer, TestCloud } from "./support.ts";

let plan: NetworkingPlan;
const dataplane = {
  external: { cidr: "172.24.96.0/24", gatewayIp: "127.0.0.3" },
  start: async () => undefined,
  apply: async (next: NetworkingPlan) => {
    plan = next;
  },
  destroy: async () => undefined,
};

let cloud: TestCloud;
let admin: { token: string };
let other: { token: string; projectId: string };
beforeAll(async () => {
  cloud = await TestCloud.start({ dataplane });
  admin = { token: await cloud.adminToken() };
  other = await cloud.stranger("other");
});
afterAll(() => cloud.remove());

const v2 = "/network/v2.0";
const told = ({ status, body }: Answer) => [status, body?.NeutronError?.type, body?.NeutronError?.message];
const nothing = "0ca7e0d5-7d5d-4a5e-9b3c-000000000000";

// each as Neutron 21 answered
describe("address groups", () => {
  const groups = `${v2}/address-groups`;

  it("are what rules let in or out, as they change", async () => {
    const group = await cloud.make("address_group", { name: "office", addresses: ["10.1.1.1/32", "10.2.0.1/16"] });
    expect(group).toEqual({
      ...{ id: expect.any(String), name: "office", description: "", addresses: ["10.1.1.1/32", "10.2.0.0/16"] },
      ...{ tenant_id: cloud.projectId, project_id: cloud.projectId },
    });
    const { id: security_group_id } = await cloud.make("security_group", { name: "web" });
    const rule = { security_group_id, direction: "ingress", remote_address_group_id: group.id };
    const { id: ruleId, ...made } = await cloud.make("security_group_rule", rule);
    expect(made).toMatchObject({ remote_address_group_id: group.id, remote_ip_prefix: null, normalized_cidr: null });
    expect(told(await cloud.post(`${v2}/security-group-rules`, { security_group_rule: rule }))).toEqual([
      ...[409, "SecurityGroupRuleExists", `Security group rule already exists. Rule id is ${ruleId}.`],
    ]);
    const letIn = () =>
      plan.securityGroups
        .find(({ id }) => id === security_group_id)
        ?.rules.filter(({ direction }) => direction === "ingress")
        .map(({ remoteCidr }) => remoteCidr);
    expect(letIn()).toEqual(["10.1.1.1/32", "10.2.0.0/16"]);
    const change = (what: string, addresses: unknown) =>
      cloud.put(`${groups}/${group.id}/${what}_addresses`, { addresses });
    expect((await change("add", ["10.5.5.5"])).body.address_group).toMatchObject({
      ...{ addresses: ["10.1.1.1/32", "10.2.0.0/16", "10.5.5.5/32"], shared: false, revision_number: 1 },
    });
    expect(letIn()).toEqual(["10.1.1.1/32", "10.2.0.0/16", "10.5.5.5/32"]);
    expect(told(await change("add", ["10.5.5.5/32", "10.9.0.0/16"]))).toEqual([
      ...[400, "AddressesAlreadyExist"],
      `Addresses ['10.5.5.5/32'] already exist in the address group ${group.id}.`,
    ]);
    expect(told(await change("add", ["zz"]))).toEqual([400, "AddrFormatError", "invalid IPNetwork zz"]);
    expect((await change("remove", ["10.1.1.1/32", "10.2.0.0/16"])).status).toBe(200);
    expect(letIn()).toEqual(["10.5.5.5/32"]);
    expect(told(await change("remove", ["10.2.0.0/16"]))).toEqual([
      ...[404, "AddressesNotFound", `Addresses ['10.2.0.0/16'] not found in the address group ${group.id}.`],
    ]);
    expect(told(await cloud.delete(`${groups}/${group.id}`))).toEqual([
      ...[409, "AddressGroupInUse", `Address group ${group.id} is in use on one or more security group rules.`],
    ]);
    await change("remove", ["10.5.5.5"]);
    expect(letIn()).toEqual([]);
    await cloud.delete(`${v2}/security-group-rules/${ruleId}`);
    expect((await cloud.delete(`${groups}/${group.id}`)).status).toBe(204);
    expect(told(await cloud.get(`${groups}/${group.id}`))).toEqual([
      ...[404, "AddressGroupNotFound", `Address group ${group.id} could not be found.`],
    ]);
  });

  it.each([
    [
      { addresses: ["10.1.1.1"] },
      "Invalid input for addresses. Reason: '10.1.1.1' isn't a recognized IP subnet cidr, '10.1.1.1/32' is recommended.",
    ],
    [{ addresses: "x" }, "Invalid input for addresses. Reason: 'x' is not a list."],
    [
      { addresses: ["10.1.1.1/32", "10.1.1.1/32"] },
      "Invalid input for addresses. Reason: Duplicate items in the list: '10.1.1.1/32'.",
    ],
    [{ shared: true }, "Attribute 'shared' not allowed in POST"],
  ])("refuse %j", async (address_group, message) => {
    expect(told(await cloud.post(groups, { address_group }))).toEqual([400, "HTTPBadRequest", message]);
  });
});

describe("RBAC policies", () => {
  const policies = `${v2}/rbac-policies`;
  const share = (object_type: string, object_id: string, fields: object = {}, as?: { token: string }) =>
    cloud.post(
      policies,
      {
        rbac_policy: { object_type, object_id, action: "access_as_shared", target_tenant: other.projectId, ...fields },
      },
      as,
    );

  it("let another project use a network, and not take it back while it is used", async () => {
    const network = await cloud.make("network", { name: "lent" });
    const subnet = await cloud.make("subnet", { network_id: network.id, ip_version: 4, cidr: "10.97.0.0/24" });
    expect((await cloud.get(`${v2}/networks/${network.id}`, other)).status).toBe(404);
    const { status, body } = await share("network", network.id);
    expect([status, body.rbac_policy]).toEqual([
      201,
      {
        ...{ id: expect.any(String), object_type: "network", object_id: network.id, action: "access_as_shared" },
        ...{ target_tenant: other.projectId, project_id: cloud.projectId, tenant_id: cloud.projectId },
      },
    ]);
    const policy = `${policies}/${body.rbac_policy.id}`;
    const seen = await cloud.get(`${v2}/networks/${network.id}`, other);
    expect(seen.body.network).toMatchObject({ name: "lent", shared: true, subnets: [subnet.id] });
    expect((await cloud.get(`${v2}/networks/${network.id}`)).body.network.shared).toBe(false);
    expect((await cloud.get(`${v2}/networks?shared=true&name=lent`, other)).body.networks).toHaveLength(1);
    expect((await cloud.get(`${v2}/subnets/${subnet.id}`, other)).status).toBe(200);
    const further = { network_id: network.id, ip_version: 4, cidr: "10.97.1.0/24" };
    const own = await cloud.make("subnet", further, other.token); // as in Neutron
    expect((await cloud.delete(`${v2}/subnets/${own.id}`, other)).status).toBe(204);
    const unseen = await cloud.make("subnet", further, other.token);
    expect((await cloud.delete(`${v2}/subnets/${unseen.id}`)).status).toBe(404);
    await share("network", network.id, { target_tenant: cloud.projectId }); // then its owner sees what others have in it
    expect((await cloud.put(`${v2}/subnets/${unseen.id}`, { subnet: { name: "x" } })).status).toBe(200);
    expect((await cloud.delete(`${v2}/subnets/${unseen.id}`)).status).toBe(204);
    expect((await cloud.delete(`${v2}/networks/${network.id}`, other)).status).toBe(403);
    const body2 = await cloud.serverBody({ networks: [{ uuid: network.id }] });
    const { imageRef, flavorRef, ...server } = body2.server;
    const booted = await cloud.post("/compute/v2.1/servers", { server: { ...server, imageRef, flavorRef } }, other);
    expect(booted.status).toBe(202);
    await cloud.cloud.idle();
    expect(plan.ports.filter(({ networkId }) => networkId === network.id)).toHaveLength(1);
    expect(told(await cloud.delete(policy))).toEqual([
      ...[409, "RbacPolicyInUse"],
      expect.stringContaining(
        `RBAC policy on object ${network.id} cannot be removed because other objects depend on it.`,
      ),
    ]);
    expect((await cloud.put(policy, { rbac_policy: { target_tenant: "somebody" } })).status).toBe(409);
    await cloud.delete(`/compute/v2.1/servers/${booted.body.server.id}`, other);
    await cloud.cloud.idle();
    expect((await cloud.put(policy, { rbac_policy: { target_tenant: "somebody" } })).body.rbac_policy).toMatchObject({
      target_tenant: "somebody",
    });
    expect((await cloud.get(`${v2}/networks/${network.id}`, other)).status).toBe(404);
    expect((await cloud.delete(`${v2}/networks/${network.id}`)).status).toBe(204);
    expect((await cloud.get(policy)).status).toBe(404); // went with it
  });

  it("of administrators' for everybody are the object's own flag", async () => {
    const network = await cloud.make("network", {});
    const { body } = await share("network", network.id, { target_tenant: "*" }, admin);
    expect((await cloud.get(`${v2}/networks/${network.id}`, other)).body.network.shared).toBe(true);
    await cloud.delete(`${policies}/${body.rbac_policy.id}`, admin);
    expect((await cloud.get(`${v2}/networks/${network.id}`)).body.network.shared).toBe(false);
    await cloud.put(`${v2}/networks/${network.id}`, { network: { shared: true } }, admin);
    expect((await cloud.get(`${policies}?object_id=${network.id}`, admin)).body.rbac_policies).toMatchObject([
      { action: "access_as_shared", target_tenant: "*" },
    ]);
  });

  it("let other projects use security groups, address groups, pools and scopes", async () => {
    const group = await cloud.make("security_group", { name: "lent" });
    const addresses = await cloud.make("address_group", { addresses: ["10.3.0.0/16"] });
    const scope = await cloud.make("address_scope", { ip_version: 4 });
    const pool = await cloud.make("subnetpool", { name: "lent", prefixes: ["10.98.0.0/16"] });
    const objects = { security_group: group, address_group: addresses, address_scope: scope, subnetpool: pool };
    const path = (kind: string) => `${v2}/${kind === "subnetpool" ? kind : kind.replaceAll("_", "-")}s`;
    for (const [kind, { id }] of Object.entries(objects)) {
      expect((await cloud.get(`${path(kind)}/${id}`, other)).status).toBe(404);
      expect((await share(kind, id)).status).toBe(201);
      expect((await cloud.get(`${path(kind)}/${id}`, other)).status).toBe(200);
    }
    const network = await cloud.make("network", {}, other.token);
    const fields = { network_id: network.id, ip_version: 4, subnetpool_id: pool.id, prefixlen: 24 };
    expect(await cloud.make("subnet", fields, other.token)).toMatchObject({ cidr: "10.98.0.0/24" });
    await cloud.make("port", { network_id: network.id, security_groups: [group.id] }, other.token);
    const own = await cloud.make("security_group", { name: "own" }, other.token);
    const rule = { security_group_id: own.id, direction: "egress", remote_address_group_id: addresses.id };
    await cloud.make("security_group_rule", rule, other.token);
    const inUse = [];
    for (const { id, object_type } of (await cloud.get(`${policies}?target_tenant=${other.projectId}`)).body
      .rbac_policies) {
      const [status, type, message] = told(await cloud.delete(`${policies}/${id}`));
      if (status === 204) continue;
      expect([type, message]).toEqual(["RbacPolicyInUse", expect.stringContaining(`project_id=${other.projectId}`)]);
      inUse.push(object_type);
    }
    expect(inUse.toSorted()).toEqual(["address_group", "security_group", "subnetpool"]);
  });

  it("are refused in Neutron's words", async () => {
    const { id } = await cloud.make("network", {});
    expect((await share("network", id)).status).toBe(201);
    expect(told(await share("network", id))).toEqual([
      ...[409, "DuplicateRbacPolicy", "An RBAC policy already exists with those values."],
    ]);
    expect(told(await share("network", id, { target_tenant: "*" }))).toEqual([
      ...[403, "PolicyNotAuthorized"],
      "((((rule:create_rbac_policy and rule:create_rbac_policy:object_type) and rule:create_rbac_policy:object_id) and rule:create_rbac_policy:target_tenant) and rule:create_rbac_policy:action) is disallowed by policy",
    ]);
    expect(told(await share("zz", id))[2]).toBe("Invalid input for operation: 'zz' is not a valid RBAC object type.");
    const { id: group } = await cloud.make("security_group", { name: "no way out" });
    expect(told(await share("security_group", group, { action: "access_as_external" }))).toEqual([
      ...[400, "InvalidActionForType"],
      "Invalid action 'access_as_external' for object type 'security_group'. Valid actions: ('access_as_shared',)",
    ]);
    const external = await cloud.externalNetworkId();
    expect(told(await share("network", external, { action: "zz" }, admin))[2]).toBe(
      "Invalid action 'zz' for object type 'network'. Valid actions: ('access_as_shared', 'access_as_external')",
    );
    expect(told(await share("network", external))).toEqual([
      ...[400, "InvalidInput"],
      "Invalid input for operation: Only admins can manipulate policies on objects they do not own.",
    ]);
    expect((await share("network", nothing)).status).toBe(400);
    expect(told(await share("network", "zz"))[2]).toBe(
      "Invalid input for object_id. Reason: 'zz' is not a valid UUID.",
    );
    expect(told(await cloud.get(`${policies}/zz`))).toEqual([
      ...[404, "RbacPolicyNotFound", "RBAC policy of type unknown with ID zz not found"],
    ]);
  });
});

// each as Neutron 21 says it
describe("external networks", () => {
  const networks = `${v2}/networks`;
  const change = (id: string, network: object) => cloud.put(`${networks}/${id}`, { network }, admin);
  const policiesOf = async (id: string) =>
    (await cloud.get(`${v2}/rbac-policies?object_id=${id}&action=access_as_external`, admin)).body.rbac_policies;
  const seen = async (id: string, as: { token: string }) => (await cloud.get(`${networks}/${id}`, as)).status;
  const letOut = (id: string, target_tenant: string, as = admin) => {
    const rbac_policy = { object_type: "network", object_id: id, action: "access_as_external", target_tenant };
    return cloud.post(`${v2}/rbac-policies`, { rbac_policy }, as);
  };
  const routerBy = (network_id: string, as: { token: string }) =>
    cloud.post(`${v2}/routers`, { router: { external_gateway_info: { network_id } } }, as);
  async function makeExternal() {
    const network = await cloud.make("network", { "router:external": true }, admin.token);
    await cloud.make("subnet", { network_id: network.id, ip_version: 4, cidr: "10.90.0.0/24" }, admin.token);
    return network.id as string;
  }

  it("stay so while routers have a gateway in them, and are nobody's way out then", async () => {
    const id = await makeExternal();
    expect((await letOut(id, other.projectId)).status).toBe(201);
    const router = (await routerBy(id, other)).body.router;
    expect(told(await change(id, { "router:external": false }))).toEqual([
      ...[409, "ExternalNetworkInUse"],
      `External network ${id} cannot be updated to be made non-external, since it has existing gateway ports.`,
    ]);
    await cloud.delete(`${v2}/routers/${router.id}`, other);
    expect(await policiesOf(id)).toHaveLength(2);
    expect((await change(id, { "router:external": false })).body.network["router:external"]).toBe(false);
    expect(await policiesOf(id)).toEqual([]);
    expect(await seen(id, other)).toBe(404);
  });

  it("carry their guests as before, and lead nowhere but for the machine's own", async () => {
    const network = await cloud.make("network", {});
    await cloud.make("subnet", { network_id: network.id, ip_version: 4, cidr: "172.24.96.0/24" });
    await cloud.bootServer({ networks: [{ uuid: network.id }] });
    const ports = () => plan.ports.filter(({ networkId, serverId }) => networkId === network.id && serverId !== null);
    expect(ports()).toHaveLength(1);
    expect((await change(network.id, { "router:external": true })).status).toBe(200);
    expect(ports()).toHaveLength(1);
    const { body } = await routerBy(network.id, other);
    expect(body.router.external_gateway_info.external_fixed_ips).toMatchObject([{ ip_address: "172.24.96.3" }]);
    expect(plan.routers.find(({ id }) => id === body.router.id)).toMatchObject({ externalIp: null });
    const usual = (await routerBy(await cloud.externalNetworkId(), other)).body.router;
    expect(plan.routers.find(({ id }) => id === usual.id)).toMatchObject({ externalIp: expect.any(String) });
  });

  it("are so for the projects that policies name, whom nobody takes the way out that they use", async () => {
    const { id } = await cloud.make("network", {});
    await cloud.make("subnet", { network_id: id, ip_version: 4, cidr: "10.91.0.0/24" });
    expect(told(await routerBy(id, other))).toEqual([...[404, "NetworkNotFound", `Network ${id} could not be found.`]]);
    const policy = (await letOut(id, other.projectId, { token: cloud.token })).body.rbac_policy;
    expect((await cloud.get(`${networks}/${id}`, other)).body.network).toMatchObject({ "router:external": true });
    const third = await cloud.stranger("third");
    expect(await seen(id, third)).toBe(404);
    expect((await cloud.post(`${v2}/floatingips`, { floatingip: { floating_network_id: id } }, third)).status).toBe(
      404,
    );
    const router = (await routerBy(id, other)).body.router;
    const path = `${v2}/rbac-policies/${policy.id}`;
    const inUse = [
      ...[409, "RbacPolicyInUse"],
      `RBAC policy on object ${id} cannot be removed because other objects depend on it.\nDetails: There are routers attached to this network that depend on this policy for access.`,
    ];
    expect(told(await cloud.delete(path))).toEqual(inUse);
    expect(told(await cloud.put(path, { rbac_policy: { target_tenant: third.projectId } }))).toEqual(inUse);
    const forAll = (await letOut(id, "*")).body.rbac_policy;
    expect((await cloud.delete(path)).status).toBe(204); // it has the other one
    expect(await seen(id, third)).toBe(200);
    expect(told(await cloud.delete(`${v2}/rbac-policies/${forAll.id}`, admin))).toEqual(inUse);
    await cloud.delete(`${v2}/routers/${router.id}`, other);
    expect((await cloud.delete(`${v2}/rbac-policies/${forAll.id}`, admin)).status).toBe(204);
    expect((await cloud.get(`${networks}/${id}`)).body.network["router:external"]).toBe(false);
    expect((await change(id, { name: "renamed" })).status).toBe(200);
    expect(await policiesOf(id)).toEqual([]);
  });

  it("are pools of floating IPs, and places for balancers to ask for, to whoever sees them", async () => {
    const path = "/compute/v2.1/os-floating-ips";
    const third = await cloud.stranger("unseeing");
    const makeLab = async (cidr: string, as: { token: string }, target: string) => {
      const { id } = await cloud.make("network", { name: "lab" }, as.token);
      const subnet = await cloud.make("subnet", { network_id: id, ip_version: 4, cidr }, as.token);
      expect((await letOut(id, target, as)).status).toBe(201);
      return { id, subnetId: subnet.id as string };
    };
    const lab = await makeLab("10.92.0.0/24", { token: cloud.token }, other.projectId);
    const pools = (await cloud.get("/compute/v2.1/os-floating-ip-pools", other)).body.floating_ip_pools;
    expect(pools).toContainEqual({ name: "lab" });
    const pool = (wanted: object, as: { token: string }) => cloud.post(path, wanted, as);
    expect((await pool({ pool: "lab" }, other)).body.floating_ip).toMatchObject({ pool: "lab" });
    for (const wanted of ["lab", lab.id]) {
      const { status, body } = await pool({ pool: wanted }, third);
      expect([status, body.itemNotFound.message]).toEqual([404, "Floating IP pool not found."]);
    }
    const own = await makeLab("10.93.0.0/24", third, other.projectId);
    const { floating_ip } = (await pool({ pool: "lab" }, third)).body;
    expect(floating_ip.ip).toMatch(/^10\.93\.0\./);
    expect((await pool({ pool: own.id }, other)).body.floating_ip.ip).toMatch(/^10\.93\.0\./);
    const several = await pool({ pool: "lab" }, other);
    expect([several.status, several.body.computeFault.message]).toEqual([
      ...[500, expect.stringContaining("\n<class 'nova.exception.NovaException'>")],
    ]);
    expect((await pool({}, third)).body.floating_ip).toMatchObject({ pool: "public" });

    const balancer = async (asked: object, as: { token: string }) => {
      const { status, body } = await cloud.post("/load-balancer/v2.0/lbaas/loadbalancers", { loadbalancer: asked }, as);
      return [status, body.faultstring];
    };
    const notAllowed =
      "Validation failure: Supplied VIP network_id is not allowed by the configuration of this deployment.";
    expect(await balancer({ vip_network_id: lab.id }, other)).toEqual([400, notAllowed]);
    expect(await balancer({ vip_network_id: lab.id }, third)).toEqual([400, `Network ${lab.id} not found.`]);
    expect(await balancer({ vip_subnet_id: lab.subnetId }, third)).toEqual([400, `Subnet ${lab.subnetId} not found.`]);
  });

  it("have one default, which is everybody's", async () => {
    const id = await cloud.externalNetworkId();
    const [policy] = await policiesOf(id);
    expect(told(await cloud.delete(`${v2}/rbac-policies/${policy.id}`, admin))).toEqual([
      ...[409, "RbacPolicyInUse"],
      `RBAC policy on object ${id} cannot be removed because other objects depend on it.\nDetails: Default external networks must be shared to everyone.`,
    ]);
    const words = [409, "DefaultExternalNetworkExists", `A default external network already exists: ${id}.`];
    const network = { "router:external": true, is_default: true };
    expect(told(await cloud.post(networks, { network }, admin))).toEqual(words);
    const second = await makeExternal();
    expect(told(await change(second, { is_default: true }))).toEqual(words);
    expect((await change(second, { "router:external": false, is_default: true })).status).toBe(409);
  });
});
