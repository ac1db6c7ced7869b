import type { GuestDisk } from "../hypervisor.ts";

/** What runs a guest's instructions. */
export type Accelerator = "kvm" | "hvf" | "tcg";

/** One NIC of a guest, with the user-mode network behind it. */
export interface QemuNic {
  portId: string;
  mac: string;
  /** Its subnet, the guest's address in it, and the one that it sends what leaves its network to. */
  subnet: string;
  address: string;
  gateway: string;
}

/** One guest as QEMU starts it. */
export interface QemuGuest {
  /** Carried in the process list. */
  name: string;
  uuid: string;
  accelerator: Accelerator;
  vcpus: number;
  ramMb: number;
  /** The guest's own disk, qcow2, or the volume that it runs from. */
  root: string | GuestDisk;
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

/** What `-blockdev` and `-device` take for the disk that a guest runs from. */
const ownDisk = (path: string) => [
  {
    ...{ "node-name": "root", driver: "qcow2", discard: "unmap" },
    file: { driver: "file", filename: path, discard: "unmap" },
  },
  { driver: "virtio-blk-pci", id: "vda", drive: "root" },
];
const volumeDisk = (disk: GuestDisk) => [diskNode(disk), diskDevice(disk)];

/**
 * QEMU's command line for one guest. A PC of the older kind, since its PCI bus takes disks while it runs. The network is QEMU's own, in user mode,
 * closed (`restrict=on`): nothing comes in but by forwards, nothing goes out. Pure.
 */
export function qemuCommand(guest: QemuGuest): string[] {
  const { name, uuid, accelerator, vcpus, ramMb, disks, nics } = guest;
  const [root, rootDevice] = typeof guest.root === "string" ? ownDisk(guest.root) : volumeDisk(guest.root);
  const drive = {
    ...{ "node-name": "config", driver: "raw", "read-only": true },
    file: { driver: "file", filename: guest.configDrive, "read-only": true },
  };
  const json = (option: string, what: unknown) => [option, JSON.stringify(what)];
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
    ...disks.flatMap((disk) => [...json("-blockdev", diskNode(disk)), ...json("-device", diskDevice(disk))]),
    ...json("-blockdev", drive),
    ...["-device", "virtio-scsi-pci,id=scsi", ...json("-device", { driver: "scsi-cd", drive: "config" })],
    ...nics.flatMap(({ portId, mac, subnet, address, gateway }) => [
      "-netdev",
      `user,id=${netdevOf(portId)},restrict=on,ipv6=off,net=${subnet},host=${gateway},dhcpstart=${address}`,
      "-device",
      `virtio-net-pci,netdev=${netdevOf(portId)},mac=${mac}`,
    ]),
    ...["-device", "virtio-rng-pci"],
  ];
}
