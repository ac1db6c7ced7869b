import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { signal } from "../../../src/cloud/hypervisors/nspawn/processes.ts";
import { monitorOf, readRun } from "../../../src/cloud/hypervisors/qemu/guest-files.ts";
import { Qmp } from "../../../src/cloud/hypervisors/qemu/qmp.ts";
import { createUserNetwork } from "../../../src/cloud/hypervisors/qemu/user-network.ts";
import { hasQemu, machine, placeForMachines } from "./machines.ts";

describe("a monitor at which nobody listens", () => {
  it("is an error of who asks, and of nobody else", async () => {
    const place = await placeForMachines();
    onTestFinished(place.remove);
    const path = join(place.stateDir, "monitor");
    await expect(Qmp.open(path)).rejects.toThrow("monitor closed");
    const server = createServer((socket) => socket.destroy()).listen(path);
    await once(server, "listening");
    onTestFinished(() => void server.close());
    await expect(Qmp.open(path)).rejects.toThrow("monitor closed");
  });
});

describe.runIf(hasQemu)("a virtual machine's monitor", () => {
  const id = randomUUID();
  async function boot(within?: (monitor: string) => string[]) {
    const place = await placeForMachines();
    onTestFinished(place.remove);
    const network = await createUserNetwork(place.instance);
    const monitor = monitorOf(place.stateDir, place.instance, id);
    const plug = async () => ({ nics: [], within: within?.(monitor) ?? [] });
    const hypervisor = place.hypervisorOn({ ...network, plug });
    onTestFinished(() => hypervisor.close());
    await hypervisor.boot(machine(id));
    return { place, hypervisor, monitor };
  }

  it("is waited for until it answers, not until its socket is there", async () => {
    const { hypervisor } = await boot((monitor) => ["sh", "-c", 'touch "$0"; sleep 0.5; exec "$@"', monitor]);
    await hypervisor.pause?.(id); // asks it
    expect(await hypervisor.state(id)).toBe("running");
  });

  it("tells nothing more once the machine has ended", async () => {
    const { place, monitor } = await boot();
    const qmp = await Qmp.open(monitor);
    onTestFinished(() => qmp.close());
    const never = qmp.next(() => false, 30_000);
    const record = await readRun(join(place.stateDir, "guests", id));
    if (record === undefined) throw new Error("its start was not noted");
    await signal(record.process, "SIGKILL");
    await expect(never).rejects.toThrow("monitor closed");
    await expect(qmp.next(() => false, 30_000)).rejects.toThrow("monitor closed");
  });
});
