import type { Server, TaskState, VmState } from "./records.ts";

type States = Pick<Server, "vmState" | "taskState">;

/** The status of a server with which nothing is done. */
const settled: Record<VmState, string> = {
  building: "BUILD",
  active: "ACTIVE",
  paused: "PAUSED",
  suspended: "SUSPENDED",
  stopped: "SHUTOFF",
  rescued: "RESCUE",
  resized: "VERIFY_RESIZE",
  shelved_offloaded: "SHELVED_OFFLOADED",
  error: "ERROR",
  deleted: "DELETED",
};

type Busy = Partial<Record<Exclude<TaskState, null>, string>>;

/** What shows while something is done with one (Nova's `_STATE_MAP`). */
const busy: Partial<Record<VmState, Busy>> = {
  active: { rebooting: "REBOOT", rebooting_hard: "HARD_REBOOT", rebuilding: "REBUILD", resize_prep: "RESIZE" },
  stopped: { rebuilding: "REBUILD", resize_prep: "RESIZE" },
  resized: { resize_reverting: "REVERT_RESIZE" },
  error: { rebuilding: "REBUILD" },
};

/** The status that clients see, from the two states below it. */
export function statusOf({ vmState, taskState }: States): string {
  return (taskState === null ? undefined : busy[vmState]?.[taskState]) ?? settled[vmState];
}

/** Statuses that Nova has and a server of this cloud never comes to. */
const neverHere = new Set(["SOFT_DELETED", "SHELVED", "MIGRATING", "PASSWORD"]);

/** Whether there is such a status at all. */
export function isStatus(text: string): boolean {
  const wanted = text.toUpperCase();
  const shown = Object.values(busy).flatMap((tasks) => Object.values(tasks));
  return Object.values(settled).includes(wanted) || shown.includes(wanted) || neverHere.has(wanted);
}

/** Nova's `power_state`: 0 none, 1 running, 3 paused, 4 shut down. */
export function powerState({ vmState, launchedAt }: Pick<Server, "vmState" | "launchedAt">): number {
  switch (vmState) {
    case "building":
    case "deleted":
      return 0;
    case "active":
    case "resized":
    case "rescued":
      return 1;
    case "paused":
      return 3;
    case "suspended":
    case "stopped":
    case "shelved_offloaded":
      return 4;
    case "error":
      return launchedAt === null ? 0 : 1;
  }
}

/** Whether the server has a place on a host: one that was never placed, and one that was taken off, has none. */
export function isPlaced({ vmState, launchedAt }: Pick<Server, "vmState" | "launchedAt">): boolean {
  if (vmState === "shelved_offloaded") return false;
  return !((vmState === "building" || vmState === "error") && launchedAt === null);
}
