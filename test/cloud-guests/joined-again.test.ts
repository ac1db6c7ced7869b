import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Hypervisor } from "../../src/cloud/hypervisors/hypervisor.ts";
import { createTapNetwork } from "../../src/cloud/hypervisors/qemu/tap-network.ts";
import type { Dataplane } from "../../src/cloud/network/dataplane.ts";
import { createLinuxDataplane } from "../../src/cloud/network/linux/dataplane.ts";
import { guestNamespace, links, networkNamespace } from "../../src/cloud/network/linux/names.ts";
import { observeLinks } from "../../src/cloud/network/linux/netns.ts";
import { hasQemu, machine, placeForMachines } from "../cloud/qemu/machines.ts";
import { whyNoGuests } from "../e2e/guests/scratch-cloud.ts";
import { plan, port } from "./plans.ts";

const canRun = process.platform === "linux" && hasQemu && (await whyNoGuests()) === undefined;

describe.runIf(canRun)("a virtual machine whose link is made anew", () => {
  const { id: portId, serverId, networkId, mac } = port();
  const id = serverId as string;
  const spec = machine(id, [{ portId, networkId, mac, mtu: 1450 }]);
  const routers = plan().routers.map((router) => ({ ...router, externalIp: null, floatingIps: [] }));
  const [enabled, disabled] = [plan({ routers }), plan({ routers, ports: [port({ serverId: null })] })];
  const bridge = `b-${portId.slice(0, 8)}`;
  let place: Awaited<ReturnType<typeof placeForMachines>>;
  let dataplane: Dataplane;
  let hypervisor: Hypervisor;

  beforeEach(async () => {
    place = await placeForMachines();
    const { instance, stateDir } = place;
    dataplane = await createLinuxDataplane({ instance, stateDir });
    await dataplane.start();
  });
  afterEach(async () => {
    await hypervisor?.close();
    await place.remove();
  });

  /** Where the data plane's link leads, and its own state; undefined where there is none. */
  async function link() {
    const found = await observeLinks(guestNamespace(place.instance, id));
    const nic = found.find(({ ifname }) => ifname === links.nic(0));
    return nic && { master: nic.master, flags: (nic as unknown as { flags: string[] }).flags };
  }
  /** What the machine finds behind every address. */
  async function neighbour() {
    const found = await observeLinks(networkNamespace(place.instance, networkId));
    return found.find(({ ifname }) => ifname === links.tap(portId))?.address;
  }
  const bridged = { master: bridge, flags: expect.arrayContaining(["UP", "LOWER_UP"]) };

  it("is led into again when its port is disabled and enabled", async () => {
    const network = createTapNetwork(place.instance, dataplane);
    hypervisor = place.hypervisorOn(network);
    await network.apply(enabled);
    await hypervisor.boot(spec);
    expect(await link()).toEqual(bridged);
    const before = await neighbour();
    expect(before).toBeDefined();
    for (const _ of ["once", "twice"]) {
      await network.apply(disabled);
      expect(await link()).toBeUndefined();
      await network.apply(enabled);
      expect(await link()).toEqual(bridged);
      expect(await neighbour()).toBe(before);
    }
  });

  it("is led into by a port that was disabled when it booted", async () => {
    const network = createTapNetwork(place.instance, dataplane);
    hypervisor = place.hypervisorOn(network);
    const another = port({
      ...{ id: "dddddddd-0000-4000-8000-000000000000", mac: "fa:16:3e:00:00:02", nic: 1 },
      fixedIps: ["10.0.0.6"],
    });
    await network.apply({ ...disabled, ports: [...disabled.ports, another] });
    await hypervisor.boot(spec);
    await network.apply({ ...enabled, ports: [another, ...enabled.ports] });
    const found = await observeLinks(guestNamespace(place.instance, id));
    expect(found.filter(({ master }) => master === bridge)).toHaveLength(2); // its tap is the other
  });

  it("is led into at the next start of a cloud that was killed before it did", async () => {
    const before = createTapNetwork(place.instance, dataplane);
    hypervisor = place.hypervisorOn(before);
    await before.apply(enabled);
    await hypervisor.boot(spec);
    await hypervisor.close();
    await dataplane.apply(disabled);
    await dataplane.apply(enabled);
    expect((await link())?.master).toBeUndefined();
    const after = createTapNetwork(place.instance, dataplane);
    await after.apply(enabled);
    hypervisor = place.hypervisorOn(after);
    await hypervisor.recover([spec]);
    expect(await link()).toEqual(bridged);
    expect(place.told).toEqual([]);
  });
});
