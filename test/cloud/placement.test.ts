import { afterAll, beforeAll, expect, it } from "vitest";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
let admin: { token: string; headers: Record<string, string> };
let server: { id: string };
let host: string;
beforeAll(async () => {
  cloud = await TestCloud.start();
  admin = { token: await cloud.adminToken(), headers: { "openstack-api-version": "placement 1.39" } };
  server = await cloud.bootServer({ networks: [] });
  host = (await get("/resource_providers")).body.resource_providers[0].uuid;
});
afterAll(() => cloud.remove());

const get = (path: string, options: object = admin) => cloud.get(`/placement${path}`, options);
const taken = { VCPU: 1, MEMORY_MB: 512, DISK_GB: 1 };

it("tells what Nova's host has, and what servers take of it", async () => {
  const hypervisors = { token: admin.token, headers: { "openstack-api-version": "compute 2.53" } };
  const [hypervisor] = (await cloud.get("/compute/v2.1/os-hypervisors", hypervisors)).body.hypervisors;
  expect(hypervisor).toMatchObject({ id: host, hypervisor_hostname: "slipway" });
  const of = async (part: string) => (await get(`/resource_providers/${host}/${part}`)).body;
  expect((await of("inventories")).inventories.VCPU).toMatchObject({ reserved: 0, min_unit: 1, allocation_ratio: 16 });
  expect((await of("usages")).usages).toEqual(taken);
  expect((await of("allocations")).allocations).toEqual({ [server.id]: { resources: taken, consumer_generation: 1 } });
  expect((await of("traits")).traits).toContain("COMPUTE_NODE");
  expect((await get(`/allocations/${server.id}`)).body).toMatchObject({
    allocations: { [host]: { resources: taken } },
    project_id: cloud.projectId,
    consumer_type: "INSTANCE",
  });
});

it("is for administrators, but for what a project uses itself", async () => {
  const own = { headers: admin.headers };
  expect((await get(`/usages?project_id=${cloud.projectId}`, own)).body.usages).toEqual({
    INSTANCE: { ...taken, consumer_count: 1 },
  });
  expect((await get("/resource_providers", own)).status).toBe(403);
  expect((await get("/usages?project_id=other", own)).status).toBe(403);
  expect((await get("/resource_providers", { token: "none" })).status).toBe(401);
});

it("refuses in Placement's form", async () => {
  const missing = await get("/resource_providers/x");
  expect(missing.body).toEqual({
    errors: [
      {
        status: 404,
        title: "Not Found",
        detail: "The resource could not be found.\n\n No resource provider with uuid x found  ",
        code: "placement.undefined_code",
        request_id: missing.headers.get("x-openstack-request-id"),
      },
    ],
  });
  const headers = { "openstack-api-version": "placement 1.99" };
  expect((await get("/resource_providers", { ...admin, headers })).body.errors[0]).toMatchObject({
    status: 406,
    detail: expect.stringContaining("\n\n Invalid microversion: Unacceptable version header: 1.99"),
    max_version: "1.39",
  });
});
