import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { signal } from "../../../src/cloud/hypervisors/nspawn/processes.ts";
import { readRun } from "../../../src/cloud/hypervisors/qemu/guest-files.ts";
import { createUserNetwork } from "../../../src/cloud/hypervisors/qemu/user-network.ts";
import { waitFor } from "../../../src/common/wait.ts";
import { plan, port, router } from "../../cloud-guests/plans.ts";
import { hasQemu, machine, placeForMachines } from "./machines.ts";

/** Two guests, the first of which is held for a copy of its disks. */
describe.runIf(hasQemu)("a virtual machine whose turn is taken", () => {
  const [copied, other] = [randomUUID(), randomUUID()];
  const ports = [
    port({ serverId: copied }),
    port({
      ...{ id: "dddddddd-0000-4000-8000-000000000000", serverId: other, mac: "fa:16:3e:00:00:02" },
      fixedIps: ["10.0.0.6"],
    }),
  ];
  let place: Awaited<ReturnType<typeof placeForMachines>>;
  let network: Awaited<ReturnType<typeof createUserNetwork>>;
  let hypervisor: ReturnType<typeof place.hypervisorOn>;
  let release: () => void;
  let copy: Promise<void>;

  beforeEach(async () => {
    place = await placeForMachines();
    network = await createUserNetwork(place.instance);
    hypervisor = place.hypervisorOn(network);
    await network.apply(plan({ ports, routers: [] }));
    for (const { serverId, id: portId, networkId, mac } of ports)
      await hypervisor.boot(machine(serverId as string, [{ portId, networkId, mac, mtu: 1450 }]));
    if (hypervisor.whileStill === undefined) throw new Error("no guest can be held");
    const [held, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    release = done.resolve;
    copy = hypervisor.whileStill(copied, async () => {
      held.resolve();
      await done.promise;
    });
    await Promise.race([held.promise, copy]);
  });
  afterEach(async () => {
    release();
    await copy;
    await hypervisor.close();
    await place.remove();
  });

  const address = (index: number) => network.external.gatewayIp.replace(/1$/, String(10 + index));
  async function leadsIn(index: number): Promise<boolean> {
    const socket = connect({ host: address(index), port: 5100 });
    try {
      await once(socket, "connect");
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  }

  it("does not hold up the others' network, and has its own when it is free", async () => {
    const floatingIps = ports.map(({ fixedIps: [fixedIp = ""] }, index) => ({ floatingIp: address(index), fixedIp }));
    await network.apply(plan({ ports, routers: [router({ externalIp: network.external.gatewayIp, floatingIps })] }));
    expect(await Promise.all([leadsIn(0), leadsIn(1)])).toEqual([false, true]);
    release();
    await waitFor("its own", async () => (await leadsIn(0)) || undefined, { timeoutMs: 30_000 });
    await network.apply(plan({ ports, routers: [] }));
    expect(await Promise.all([leadsIn(0), leadsIn(1)])).toEqual([false, false]);
    expect(place.told).toEqual([]);
  });

  it("does not hide that another has ended", async () => {
    const ended = new Promise((resolve) => hypervisor.onExit(resolve));
    await signal((await readRun(join(place.stateDir, "guests", other)))?.process as never, "SIGKILL");
    expect(await ended).toBe(other);
  });
});
