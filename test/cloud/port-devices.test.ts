import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NetworkingPlan } from "../../src/cloud/network/dataplane.ts";
import { type Answer, TestCloud } from "./support.ts";

let plan: NetworkingPlan;
const dataplane = {
  external: { cidr: "172.24.97.0/24", gatewayIp: "127.0.0.3" },
  start: async () => undefined,
  apply: async (next: NetworkingPlan) => {
    plan = next;
  },
  destroy: async () => undefined,
};

let cloud: TestCloud;
let admin: string;
let stranger: { token: string };
beforeAll(async () => {
  cloud = await TestCloud.start({ dataplane });
  admin = await cloud.adminToken();
  stranger = await cloud.stranger("stranger");
});
afterAll(() => cloud.remove());

const ports = "/network/v2.0/ports";
const told = ({ status, body }: Answer) => [status, body.NeutronError?.type, body.NeutronError?.message];
const notOwned = (id: string) => [
  409,
  "DeviceIDNotOwnedByTenant",
  `The following device_id ${id} is not owned by your tenant or matches another tenants router.`,
];
const disallowed = (rule: string) => [403, "PolicyNotAuthorized", `${rule} is disallowed by policy`];

// each as Neutron 21 answered
describe("what a port says of its device", () => {
  it("begins with network: only where the network is one's own", async () => {
    const { id: network_id } = await cloud.make("network", { shared: true }, admin);
    await cloud.make("subnet", { network_id, ip_version: 4, cidr: "10.91.0.0/24" }, admin);
    const post = (fields: object) => cloud.post(ports, { port: { network_id, ...fields } });
    const rule = "(rule:create_port and rule:create_port:device_owner)";
    expect(told(await post({ device_owner: "network:dhcp" }))).toEqual(disallowed(rule));
    expect(told(await post({ device_owner: "network:x", port_security_enabled: false }))).toEqual(
      disallowed(`(${rule} and rule:create_port:port_security_enabled)`),
    );
    const { id } = (await post({ device_owner: "compute:x", device_id: "q" })).body.port;
    const put = (fields: object) => cloud.put(`${ports}/${id}`, { port: fields });
    const update = "rule:update_port";
    expect(told(await put({ device_owner: "network:dhcp" }))).toEqual(
      disallowed(`(${update} and ${update}:device_owner)`),
    );
    expect(told(await put({ device_owner: "network:dhcp", mac_address: "fa:16:3e:12:12:13" }))).toEqual(
      disallowed(`((${update} and ${update}:mac_address) and ${update}:device_owner)`),
    );
    expect((await put({ device_owner: "" })).body.port).toMatchObject({ device_owner: "", device_id: "q" });
    const outside = { network_id: await cloud.externalNetworkId(), device_owner: "network:dhcp" };
    expect(told(await cloud.post(ports, { port: outside }))).toEqual([
      ...[403, "HTTPForbidden", `Tenant ${cloud.projectId} not allowed to create port on this network`],
    ]);
    const own = await cloud.make("network", {});
    expect(await cloud.make("port", { network_id: own.id, device_owner: "network:dhcp" })).toMatchObject({
      ...{ device_owner: "network:dhcp", port_security_enabled: false, status: "DOWN" },
    });
  });

  it("is no router of another project, at first and later", async () => {
    const foreign = await cloud.make("router", {}, admin);
    const own = await cloud.make("router", {});
    const { id: network_id } = await cloud.make("network", {});
    const post = (fields: object) => cloud.post(ports, { port: { network_id, ...fields } });
    for (const kind of ["router_interface", "ha_router_replicated_interface", "router_interface_distributed"]) {
      expect(told(await post({ device_owner: `network:${kind}`, device_id: foreign.id }))).toEqual(
        notOwned(foreign.id),
      );
    }
    const owner = "network:router_interface";
    expect((await post({ device_owner: owner, device_id: own.id })).status).toBe(201);
    const { id } = (await post({ device_owner: owner, device_id: "nothing" })).body.port;
    const put = (fields: object, token = cloud.token) => cloud.put(`${ports}/${id}`, { port: fields }, { token });
    expect(told(await put({ device_id: foreign.id }))).toEqual(notOwned(foreign.id));
    expect((await put({ device_id: foreign.id, device_owner: "compute:x" })).status).toBe(200);
    expect(told(await put({ device_owner: owner }))).toEqual(notOwned(foreign.id));
    expect((await put({ device_owner: owner }, admin)).status).toBe(200);
  });
});

