/** One NIC of a guest, as its Neutron port describes it. */
export interface GuestNic {
  portId: string;
  networkId: string;
  mac: string;
  /** Bytes. */
  mtu: number;
}

/** A volume as a disk of a guest. */
export interface GuestDisk {
  /** The guest's name for it, below /dev: `vdb`. */
  device: string;
  /** The file that holds the content, as long as the disk. */
  path: string;
}

/** Everything a hypervisor needs to make and boot one guest. */
export interface GuestSpec {
  /** The Nova server's id. */
  id: string;
  hostname: string;
  /** Glance image id; a hypervisor that boots real guests finds the image's root tree by it, see {@link ImageStore}. */
  imageId: string;
  /** The volume that the guest runs from, in place of a disk that is made from an image. */
  rootDisk?: GuestDisk;
  /** The image that the guest runs from instead, on a disk that is forgotten; its own disk is beside it. */
  rescueImageId?: string;
  vcpus: number;
  ramMb: number;
  diskGb: number;
  /** In the order of the server's interfaces. */
  nics: GuestNic[];
  /** Volumes, besides the disk that it runs from. */
  disks: GuestDisk[];
  /** The config drive: content by path below its root, e.g. `openstack/latest/meta_data.json`. */
  configDrive: Record<string, string | Uint8Array>;
}

/** `running`: booted and alive; `stopped`: its disk exists, no process; `absent`: nothing of it exists. */
export type GuestState = "running" | "stopped" | "absent";

/** Where a hypervisor finds images: answers the folder (container guests) or file that holds an image's content. */
export interface ImageStore {
  pathOf(imageId: string): Promise<string>;
}

/**
 * The seam below Nova. A hypervisor makes guests and nothing else: addresses, security groups and floating IPs are the
 * {@link Dataplane}'s. All methods are idempotent, may be called for any guest id, and throw an Error whose message becomes the
 * server's `fault.message`.
 */
export interface Hypervisor {
  readonly kind: "nspawn" | "qemu" | "fake";
  /** Makes the guest's disk where it has none, boots it, and returns once it runs. A running guest is left alone. */
  boot(spec: GuestSpec): Promise<void>;
  /** Ends the guest, its disk stays. `soft` asks it to shut down and falls back to a hard stop after `timeoutMs`. */
  stop(id: string, how: { soft: boolean; timeoutMs: number }): Promise<void>;
  /** Ends the guest and deletes its disk, console log, cgroups and mounts. What the data plane plugs into it stays, for its next boot. */
  wipe(id: string): Promise<void>;
  /** The same for good: with its place in the networks, which the data plane makes anew only where its plan changes. */
  destroy(id: string): Promise<void>;
  /** Plugs a disk into a running guest. One that does not run is left alone: it boots with the disks of its spec. */
  attachDisk(id: string, disk: GuestDisk): Promise<void>;
  /** Takes a disk out; when it returns, nothing of the guest writes to it any more. Throws while the guest uses it. */
  detachDisk(id: string, device: string): Promise<void>;
  /**
   * Takes the NIC of a port out of a running guest. Throws where the guest keeps it, which then has it until its next boot. Absent where a NIC goes
   * with the data plane's link. NICs are plugged in by the data plane's plan.
   */
  unplugNic?(id: string, portId: string): Promise<void>;
  /** Shows a running guest that a disk's file has become longer. */
  growDisk(id: string, disk: GuestDisk): Promise<void>;
  /**
   * Runs `work` while a guest stands still and all that it has written is in its disks' files; it goes on when that has ended, also where this
   * process was killed. One that does not run is not booted meanwhile. Absent where guests write nothing.
   */
  whileStill?<T>(id: string, work: () => Promise<T>): Promise<T>;
  /** Holds a running guest where it is, its memory with it. Absent where guests cannot be held. A held guest is `running`. */
  pause?(id: string): Promise<void>;
  /** Lets a held guest go on. */
  unpause?(id: string): Promise<void>;
  /** True where a guest can be booted from another image with its own disk beside, see {@link GuestSpec.rescueImageId}. */
  readonly rescues?: boolean;
  /**
   * Copies the guest's disk, as it is now, to where images are kept, in a form that {@link ImageStore} may answer. Absent where guests
   * have no disk.
   * @returns bytes
   */
  snapshot?(id: string, target: string): Promise<number>;
  /** Glance's name for that form; `raw` where it is not told. */
  readonly snapshotFormat?: "qcow2";
  state(id: string): Promise<GuestState>;
  /** The console log's text (escape codes removed), whole or its last `lines`. Empty for a guest that never ran. */
  console(id: string, lines?: number): Promise<string>;
  /** Called when a guest ends by itself (`poweroff` inside, crash). A reboot from inside restarts the guest and is not reported. */
  onExit(listener: (id: string) => void): void;
  /** After a restart of the daemon: adopts guests that still run, forgets nothing, ends guests that are not in `known`. */
  recover(known: GuestSpec[]): Promise<void>;
  /** Stops watching; running guests stay (the daemon may be restarted). */
  close(): Promise<void>;
}
