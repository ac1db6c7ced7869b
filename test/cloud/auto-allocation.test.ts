import { afterAll, beforeAll, expect, it } from "vitest";
import { type Answer, TestCloud } from "./support.ts";

let cloud: TestCloud;
let admin: { token: string };
beforeAll(async () => {
  cloud = await TestCloud.start();
  admin = { token: await cloud.adminToken() };
});
afterAll(() => cloud.remove());

const v2 = "/network/v2.0";
const told = ({ status, body }: Answer) => [status, body?.NeutronError?.type, body?.NeutronError?.message];
const path = (project = cloud.projectId) => `${v2}/auto-allocated-topology/${project}`;
const boot = async () => {
  const body = await cloud.serverBody({ networks: "auto" });
  return cloud.post("/compute/v2.1/servers", body, { headers: { "openstack-api-version": "compute 2.37" } });
};

// each as Neutron 21 answered
it("who asks for any network is refused where nothing says what to make it of", async () => {
  const failed = (reason: string) => [409, "AutoAllocationFailure", `Deployment error: ${reason}.`];
  expect(told(await cloud.get(`${path()}?fields=dry-run`))).toEqual(failed("No default subnetpools defined"));
  expect(told(await cloud.get(path()))).toEqual(failed("Unable to provide tenant private network"));
  expect(told(await cloud.get(`${path()}?fields=zz`))[2]).toBe("Bad auto_allocate request: Unrecognized field.");
  const stranger = await cloud.stranger("stranger");
  expect(told(await cloud.get(path(), stranger))).toEqual([403, "NotAuthorized", "Not authorized."]);
  expect((await cloud.get(`${v2}/networks?name=auto_allocated_network`)).body.networks).toEqual([]);
  const refused = await boot();
  expect([refused.status, refused.body.badRequest.message]).toEqual([
    400,
    `Unable to automatically allocate a network for project ${cloud.projectId}`,
  ]);
});

it("and gets one with a subnet, a router and a way out, once, also with a server", async () => {
  const pool = { name: "default", prefixes: ["10.180.0.0/16"], default_prefixlen: 26, shared: true, is_default: true };
  await cloud.make("subnetpool", pool, admin.token);
  const dry = await cloud.get(`${path()}?fields=dry-run`);
  expect(dry.body).toEqual({ auto_allocated_topology: { id: "dry-run=pass", tenant_id: cloud.projectId } });

  const created = await boot();
  expect(created.status).toBe(202);
  await cloud.cloud.idle();
  const { auto_allocated_topology: topology } = (await cloud.get(path("None"))).body;
  expect(topology).toEqual({ id: expect.any(String), tenant_id: cloud.projectId, project_id: cloud.projectId });
  expect((await cloud.get(path())).body.auto_allocated_topology.id).toBe(topology.id);
  expect((await cloud.server(created.body.server.id)).addresses).toMatchObject({
    auto_allocated_network: [{ addr: expect.stringMatching(/^10\.180\.0\./) }],
  });
  const { subnets } = (await cloud.get(`${v2}/subnets?network_id=${topology.id}`)).body;
  expect(subnets).toMatchObject([{ name: "auto_allocated_subnet_v4", cidr: "10.180.0.0/26" }]);
  const { routers } = (await cloud.get(`${v2}/routers?name=auto_allocated_router`)).body;
  expect(routers).toMatchObject([{ external_gateway_info: { network_id: await cloud.externalNetworkId() } }]);

  expect(told(await cloud.delete(path()))[1]).toBe("NetworkInUse");
  await cloud.delete(`/compute/v2.1/servers/${created.body.server.id}`);
  await cloud.cloud.idle();
  expect((await cloud.delete(path())).status).toBe(204);
  expect((await cloud.get(`${v2}/routers`)).body.routers).toEqual([]);
  expect((await cloud.get(`${v2}/networks?name=auto_allocated_network`)).body.networks).toEqual([]);
});

it("which goes also where somebody has taken a part of it", async () => {
  const { id } = (await cloud.get(path())).body.auto_allocated_topology;
  const [router] = (await cloud.get(`${v2}/routers?name=auto_allocated_router`)).body.routers;
  const [{ id: subnet_id }] = (await cloud.get(`${v2}/subnets?network_id=${id}`)).body.subnets;
  await cloud.put(`${v2}/routers/${router.id}/remove_router_interface`, { subnet_id });
  expect((await cloud.delete(path())).status).toBe(204);
  expect((await cloud.get(`${v2}/routers/${router.id}`)).status).toBe(404);
  expect((await cloud.get(`${v2}/networks/${id}`)).status).toBe(404);
});

it("and not of a pool that is not shared with who asks", async () => {
  const { subnetpools } = (await cloud.get(`${v2}/subnetpools?is_default=true`, admin)).body;
  await cloud.delete(`${v2}/subnetpools/${subnetpools[0].id}`, admin);
  const pool = { name: "own", prefixes: ["10.181.0.0/16"], default_prefixlen: 26, is_default: true };
  await cloud.make("subnetpool", pool, admin.token);
  const failed = (reason: string) => [409, "AutoAllocationFailure", `Deployment error: ${reason}.`];
  expect(told(await cloud.get(`${path()}?fields=dry-run`))).toEqual(failed("No default subnetpools defined"));
  expect(told(await cloud.get(path()))).toEqual(failed("Unable to provide tenant private network"));
  const network = await cloud.make("network", {});
  const subnet = { network_id: network.id, ip_version: 4, use_default_subnetpool: true };
  expect(told(await cloud.post(`${v2}/subnets`, { subnet }))[2]).toBe(
    "Bad subnets request: No default subnetpool found for IPv4.",
  );
  expect((await cloud.post(`${v2}/subnets`, { subnet }, admin)).status).toBe(201);
});
