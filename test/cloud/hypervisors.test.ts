import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
let token: string;
beforeEach(async () => {
  cloud = await TestCloud.start();
  token = await cloud.adminToken();
});
afterEach(() => cloud.remove());

const get = (path: string, minor = 1, who = token) =>
  cloud.get(`/compute/v2.1/os-hypervisors${path}`, {
    token: who,
    headers: { "x-openstack-nova-api-version": `2.${minor}` },
  });

describe("/os-hypervisors", () => {
  it("is for administrators", async () => {
    for (const [path, policy] of [
      ["", "list"],
      ["/detail", "list-detail"],
      ["/statistics", "statistics"],
      ["/1", "show"],
    ]) {
      expect(await get(path ?? "", 1, cloud.token)).toMatchObject({
        status: 403,
        body: {
          forbidden: { message: `Policy doesn't allow os_compute_api:os-hypervisors:${policy} to be performed.` },
        },
      });
    }
  });

  it("shows the machine, by number and since 2.53 by UUID", async () => {
    const { hypervisors } = (await get("")).body;
    expect(hypervisors).toEqual([{ id: 1, hypervisor_hostname: "slipway", state: "up", status: "enabled" }]);
    expect((await get("/1")).body.hypervisor).toEqual((await get("/detail")).body.hypervisors[0]);
    const { id } = (await get("", 53)).body.hypervisors[0];
    expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect((await get(`/${id}`, 53)).status).toBe(200);
    expect((await get("/1", 53)).status).toBe(400);
    expect(await get("/7")).toMatchObject({
      status: 404,
      body: { itemNotFound: { message: "Hypervisor with ID '7' could not be found." } },
    });
  });

  it("has its sizes and its CPU, as text before 2.28, until 2.88 leaves them to Placement", async () => {
    const [early, later, placed] = await Promise.all([1, 28, 88].map(async (minor) => (await get("/1", minor)).body));
    expect(early.hypervisor).toMatchObject({ vcpus: expect.any(Number), local_gb: expect.any(Number), running_vms: 0 });
    expect(JSON.parse(early.hypervisor.cpu_info)).toEqual(later.hypervisor.cpu_info);
    expect(placed).toMatchObject({ badRequest: { message: "Invalid uuid 1" } });
    const { hypervisors } = (await get("/detail", 88)).body;
    expect(hypervisors[0]).not.toHaveProperty("vcpus");
    expect(hypervisors[0]).toMatchObject({ uptime: null, hypervisor_type: "fake" });
    expect((await get("/statistics", 88)).status).toBe(404);
    expect((await get("/statistics")).body.hypervisor_statistics).toMatchObject({ count: 1, vcpus_used: 0 });
  });
});
