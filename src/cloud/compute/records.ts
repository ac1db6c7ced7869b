import type { Collection, Store } from "../store/store.ts";
import type { PromisedVolume } from "./block-devices.ts";
import type { Flavor } from "./flavor-records.ts";

/** Nova's `OS-EXT-STS:vm_state`. */
export type VmState =
  | "building"
  | "active"
  | "paused"
  | "suspended"
  | "stopped"
  | "rescued"
  | "resized"
  | "shelved_offloaded"
  | "error"
  | "deleted";
/** Nova's `OS-EXT-STS:task_state`: what is being done, null when nothing is. */
export type TaskState =
  | "scheduling"
  | "block_device_mapping"
  | "spawning"
  | "powering-off"
  | "powering-on"
  | "rebooting"
  | "rebooting_hard"
  | "resize_prep"
  | "resize_reverting"
  | "resize_confirming"
  | "rebuilding"
  | "pausing"
  | "unpausing"
  | "suspending"
  | "resuming"
  | "rescuing"
  | "unrescuing"
  | "image_snapshot"
  | "image_backup"
  | "shelving_offloading"
  | "unshelving"
  | "deleting"
  | null;

/** A server as Nova keeps it. */
export interface Server {
  id: string;
  projectId: string;
  userId: string;
  name: string;
  hostname: string;
  description: string | null;
  /** Empty where none was named: then its root disk is a volume. */
  imageId: string;
  /** True where its root disk is a volume. */
  volumeBacked?: boolean;
  /** Volumes that are made for it before its first boot, in the order of their devices. */
  promisedVolumes?: PromisedVolume[];
  /** The image that a rebuild makes the content of its root volume. */
  reimageId?: string | null;
  flavor: Flavor;
  keyName: string | null;
  /** Copied at create: deleting the keypair changes no server. */
  publicKey: string | null;
  /** Base64, as it was sent; null for none. */
  userData: string | null;
  /** What its maker was answered as the administrator's password: on the config drive, and shown to nobody again. */
  adminPass?: string;
  /** The same while it is rescued. */
  rescuePass?: string;
  /** The password that its guest has chosen, encrypted for the owner of its key; absent or empty for none. */
  encryptedPassword?: string;
  configDrive: boolean;
  /** Files for cloud-init to write at the first boot; contents in base64. */
  personality?: { path: string; contents: string }[];
  metadata: Record<string, string>;
  tags: string[];
  availabilityZone: string;
  /** The server group that it was made in; absent in records from before there were groups. */
  groupId?: string | null;
  /** What a resize or a rebuild comes from: the flavor to go back to, and whether the server ran. */
  changedFrom?: { flavor: Flavor; stopped: boolean } | null;
  /** In the order of the server's interfaces. `made`: Nova made the port and deletes it with the server. */
  nics: { portId: string; made: boolean; tag?: string }[];
  vmState: VmState;
  taskState: TaskState;
  fault: { code: number; created: string; message: string } | null;
  /** Who locked it: then only administrators act on it; the lock of an administrator is not its owner's to take off. */
  lockedBy?: "owner" | "admin" | null;
  lockedReason?: string | null;
  accessIPv4?: string;
  accessIPv6?: string;
  diskConfig?: "AUTO" | "MANUAL";
  /** Counts servers; part of the name that the hypervisor has for it. */
  number?: number;
  /** What servers that were asked for by one request have in common, and the place among them. */
  reservationId?: string;
  launchIndex?: number;
  /** The image that a rescued server runs from, its own disk beside it. */
  rescueImageId?: string | null;
  /** The image that its disk is being copied to, and how many of its kind are kept. */
  snapshot?: { imageId: string; rotation: number | null } | null;
  /** When it was deleted. */
  terminatedAt?: string | null;
  createdAt: string;
  updatedAt: string;
  launchedAt: string | null;
}

export function serverTable(store: Store): Collection<Server> {
  return store.collection("server");
}

/** Servers that are gone: told by `changes-since`, and to administrators who ask for deleted ones. */
export function deletedServerTable(store: Store): Collection<Server> {
  return store.collection("deleted-server");
}

/** Where servers of a group are placed, as one says with `os:scheduler_hints` `group`. */
export interface ServerGroup {
  id: string;
  projectId: string;
  userId: string;
  name: string;
  policy: "affinity" | "anti-affinity" | "soft-affinity" | "soft-anti-affinity";
  /** Servers that one host may have of an anti-affinity group; null is one. */
  maxServerPerHost: number | null;
}

export function serverGroupTable(store: Store): Collection<ServerGroup> {
  return store.collection("server-group");
}
