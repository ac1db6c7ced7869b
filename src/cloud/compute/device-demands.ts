import { owns, type Scope } from "../identity/scope.ts";
import { isVisible } from "../image/images.ts";
import { isVisibleType } from "../volume/type-records.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import type { Flavor } from "./flavor-records.ts";
import { invalidMapping, type RequestedDevice } from "./requested-devices.ts";

/** Buses that Nova has a name for. */
const buses = new Set(["fdc", "ide", "sata", "scsi", "usb", "virtio", "xen", "lxc", "uml"]);

/** Nova's `max_local_block_devices`. */
const mostLocal = 3;

/** What Nova asks of a server's devices together and one by one, in its order. @throws ApiError 400 */
export function demandDevices(context: ComputeContext, scope: Scope, flavor: Flavor, devices: RequestedDevice[]): void {
  for (const { source, id = "" } of devices) {
    const volume = source === "volume" ? context.volumes.get(id) : undefined;
    if (source === "volume" && (volume === undefined || !owns(scope, volume.projectId))) {
      throw nova.badRequest(`Volume ${id} could not be found.`);
    }
  }
  const indexes = devices.flatMap(({ bootIndex }) => bootIndex ?? []).toSorted((one, other) => one - other);
  if (indexes.length === 0 || indexes.some((index, at) => index !== at)) {
    throw invalidMapping("Boot sequence for the instance and image/block device mapping combination is not valid.");
  }
  for (const device of devices) demandDevice(context, scope, device);
  demandLocal(flavor, devices);
}

function demandDevice({ images, cinder }: ComputeContext, scope: Scope, device: RequestedDevice): void {
  const { source, id = "", destination, size, volumeType, bus } = device;
  if (volumeType !== undefined) {
    const isIt = (type: { id: string; name: string }) => type.id === volumeType || type.name === volumeType;
    if (cinder.types.find((type) => isIt(type) && isVisibleType(type, scope)) === undefined) {
      throw nova.badRequest(`Volume type ${volumeType} could not be found.`);
    }
  }
  if (source === "image") {
    const image = images.get(id);
    if (image === undefined || !isVisible(scope, image)) throw invalidMapping(`failed to get image ${id}.`);
    if (destination === "volume" && size === undefined) {
      throw nova.badRequest("Images with destination_type 'volume' need to have a non-zero size specified");
    }
  }
  if (source === "snapshot") {
    const snapshot = cinder.snapshots.get(id);
    if (snapshot === undefined || !owns(scope, snapshot.projectId)) {
      throw invalidMapping(`failed to get snapshot ${id}.`);
    }
  }
  if (source === "blank" && destination === "volume" && size === undefined) {
    throw nova.badRequest("Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size");
  }
  if (bus !== undefined && !buses.has(bus)) throw nova.badRequest("Block Device Mapping is Invalid.");
}

/** Empty disks of the host's come out of what the flavor has of them. */
function demandLocal(flavor: Flavor, devices: RequestedDevice[]): void {
  const local = devices.filter(({ destination }) => destination === "local");
  const blank = local.filter(({ source }) => source === "blank");
  const { ephemeral = 0, swap = 0 } = flavor;
  const asked = blank.filter(({ isSwap }) => !isSwap).reduce((sum, { size = ephemeral }) => sum + size, 0);
  if (asked > ephemeral) {
    throw nova.badRequest(
      "Ephemeral disks requested are larger than the instance type allows. If no size is given in one block device mapping, flavor ephemeral size will be used.",
    );
  }
  const swaps = blank.filter(({ isSwap }) => isSwap);
  if (swaps.length > 1) throw invalidMapping("More than one swap drive requested.");
  if ((swaps[0]?.size ?? 0) > swap) throw nova.badRequest("Swap drive requested is larger than instance type allows.");
  // the flavor's own, where the request has none
  const more = Number(ephemeral > 0 && !blank.some(({ isSwap }) => !isSwap)) + Number(swap > 0 && swaps.length === 0);
  if (local.length + more > mostLocal) {
    throw invalidMapping("You specified more local devices than the limit allows");
  }
}
