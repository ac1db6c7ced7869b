import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { serverTable } from "../../src/cloud/compute/records.ts";
import { FakeHypervisor } from "../../src/cloud/hypervisors/fake.ts";
import type { Dataplane, NetworkingPlan } from "../../src/cloud/network/dataplane.ts";
import { stateFiles } from "../../src/cloud/store/state.ts";
import { Store } from "../../src/cloud/store/store.ts";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
afterEach(() => cloud.remove());

/** Remembers the plans, and what was asked of it in which order. */
class RecordingDataplane implements Dataplane {
  readonly external = { cidr: "172.24.99.0/24", gatewayIp: "127.0.0.2" };
  readonly plans: NetworkingPlan[] = [];
  readonly calls: string[] = [];
  async start() {
    this.calls.push("start");
  }
  async apply(plan: NetworkingPlan) {
    this.calls.push("apply");
    this.plans.push(plan);
  }
  async destroy() {
    this.calls.push("destroy");
  }
}

describe("a restarted cloud", () => {
  it("finds port, passwords, tokens, resources and guests again", async () => {
    cloud = await TestCloud.start();
    const { network } = await cloud.routedNetwork();
    const server = await cloud.bootServer({ networks: [{ uuid: network.id }] });
    const before = cloud.cloud;
    await cloud.restart({ hypervisor: new FakeHypervisor() });
    expect(cloud.cloud).toMatchObject({
      port: before.port,
      instance: before.instance,
      credentials: before.credentials,
    });
    const { updated: _u, ...same } = server;
    expect(await cloud.server(server.id)).toMatchObject(same);
    expect((await cloud.get("/network/v2.0/routers")).body.routers).toHaveLength(1);
    expect((await cloud.get("/image/v2/images")).body.images).toHaveLength(1);
  });

  it("keeps no usable password or token in its database", async () => {
    cloud = await TestCloud.start();
    await cloud.cloud.close();
    const database = await readFile(join(cloud.stateDir, "cloud.sqlite"), "latin1");
    expect(database).toContain("role-grant");
    expect(database).not.toContain(cloud.cloud.credentials.demo.password);
    expect(database).not.toContain(cloud.token);
  });

  it("takes up a boot, a stop and a delete that were promised", async () => {
    cloud = await TestCloud.start();
    const [one, two, three] = [
      await cloud.bootServer({ networks: [] }),
      await cloud.bootServer({ networks: [] }),
      await cloud.bootServer({ networks: [] }),
    ];
    await cloud.cloud.close();
    // what a process leaves that was killed between its promise and its deed
    const store = new Store(stateFiles(cloud.stateDir).database);
    serverTable(store).patch(one.id, { vmState: "building", taskState: "spawning" });
    serverTable(store).patch(two.id, { taskState: "powering-off" });
    serverTable(store).patch(three.id, { taskState: "deleting" });
    store.close();
    await cloud.restart();
    await cloud.cloud.idle();
    expect((await cloud.server(one.id)).status).toBe("ACTIVE");
    expect((await cloud.server(two.id)).status).toBe("SHUTOFF");
    expect((await cloud.get(`/compute/v2.1/servers/${three.id}`)).status).toBe(404);
  });

  it("shows a server whose disk is gone as ERROR, and boots one that has stopped with the machine", async () => {
    cloud = await TestCloud.start();
    const one = await cloud.bootServer({ networks: [] });
    const two = await cloud.bootServer({ networks: [] });
    const booted: string[] = [];
    class AfterPowerCut extends FakeHypervisor {
      override async state(id: string) {
        return booted.includes(id) ? ("running" as const) : id === one.id ? ("absent" as const) : ("stopped" as const);
      }
      override async boot(spec: Parameters<FakeHypervisor["boot"]>[0]) {
        booted.push(spec.id);
      }
    }
    await cloud.restart({ hypervisor: new AfterPowerCut() });
    await cloud.cloud.idle();
    expect(booted).toEqual([two.id]);
    expect(await cloud.server(one.id)).toMatchObject({
      status: "ERROR",
      fault: { message: "The guest's disk is gone." },
    });
    expect((await cloud.server(two.id)).status).toBe("ACTIVE");
  });

  it("gives the data plane its plan before its start, and plugs a port before the guest boots", async () => {
    const dataplane = new RecordingDataplane();
    const plugged: (string | null | undefined)[] = [];
    const hypervisor = new FakeHypervisor({
      failBoot: (spec) => {
        plugged.push(dataplane.plans.at(-1)?.ports.find((port) => port.id === spec.nics[0]?.portId)?.serverId);
        return undefined;
      },
    });
    cloud = await TestCloud.start({ hypervisor, dataplane });
    expect(dataplane.calls.slice(0, 2)).toEqual(["apply", "start"]);
    const { network } = await cloud.routedNetwork();
    const server = await cloud.bootServer({ networks: [{ uuid: network.id }] });
    expect(plugged).toEqual([server.id]);
    const token = await cloud.adminToken();
    const external = await cloud.get("/network/v2.0/subnets?name=public-subnet", { token });
    expect(external.body.subnets[0].cidr).toBe("172.24.99.0/24");
    const applied = dataplane.plans.length;
    await cloud.put(`/network/v2.0/networks/${network.id}/tags`, { tags: ["a"] });
    await cloud.put(`/network/v2.0/networks/${network.id}`, { network: { name: "renamed" } });
    expect(dataplane.plans).toHaveLength(applied); // nothing changed for it
  });
});

describe("one cloud per state, one port per cloud", () => {
  it("refuses a second cloud on the same state", async () => {
    cloud = await TestCloud.start();
    await expect(TestCloud.start({ stateDir: cloud.stateDir })).rejects.toMatchObject({ code: "E_LOCKED" });
  });

  it("refuses a port that is asked for and taken; moves where it only was the last one", async () => {
    cloud = await TestCloud.start();
    const port = cloud.cloud.port;
    await cloud.cloud.close();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
    try {
      await expect(TestCloud.start({ stateDir: cloud.stateDir, port })).rejects.toMatchObject({
        code: "E_PORT_IN_USE",
      });
      await cloud.restart();
      expect(cloud.cloud.port).not.toBe(port);
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });

  it("refuses another external range than its own", async () => {
    cloud = await TestCloud.start();
    await cloud.cloud.close();
    await expect(TestCloud.start({ stateDir: cloud.stateDir, externalCidr: "172.24.70.0/24" })).rejects.toMatchObject({
      code: "E_ADDRESS_RANGE",
    });
    await cloud.restart();
  });
});
