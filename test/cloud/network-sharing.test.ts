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
    expect(told(await share("network", id, { action: "access_as_external" }))[1]).toBe("InvalidActionForType");
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
