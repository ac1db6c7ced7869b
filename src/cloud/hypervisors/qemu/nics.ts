import { netdevOf, netdevOption, nicDevice, nicDeviceName, type QemuNic } from "./command.ts";
import type { Qmp } from "./qmp.ts";
import { takeOut } from "./unplug.ts";

/** Plugs a NIC into a guest; one that it has is left alone. @throws Error with QEMU's words, where there is no slot left */
export async function plugNic(qmp: Qmp, nic: QemuNic): Promise<void> {
  if (await hasNic(qmp, nic.portId)) return;
  await qmp.say(`netdev_del ${netdevOf(nic.portId)}`); // of a try that was broken off
  const refusal = await qmp.say(`netdev_add ${netdevOption(nic)}`);
  if (refusal !== "") throw new Error(refusal);
  try {
    await qmp.execute("device_add", nicDevice(nic));
  } catch (error) {
    await qmp.say(`netdev_del ${netdevOf(nic.portId)}`);
    throw error;
  }
}

/** Whoever keeps a NIC that leads nowhere does no harm: it holds nothing else up, the server's end least of all. */
const attempts = 1;

/** Has the guest take a NIC out. @throws Error where it keeps it */
export async function unplugNic(qmp: Qmp, portId: string): Promise<void> {
  if (await hasNic(qmp, portId)) {
    const { status } = (await qmp.execute("query-status")) as { status: string };
    if (status !== "running") throw new Error("a guest that stands still takes nothing out");
    await takeOut(qmp, nicDeviceName(portId), attempts);
  }
  await qmp.say(`netdev_del ${netdevOf(portId)}`);
}

async function hasNic(qmp: Qmp, portId: string): Promise<boolean> {
  const devices = (await qmp.execute("qom-list", { path: "/machine/peripheral" })) as { name: string }[];
  return devices.some(({ name }) => name === nicDeviceName(portId));
}
