import { afterAll, beforeAll, expect, it } from "vitest";
import { MovableClock } from "../../../src/cloud/clock/movable-clock.ts";
import { timeControl } from "../../../src/cloud/clock/time-control.ts";
import { FakeHypervisor } from "../../../src/cloud/hypervisors/fake.ts";
import type { Hypervisor } from "../../../src/cloud/hypervisors/hypervisor.ts";
import { Store } from "../../../src/cloud/store/store.ts";
import { TestCloud } from "../support.ts";

const begin = Date.parse("2030-01-01T00:00:00Z");

let cloud: TestCloud;
beforeAll(async () => {
  const hypervisor = () => new FakeHypervisor({ bootMs: 30_000, stopMs: 5_000 });
  cloud = await TestCloud.start({ hypervisor, time: { frozenAt: begin } });
});
afterAll(() => cloud.remove());

const act = async (id: string, action: unknown) =>
  expect((await cloud.post(`/compute/v2.1/servers/${id}/action`, action)).status).toBe(202);

it("servers pass through their states at the times of a frozen clock, which their dates are of", async () => {
  const { clock } = cloud.cloud;
  const body = await cloud.serverBody({ networks: "none" });
  const headers = { "openstack-api-version": "compute 2.37" };
  const { id } = (await cloud.post("/compute/v2.1/servers", body, { headers })).body.server;
  expect(await cloud.server(id)).toMatchObject({ status: "BUILD", created: "2030-01-01T00:00:00Z" });
  await clock.advance(29_999);
  expect((await cloud.server(id)).status).toBe("BUILD");
  expect(clock.time()).toMatchObject({ frozen: true, waiting: 1, next: "2030-01-01T00:00:30.000Z" });
  await clock.advance(1);
  expect(await cloud.server(id)).toMatchObject({
    status: "ACTIVE",
    updated: "2030-01-01T00:00:30Z",
    "OS-SRV-USG:launched_at": "2030-01-01T00:00:30.000000",
  });

  await act(id, { "os-stop": null });
  await clock.advanceToNext();
  expect(await cloud.server(id)).toMatchObject({ status: "SHUTOFF", updated: "2030-01-01T00:00:35Z" });
});

it("a restart keeps the time, and takes up what waited for it", async () => {
  const headers = { "openstack-api-version": "compute 2.37" };
  const created = await cloud.post("/compute/v2.1/servers", await cloud.serverBody({ networks: "none" }), { headers });
  const { id } = created.body.server;
  const before = cloud.cloud.clock.time().now;
  await cloud.restart();
  const { clock } = cloud.cloud;
  expect(clock.time()).toMatchObject({ now: before, frozen: true });
  expect((await cloud.server(id)).status).toBe("BUILD");
  await clock.advance(30_000);
  expect((await cloud.server(id)).status).toBe("ACTIVE");
});

it("tokens end, and answers that a fault holds up come, by the cloud's time", async () => {
  const { clock, faults } = cloud.cloud;
  faults.arm("P05:fip-quota", { delayMs: 120_000 });
  let answered = false;
  const body = { floatingip: { floating_network_id: await cloud.externalNetworkId() } };
  const held = cloud.post("/network/v2.0/floatingips", body).finally(() => (answered = true));
  while (clock.time().waiting === 0) await cloud.get("/compute/v2.1/flavors");
  expect(answered).toBe(false);
  await clock.advanceToNext();
  expect((await held).status).toBe(409);

  await clock.advance(3_600_000);
  expect((await cloud.get("/compute/v2.1/servers")).status).toBe(401);
  await cloud.logIn();
  expect((await cloud.get("/compute/v2.1/servers")).status).toBe(200);
});

it("objects expire by the cloud's time", async () => {
  const container = `/object-store/v1/AUTH_${cloud.projectId}/c`;
  await cloud.put(container);
  const headers = { "x-delete-after": "60" };
  expect((await cloud.put(`${container}/o`, "text", { headers })).status).toBe(201);
  await cloud.cloud.clock.advance(59_000);
  expect((await cloud.get(`${container}/o`)).status).toBe(200);
  await cloud.cloud.clock.advance(1_000);
  expect((await cloud.get(`${container}/o`)).status).toBe(404);
});

it("two clouds of one process have a time each", async () => {
  const other = await TestCloud.start();
  try {
    const keypair = { keypair: { name: "k" } };
    const made = [
      await cloud.post("/compute/v2.1/os-keypairs", keypair),
      await other.post("/compute/v2.1/os-keypairs", keypair),
    ];
    expect(made.map(({ status }) => status)).toEqual([200, 200]);
    const dates = await Promise.all(
      [cloud, other].map(async (one) => (await one.get("/compute/v2.1/os-keypairs/k")).body.keypair.created_at),
    );
    expect(dates[0]).toMatch(/^2030-01-01T01:/);
    expect(dates[1]).not.toMatch(/^2030/);
  } finally {
    await other.remove();
  }
});

it("a cloud whose guests are real has no time that moves", async () => {
  const store = new Store(":memory:");
  const real = timeControl(store, new MovableClock(), { kind: "nspawn" } as Hypervisor, { frozenAt: begin });
  expect(() => real.freeze()).toThrow(/real guests/);
  await expect(real.advance(1)).rejects.toMatchObject({ code: "E_USAGE" });
  store.close();
});
