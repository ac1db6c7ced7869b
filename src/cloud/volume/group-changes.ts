import { pythonRepr } from "../http/python-repr.ts";
import type { VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import type { VolumeGroup } from "./group-records.ts";
import { changed, type Volume } from "./records.ts";
import { defaultTypeId } from "./type-records.ts";

/** What volumes of a group may be when they come or go. */
const steady = ["available", "in-use"];
const leaving = ["available", "in-use", "error", "error_deleting"];

interface Change {
  name?: string | null | undefined;
  description?: string | null | undefined;
  /** Ids with commas between. */
  add_volumes?: string | null | undefined;
  remove_volumes?: string | null | undefined;
}

const idsOf = (list: string | null | undefined): string[] => (list ?? "").split(",").filter((id) => id !== "");

/** Inside a transaction. @throws ApiError 400 in Cinder's words */
export function updateGroup(context: VolumeContext, group: VolumeGroup, asked: Change): void {
  const { volumes, groups } = context;
  const [added, removed] = [idsOf(asked.add_volumes), idsOf(asked.remove_volumes)];
  const both = added.filter((id) => removed.includes(id));
  if (both.length > 0) throw cinder.invalidVolume(`UUIDs ${pythonRepr(both)} are in both add and remove volume list.`);
  const joining = added
    .filter((id) => volumes.get(id)?.groupId !== group.id)
    .map((id) => joiningOf(context, group, id));
  const going = removed.map((id) => goingOf(context, group, id));
  const name = asked.name?.trim() ?? group.name;
  const description = asked.description?.trim() ?? group.description;
  const isSame = name === group.name && description === group.description;
  if (isSame && joining.length === 0 && going.length === 0) {
    throw cinder.invalidGroup(
      `Cannot update group ${group.id} because no valid name, description, add_volumes, or remove_volumes were provided.`,
    );
  }
  if (joining.length + going.length > 0 && group.status !== "available") {
    throw cinder.invalidGroup("Group status must be available.");
  }
  for (const volume of joining) volumes.put(changed(volume, { groupId: group.id }));
  for (const { groupId: _left, ...volume } of going) volumes.put(changed(volume, {}));
  groups.put(changed(group, { name, description, status: "available" }));
}

function joiningOf({ volumes }: VolumeContext, group: VolumeGroup, id: string): Volume {
  const volume = volumes.get(id);
  const refused = (why: string) => cinder.invalidVolume(`Cannot add volume ${id} to group ${group.id} ${why}`);
  if (volume === undefined) throw refused("because volume cannot be found.");
  if (volume.groupId !== undefined) throw refused(`because it is already in group ${volume.groupId}.`);
  if (volume.projectId !== group.projectId) throw refused("as they belong to different projects.");
  const { typeId = defaultTypeId, status } = volume;
  if (!group.volumeTypeIds.includes(typeId)) {
    throw refused(`because volume type ${typeId} is not supported by the group.`);
  }
  if (!steady.includes(status)) {
    const valid = `(${steady.map(pythonRepr).join(", ")})`;
    throw refused(`because volume is in an invalid state: ${status}. Valid states are: ${valid}.`);
  }
  return volume;
}

function goingOf({ volumes }: VolumeContext, group: VolumeGroup, id: string): Volume {
  const volume = volumes.get(id);
  const refused = (why: string) =>
    cinder.invalidVolume(`Cannot remove volume ${id} from group ${group.id} because ${why}`);
  if (volume?.groupId !== group.id) throw refused("it is not in the group.");
  if (!leaving.includes(volume.status)) {
    const valid = `(${leaving.map(pythonRepr).join(", ")})`;
    throw refused(`volume is in an invalid state: ${volume.status}. Valid states are: ${valid}.`);
  }
  return volume;
}

/** Begins a group's end, and that of its volumes where they go with it. Inside a transaction. @throws ApiError 400 in Cinder's words */
export function deleteGroup(context: VolumeContext, group: VolumeGroup, withVolumes: boolean): void {
  const { volumes, snapshots, groups, groupSnapshots } = context;
  if (!withVolumes && group.status !== "available" && group.status !== "error") {
    throw cinder.invalidGroup(`Group status must be available or error, but current status is: ${group.status}`);
  }
  if (groupSnapshots.find(({ groupId }) => groupId === group.id) !== undefined) {
    throw cinder.invalidGroup("Group has existing snapshots.");
  }
  const members = volumes.list(({ groupId }) => groupId === group.id);
  if (members.length > 0 && !withVolumes) {
    throw cinder.invalidGroup(
      `Group ${group.id} still contains volumes. The delete-volumes flag is required to delete it.`,
    );
  }
  for (const { id, attachment } of members) {
    if (attachment !== null) {
      throw cinder.invalidGroup(`Volume in group ${group.id} is attached. Need to detach first.`);
    }
    if (snapshots.find(({ volumeId }) => volumeId === id) !== undefined) {
      throw cinder.invalidGroup("Volume in group still has dependent snapshots.");
    }
  }
  for (const volume of members) volumes.put(changed(volume, { status: "deleting" }));
  groups.put(changed(group, { status: "deleting" }));
}
