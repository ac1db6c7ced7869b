import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { monitorOf, readRun, writeRun } from "../../../src/cloud/hypervisors/qemu/guest-files.ts";
import { Qmp } from "../../../src/cloud/hypervisors/qemu/qmp.ts";
import { createUserNetwork } from "../../../src/cloud/hypervisors/qemu/user-network.ts";
import { plan, port } from "../../cloud-guests/plans.ts";
import { hasQemu, machine, placeForMachines } from "./machines.ts";

/** Asks the keyboard's controller to reset the machine, at each boot: what a guest has been asked to take out is out then. */
const resets = Buffer.from([0xb0, 0xfe, 0xe6, 0x64, 0xf4]); // mov al, 0xfe; out 0x64, al; hlt

describe.runIf(hasQemu)("the NICs of a virtual machine that runs", () => {
  const id = randomUUID();
  const first = port({ serverId: id });
  const second = port({
    ...{ id: "dddddddd-0000-4000-8000-000000000000", serverId: id, mac: "fa:16:3e:00:00:02", fixedIps: ["10.0.0.6"] },
  });
  const withPorts = (...ports: ReturnType<typeof port>[]) => plan({ ports, routers: [] });
  let place: Awaited<ReturnType<typeof placeForMachines>>;
  let network: Awaited<ReturnType<typeof createUserNetwork>>;
  let hypervisor: ReturnType<typeof place.hypervisorOn>;

  beforeEach(async () => {
    place = await placeForMachines(resets);
    network = await createUserNetwork(place.instance);
    hypervisor = place.hypervisorOn(network);
    await network.apply(withPorts(first));
    await hypervisor.boot(machine(id, [{ portId: first.id, networkId: first.networkId, mac: first.mac, mtu: 1450 }]));
  });
  afterEach(async () => {
    await hypervisor.close();
    await place.remove();
  });

  /** The MAC addresses that QEMU says that the machine has, and what is behind. */
  const nics = () =>
    Qmp.session(monitorOf(place.stateDir, place.instance, id), async (qmp) => {
      const found = (await qmp.execute("query-rx-filter")) as { "main-mac": string }[];
      const lines = (await qmp.say("info network")).split("\n");
      return {
        macs: found.map((nic) => nic["main-mac"]).toSorted(),
        behind: lines.flatMap((line) => /^[\s\\]*(net-\w+):/.exec(line)?.[1] ?? []).toSorted(),
      };
    });
  const one = { macs: [first.mac], behind: ["net-aaaaaaaa"] };
  const both = { macs: [first.mac, second.mac], behind: ["net-aaaaaaaa", "net-dddddddd"] };
  const noted = async () => (await readRun(join(place.stateDir, "guests", id)))?.nics;

  it("become more when a port is plugged in, and fewer when it is taken out", async () => {
    expect(await nics()).toEqual(one);
    await network.apply(withPorts(first, second));
    expect(await nics()).toEqual(both);
    expect(await noted()).toEqual([first.id, second.id]);
    await network.apply(withPorts(first));
    expect(await nics()).toEqual(both); // its port may merely be disabled
    await hypervisor.unplugNic?.(id, second.id);
    expect(await nics()).toEqual(one);
    expect(await noted()).toEqual([first.id]);
    await network.apply(withPorts());
    await hypervisor.unplugNic?.(id, first.id);
    expect(await nics()).toEqual({ macs: [], behind: [] });
    await network.apply(withPorts(second));
    await network.apply(withPorts(second, first));
    expect(await nics()).toEqual(both);
    expect(place.told).toEqual([]);
  });

  it("are plugged in once, also where the cloud was killed before it noted it", async () => {
    await network.apply(withPorts(first, second));
    const folder = join(place.stateDir, "guests", id);
    const record = await readRun(folder);
    if (record === undefined) throw new Error("it does not run");
    await writeRun(folder, { ...record, nics: [first.id] });
    await network.apply(withPorts(first, second));
    expect(await nics()).toEqual(both);
    expect(await noted()).toEqual([first.id, second.id]);
    expect(place.told).toEqual([]);
  });

  it("are those of the plan after the cloud's start too", async () => {
    await hypervisor.close();
    network = await createUserNetwork(place.instance);
    hypervisor = place.hypervisorOn(network);
    await network.apply(withPorts(first, second));
    await hypervisor.recover([machine(id)]);
    expect(await nics()).toEqual(both);
  });

  it("stay where a port is plugged in again before its NIC was taken out", async () => {
    await network.apply(withPorts());
    await network.apply(withPorts(first));
    await hypervisor.unplugNic?.(id, first.id);
    expect(await nics()).toEqual(one);
    expect(await noted()).toEqual([first.id]);
  });

  it("are not taken out of one that stands still, and found again when their port is plugged in again", async () => {
    await network.apply(withPorts());
    await hypervisor.pause?.(id);
    await expect(hypervisor.unplugNic?.(id, first.id)).rejects.toThrow("stands still");
    expect(await nics()).toEqual(one);
    await network.apply(withPorts(first));
    expect([await nics(), await noted()]).toEqual([one, [first.id]]);
  });

  it("cannot be plugged in without an address, which is told", async () => {
    await network.apply(withPorts(first, { ...second, fixedIps: [] }));
    expect(await nics()).toEqual(one);
    expect(place.told.join("\n")).toContain(
      `the NIC of port ${second.id} is not plugged in: Port ${second.id} has no IPv4`,
    );
    await network.apply(withPorts(first, second));
    expect(await nics()).toEqual(both);
  });
});
