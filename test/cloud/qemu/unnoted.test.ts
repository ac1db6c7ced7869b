import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isAlive, type ProcessMark } from "../../../src/cloud/hypervisors/nspawn/processes.ts";
import { guestFiles, readRun } from "../../../src/cloud/hypervisors/qemu/guest-files.ts";
import { createUserNetwork } from "../../../src/cloud/hypervisors/qemu/user-network.ts";
import { hasQemu, machine, placeForMachines } from "./machines.ts";

describe.runIf(hasQemu)("a virtual machine whose start was not noted, since the cloud was killed in it", () => {
  const [id, other] = [randomUUID(), randomUUID()];
  let place: Awaited<ReturnType<typeof placeForMachines>>;
  let hypervisor: ReturnType<typeof place.hypervisorOn>;
  let unnoted: ProcessMark;

  const start = async (serverId: string) => {
    await hypervisor.boot(machine(serverId));
    const record = await readRun(join(place.stateDir, "guests", serverId));
    if (record === undefined) throw new Error("its start was not noted");
    return record.process;
  };

  beforeEach(async () => {
    place = await placeForMachines();
    hypervisor = place.hypervisorOn(await createUserNetwork(place.instance));
    unnoted = await start(id);
    await hypervisor.close();
    await rm(guestFiles(join(place.stateDir, "guests", id)).run);
    hypervisor = place.hypervisorOn(await createUserNetwork(place.instance));
  });
  afterEach(async () => {
    await hypervisor.close();
    await place.remove();
  });

  it("is ended when its server is stopped, and no other", async () => {
    const untouched = await start(other);
    await hypervisor.stop(id, { soft: true, timeoutMs: 0 });
    expect(await isAlive(unnoted)).toBe(false);
    expect(await hypervisor.state(id)).toBe("stopped");
    expect(await isAlive(untouched)).toBe(true);
  });

  it("is ended when its server is deleted, also where it had not yet said its process id", async () => {
    await rm(guestFiles(join(place.stateDir, "guests", id)).pid);
    await hypervisor.destroy(id);
    expect(await isAlive(unnoted)).toBe(false);
    expect(await hypervisor.state(id)).toBe("absent");
  });

  it("is ended when the cloud no longer knows its server", async () => {
    await hypervisor.recover([]);
    expect(await isAlive(unnoted)).toBe(false);
  });

  it("makes place for the next boot", async () => {
    await rm(guestFiles(join(place.stateDir, "guests", id)).pid);
    const anew = await start(id);
    expect(await isAlive(unnoted)).toBe(false);
    expect(await isAlive(anew)).toBe(true);
  });
});