describe("a port that names what it is not plugged into", () => {
  it("joins no router: not the plan, not its list of interfaces, not the way of a floating IP", async () => {
    const theirs = await cloud.make("network", { shared: true }, admin);
    const subnet = await cloud.make("subnet", { network_id: theirs.id, ip_version: 4, cidr: "10.93.0.0/24" }, admin);
    const external = await cloud.externalNetworkId();
    const router = await cloud.make("router", { external_gateway_info: { network_id: external } });
    const port = await cloud.make(
      "port",
      { network_id: theirs.id, device_owner: "network:router_interface", device_id: router.id },
      admin,
    );
    expect(plan.routers.find(({ id }) => id === router.id)?.interfaces).toEqual([]);
    const behind = await cloud.make("port", { network_id: theirs.id });
    const floatingip = { floating_network_id: external, port_id: behind.id };
    expect(told(await cloud.post("/network/v2.0/floatingips", { floatingip }))[1]).toBe(
      "ExternalGatewayForFloatingIPNotFound",
    );
    const removal = { subnet_id: subnet.id };
    const removed = await cloud.put(`/network/v2.0/routers/${router.id}/remove_router_interface`, removal);
    expect(told(removed)[1]).toBe("RouterInterfaceNotFoundForSubnet");
    expect((await cloud.delete(`/network/v2.0/routers/${router.id}`)).status).toBe(204);
    expect((await cloud.get(`${ports}/${port.id}`, { token: admin })).status).toBe(200);
  });

  it("reaches no server, is none of its interfaces, and stays when it goes", async () => {
    const { network } = await cloud.routedNetwork("10.94.0.0/24");
    const server = await cloud.bootServer({ networks: [{ uuid: network.id }] });
    const own = await cloud.make("network", { name: "spy" }, stranger.token);
    await cloud.make("subnet", { network_id: own.id, ip_version: 4, cidr: "10.95.0.0/24" }, stranger.token);
    const fields = { network_id: own.id, device_owner: "compute:nova", device_id: server.id };
    const port = await cloud.make("port", fields, stranger.token);
    expect(plan.ports.find(({ id }) => id === port.id)?.serverId).toBeNull();
    expect(plan.ports.filter(({ serverId }) => serverId === server.id)).toHaveLength(1);
    const path = `/compute/v2.1/servers/${server.id}`;
    expect((await cloud.get(`${path}/os-interface/${port.id}`)).status).toBe(404);
    await cloud.post(`${path}/action`, { "os-stop": null });
    await cloud.cloud.idle();
    await cloud.post(`${path}/action`, { "os-start": null });
    await cloud.cloud.idle();
    const shown = () => cloud.get(`${ports}/${port.id}`, { token: stranger.token });
    expect((await shown()).body.port).toMatchObject({ status: "DOWN", revision_number: port.revision_number });
    await cloud.delete(path);
    await cloud.cloud.idle();
    expect((await shown()).body.port).toMatchObject({ device_id: server.id, fixed_ips: port.fixed_ips });
  });

  it("is still its server's where it says it is nobody's: no other server gets it, and it goes with its own", async () => {
    const { network } = await cloud.routedNetwork("10.96.0.0/24");
    const server = await cloud.bootServer({ networks: [{ uuid: network.id }] });
    const [port] = (await cloud.get(`${ports}?device_id=${server.id}`)).body.ports;
    await cloud.put(`${ports}/${port.id}`, { port: { device_id: "", device_owner: "" } });
    expect(plan.ports.find(({ id }) => id === port.id)?.serverId).toBe(server.id);
    const body = await cloud.serverBody({ networks: [{ port: port.id }] });
    expect((await cloud.post("/compute/v2.1/servers", body)).status).toBe(409);
    await cloud.delete(`/compute/v2.1/servers/${server.id}`);
    await cloud.cloud.idle();
    expect((await cloud.get(`${ports}/${port.id}`)).status).toBe(404);
  });
});
