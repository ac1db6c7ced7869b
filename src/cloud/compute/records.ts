import type { Collection, Store } from "../store/store.ts";
import type { Flavor } from "./flavor-records.ts";

/** Nova's `OS-EXT-STS:vm_state`. */
export type VmState = "building" | "active" | "stopped" | "resized" | "shelved_offloaded" | "error";
/** Nova's `OS-EXT-STS:task_state`: what is being done, null when nothing is. */
export type TaskState =
  | "scheduling"
  | "spawning"
  | "powering-off"
  | "powering-on"
  | "rebooting"
  | "rebooting_hard"
  | "resize_prep"
  | "resize_reverting"
  | "rebuilding"
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
  imageId: string;
  flavor: Flavor;
  keyName: string | null;
  /** Copied at create: deleting the keypair changes no server. */
  publicKey: string | null;
  /** Base64, as it was sent; null for none. */
  userData: string | null;
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
  nics: { portId: string; made: boolean }[];
  vmState: VmState;
  taskState: TaskState;
  fault: { code: number; created: string; message: string } | null;
  createdAt: string;
  updatedAt: string;
  launchedAt: string | null;
}

export function serverTable(store: Store): Collection<Server> {
  return store.collection("server");
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

/** The status that clients see, from the two states below it. */
export function statusOf({ vmState, taskState }: Pick<Server, "vmState" | "taskState">): string {
  if (taskState === "rebuilding") return "REBUILD";
  if (taskState === "resize_prep") return "RESIZE";
  if (taskState === "resize_reverting") return "REVERT_RESIZE";
  switch (vmState) {
    case "building":
      return "BUILD";
    case "stopped":
      return "SHUTOFF";
    case "resized":
      return "VERIFY_RESIZE";
    case "shelved_offloaded":
      return "SHELVED_OFFLOADED";
    case "error":
      return "ERROR";
    case "active":
      if (taskState === "rebooting") return "REBOOT";
      return taskState === "rebooting_hard" ? "HARD_REBOOT" : "ACTIVE";
  }
}
