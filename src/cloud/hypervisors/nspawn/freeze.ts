import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "../../../common/errors.ts";
import { pathExists, readTextIfExists } from "../../../common/files.ts";
import { whileHeld } from "../../../common/holding.ts";
import { cgroupMode, instanceGroup } from "./cgroups.ts";

const freezeFile = "cgroup.freeze";

/**
 * cgroup v2's freezer stops tasks where they hold nothing of the kernel, so what they have written can be brought to the disk: to these devices,
 * with the file systems on them, or to all. Whom somebody else holds stays held. A shell that a signal ends minds no EXIT, but where it is told.
 */
const holder = `group=$1; shift
before=$(cat "$group/${freezeFile}")
trap '[ ! -e "$group/${freezeFile}" ] || echo "$before" > "$group/${freezeFile}"' EXIT
trap 'exit 143' TERM INT HUP PIPE
echo 1 > "$group/${freezeFile}"
tries=0
until grep -q '^frozen 1' "$group/cgroup.events"; do
  tries=$((tries + 1)); [ "$tries" -lt 500 ] || { echo 'they do not freeze' >&2; exit 1; }
  sleep 0.02
done
if [ $# -gt 0 ]; then blockdev --flushbufs "$@"; else sync; fi
echo held
cat > /dev/null
`;

/**
 * Runs `work` while all guests of an instance stand still, with everything that they have written on disk. They go on when it has ended,
 * also where this process was killed.
 */
export async function whileFrozen<T>(instance: string, work: () => Promise<T>): Promise<T> {
  const group = await groupOf(instance);
  return group === undefined ? work() : whileGroupFrozen(group, [], work);
}

/**
 * Runs `work` while all processes of a group stand still, with everything that they have written to block devices in the files behind those.
 * @param devices `/dev/loop3`; all of the machine's where there are none
 */
export function whileGroupFrozen<T>(group: string, devices: string[], work: () => Promise<T>): Promise<T> {
  return whileHeld(
    ["sh", "-ec", holder, "slipway-freeze", group, ...devices],
    work,
    (reason) => new Error(`the guests could not be brought to a standstill: ${reason}`),
  );
}

/** Lets guests go on that a freeze which was killed with all its helpers has left standing. */
export async function thaw(instance: string): Promise<void> {
  const group = await groupOf(instance);
  if (group !== undefined) await thawGroup(group);
}

/** Whether a group is held by itself, and not as part of another. */
export const isFrozen = async (group: string) => (await readTextIfExists(join(group, freezeFile)))?.trim() === "1";

/** Lets a group's processes go on, unless they are held as part of another; one that is gone is none. */
export async function thawGroup(group: string): Promise<void> {
  await writeFile(join(group, freezeFile), "0").catch((error: unknown) => {
    if (!isErrno(error, "ENOENT") && !isErrno(error, "ENODEV")) throw error; // its last process ended just now
  });
}

/** The instance's group while it has guests. */
async function groupOf(instance: string): Promise<string | undefined> {
  const mode = await cgroupMode();
  const group = mode.kind === "unusable" ? undefined : instanceGroup(mode, instance);
  return group !== undefined && (await pathExists(join(group, freezeFile))) ? group : undefined;
}
