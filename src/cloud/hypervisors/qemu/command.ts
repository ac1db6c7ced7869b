import type { GuestDisk } from "../hypervisor.ts";

/** What runs a guest's instructions. */
export type Accelerator = "kvm" | "hvf" | "tcg";

/** One NIC of a guest. */
export interface QemuNic {
  portId: string;
  mac: string;
  /** Bytes; QEMU's usual 1500 unless told. */
  mtu?: number;
  /** What is behind it: a kind of QEMU's network backends with its options, `tap,ifname=…`. */
  backend: string;
}

/** One guest as QEMU starts it. */
export interface QemuGuest {
  /** Carried in the process list. */
  name: string;
  uuid: string;
  accelerator: Accelerator;
  vcpus: number;
  ramMb: number;
  /** The disk that it runs from, qcow2, or the volume. */
  root: string | GuestDisk;
  /** Its own disk, where it is rescued from another. */
  rescued?: string;
  /** ISO image. */
  configDrive: string;
  disks: GuestDisk[];
  nics: QemuNic[];
  console: string;
  monitor: string;
  pidFile: string;
}

/** Names in QEMU's options: letters, digits, `-`, `.` and `_`, a letter first. */
export const nodeOf = (device: string) => `disk-${device}`;
export const netdevOf = (portId: string) => `net-${portId.slice(0, 8)}`;
export const nicDeviceName = (portId: string) => `nic-${portId.slice(0, 8)}`;

/** A value in an option's list; commas are doubled. */
const value = (text: string) => text.replaceAll(",", ",,");

/** What `blockdev-add` and `-blockdev` take for a volume's file. */
export const diskNode = ({ device, path }: GuestDisk) => ({
  ...{ "node-name": nodeOf(device), driver: "raw", discard: "unmap" },
  file: { driver: "file", filename: path, discard: "unmap" },
});

/** In the name of a volume's file. */
const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=[^/]*$)/;

/** What `device_add` and `-device` take for a volume; its serial number is Cinder's id, as with Nova. */
export const diskDevice = ({ device, path }: GuestDisk) => ({
  ...{ driver: "virtio-blk-pci", id: device, drive: nodeOf(device) },
  serial: (uuid.exec(path)?.[0] ?? device).slice(0, 20),
});

/** What `-blockdev` and `-device` take for a guest's own disk. */
const ownDisk = (path: string, name = "root") => [
  {
    ...{ "node-name": name, driver: "qcow2", discard: "unmap" },
    file: { driver: "file", filename: path, discard: "unmap" },
  },
  { driver: "virtio-blk-pci", id: `own-${name}`, drive: name },
];
const volumeDisk = (disk: GuestDisk) => [diskNode(disk), diskDevice(disk)];

/** What `-netdev` and the monitor's `netdev_add` take for what is behind a NIC. */
export const netdevOption = ({ portId, backend }: QemuNic) => `${backend},id=${netdevOf(portId)}`;

/** What `device_add` and `-device` take for a NIC. */
export const nicDevice = ({ portId, mac, mtu }: QemuNic) => ({
  ...{ driver: "virtio-net-pci", id: nicDeviceName(portId), netdev: netdevOf(portId), mac },
  ...(mtu === undefined ? {} : { host_mtu: mtu }),
});

/**
 * QEMU's command line for one guest. A PC of the older kind, since its PCI bus takes disks while it runs. Pure.
 */
export function qemuCommand(guest: QemuGuest): string[] {
  const { name, uuid, accelerator, vcpus, ramMb, disks, nics } = guest;
  const json = (option: string, what: unknown) => [option, JSON.stringify(what)];
  const [root, rootDevice] = typeof guest.root === "string" ? ownDisk(guest.root) : volumeDisk(guest.root);
  const drive = {
    ...{ "node-name": "config", driver: "raw", "read-only": true },
    file: { driver: "file", filename: guest.configDrive, "read-only": true },
  };
  const [rescued, rescuedDevice] = guest.rescued === undefined ? [] : ownDisk(guest.rescued, "rescued");
  return [
    "qemu-system-x86_64",
    ...["-name", name, "-uuid", uuid],
    ...["-machine", `pc,accel=${accelerator}`, "-cpu", accelerator === "tcg" ? "max" : "host"],
    ...["-smp", String(vcpus), "-m", String(ramMb)],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-device", "VGA"],
    ...["-smbios", `type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,serial=${uuid},uuid=${uuid}`],
    ...["-chardev", `file,id=console,path=${value(guest.console)},append=on`, "-serial", "chardev:console"],
    ...["-qmp", `unix:${value(guest.monitor)},server=on,wait=off`, "-pidfile", guest.pidFile],
    ...json("-blockdev", root),
    ...json("-device", { ...rootDevice, bootindex: 1 }),
    ...(rescued === undefined ? [] : [...json("-blockdev", rescued), ...json("-device", rescuedDevice)]),
    ...disks.flatMap((disk) => [...json("-blockdev", diskNode(disk)), ...json("-device", diskDevice(disk))]),
    ...json("-blockdev", drive),
    ...["-device", "virtio-scsi-pci,id=scsi", ...json("-device", { driver: "scsi-cd", drive: "config" })],
    ...nics.flatMap((nic) => ["-netdev", netdevOption(nic), ...json("-device", nicDevice(nic))]),
    ...["-device", "virtio-rng-pci"],
  ];
}
