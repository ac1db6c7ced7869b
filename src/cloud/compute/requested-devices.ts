import { z } from "zod";
import { nova } from "./errors.ts";
import type { CreateBody, DeviceRequest } from "./server-create-body.ts";

/** A block device that a create asks for, read of any of Nova's forms for it. */
export interface RequestedDevice {
  source: "volume" | "image" | "snapshot" | "blank";
  /** Of the source; absent for an empty one. */
  id?: string;
  /** `local`: a disk of the host's, made of the flavor. */
  destination: "volume" | "local";
  /** GiB. */
  size?: number;
  volumeType?: string;
  bus?: string;
  isSwap: boolean;
  /** Its place in the order of booting; absent for one that is not booted from. */
  bootIndex?: number;
  /** `vdb` */
  name?: string;
  tag: string | null;
  deleteOnTermination: boolean;
}

export const invalidMapping = (details: string) => nova.badRequest(`Block Device Mapping is Invalid: ${details}`);

/** The root disk's name where an image says no other. */
const rootName = "vda";

type Raw = Partial<DeviceRequest>;

/** The devices of a create as its body names them. @throws ApiError 400 for what makes no sense */
export function requestedDevices(server: CreateBody["server"]): RequestedDevice[] {
  const { block_device_mapping: legacy = [], block_device_mapping_v2: current = [], imageRef } = server;
  if (legacy.length > 0 && current.length > 0) {
    throw nova.badRequest("Using different block_device_mapping syntaxes is not allowed in the same request.");
  }
  if (legacy.length > 0) return withImageDisk(legacy.flatMap(fromLegacy), imageRef);
  const devices = current.flatMap((device) => fromApi(device, imageRef !== undefined));
  return imageRef && current.length === 0 ? [imageDisk(imageRef)] : devices;
}

/**
 * The devices with those that the image brings, which go first; a device of the same name is the request's.
 * @param properties of the image: `block_device_mapping`, as images of servers with volumes have it
 */
export function withImageDevices(asked: RequestedDevice[], properties: Record<string, string>): RequestedDevice[] {
  const own = imageDevices(properties);
  const brings = own.some(({ bootIndex }) => bootIndex === 0);
  // clients name the image as the root disk, too
  const kept = brings ? asked.filter(({ bootIndex, source }) => bootIndex !== 0 || source !== "image") : asked;
  const names = new Set(kept.flatMap(({ name }) => name ?? []));
  return [...kept, ...own.filter(({ name }) => name === undefined || !names.has(name))];
}

const imageMapping = z.array(
  z.looseObject({
    source_type: z.enum(["volume", "image", "snapshot", "blank"]),
    destination_type: z.enum(["volume", "local"]).nullish(),
    ...{ volume_id: z.string().nullish(), snapshot_id: z.string().nullish(), image_id: z.string().nullish() },
    ...{ volume_size: z.number().nullish(), boot_index: z.number().nullish(), device_name: z.string().nullish() },
    ...{ delete_on_termination: z.boolean().nullish(), tag: z.string().nullish(), guest_format: z.string().nullish() },
  }),
);

/** @throws ApiError 400 for a mapping that nobody can read: images are their owners' to write */
function imageDevices({ block_device_mapping: text }: Record<string, string>): RequestedDevice[] {
  if (text === undefined) return [];
  const parsed = imageMapping.safeParse(jsonOf(text));
  if (!parsed.success) throw invalidMapping("Unrecognized legacy format.");
  return parsed.data.map((device) => {
    const source = device.source_type;
    const id = source === "blank" ? undefined : device[`${source}_id`];
    return read({
      ...{ source_type: source, uuid: id ?? undefined, destination_type: device.destination_type ?? undefined },
      ...{ volume_size: device.volume_size ?? undefined, boot_index: device.boot_index ?? undefined },
      ...{ device_name: device.device_name ?? undefined, tag: device.tag ?? undefined },
      ...{
        delete_on_termination: device.delete_on_termination ?? false,
        guest_format: device.guest_format ?? undefined,
      },
    });
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // it is told what is wrong with it by the schema
  }
}

/** Nova's numbers of devices: null and negative ones are not booted from. */
const bootIndexOf = ({ boot_index: index }: Raw) =>
  index === null || index === undefined || Number(index) < 0 ? undefined : Number(index);

function read(device: Raw): RequestedDevice {
  const { source_type: source = "volume", uuid, volume_size, volume_type, disk_bus, device_name } = device;
  const bootIndex = bootIndexOf(device);
  return {
    source,
    ...(uuid === undefined ? {} : { id: uuid }),
    destination: device.destination_type ?? (source === "image" || source === "blank" ? "local" : "volume"),
    ...(volume_size === undefined || Number(volume_size) === 0 ? {} : { size: Number(volume_size) }),
    ...(volume_type ? { volumeType: volume_type } : {}),
    ...(disk_bus === undefined ? {} : { bus: disk_bus }),
    isSwap: device.guest_format === "swap",
    ...(bootIndex === undefined ? {} : { bootIndex }),
    ...(device_name === undefined ? {} : { name: device_name.replace(/^\/dev\//, "") }),
    tag: device.tag ?? null,
    deleteOnTermination: device.delete_on_termination ?? false,
  };
}

/** `BlockDeviceDict.from_api` @throws ApiError 400 */
function fromApi(device: DeviceRequest, withImage: boolean): RequestedDevice[] {
  if (device.no_device) return [];
  const { source_type: source, destination_type: destination, uuid } = device;
  if (source === undefined) throw invalidMapping("Some required fields are missing");
  if (source === "blank" && uuid !== undefined) throw invalidMapping("Invalid device UUID.");
  if (source !== "blank" && uuid === undefined) throw invalidMapping("Missing device UUID.");
  if (source === "image" && destination === "local" && !(withImage && bootIndexOf(device) === 0)) {
    throw invalidMapping("Mapping image to local is not supported.");
  }
  if (device.volume_type && destination === "local") {
    throw invalidMapping("Specifying a volume_type with destination_type=local is not supported.");
  }
  if (device.volume_type && source === "volume") {
    throw invalidMapping("Specifying volume type to existing volume is not supported.");
  }
  if (device.device_name?.includes(" ")) throw invalidMapping("Device name contains spaces.");
  return [read(device)];
}

/** The old form: a volume or a snapshot, and a device name that is the root disk's or another one's. @throws ApiError 400 */
function fromLegacy(device: Raw): RequestedDevice[] {
  const { volume_id: volume, snapshot_id: snapshot, virtual_name: virtual = "", device_name: name } = device;
  const common = { device_name: name, volume_size: device.volume_size, boot_index: -1 };
  if (virtual === "swap" || /^ephemeral\d+$/.test(virtual)) {
    const guest_format = virtual === "swap" ? "swap" : undefined;
    return [read({ ...common, source_type: "blank", destination_type: "local", guest_format })];
  }
  if (snapshot === undefined && volume === undefined) {
    if (device.no_device) return [];
    throw invalidMapping("Unrecognized legacy format.");
  }
  return [
    read({
      ...common,
      ...{ source_type: snapshot === undefined ? "volume" : "snapshot", destination_type: "volume" },
      ...{ uuid: snapshot ?? volume, delete_on_termination: device.delete_on_termination },
      boot_index: name?.replace(/^\/dev\//, "") === rootName ? 0 : -1,
    }),
  ];
}

const imageDisk = (id: string): RequestedDevice => ({
  ...{ source: "image", id, destination: "local", isSwap: false, bootIndex: 0, tag: null, deleteOnTermination: true },
});

/** The old form leaves the image's disk out. */
function withImageDisk(devices: RequestedDevice[], imageRef: string | undefined): RequestedDevice[] {
  const hasRoot = devices.some(({ bootIndex }) => bootIndex === 0);
  return imageRef && !hasRoot ? [imageDisk(imageRef), ...devices] : devices;
}

/** @throws ApiError 400 for a volume that is named as the image's disk */
export function demandOtherNames(devices: RequestedDevice[], imageRef: string | undefined): void {
  if (!imageRef) return;
  const root = devices.find(({ bootIndex }) => bootIndex === 0);
  if (root?.destination === "volume") return;
  if (!devices.some(({ destination, name }) => destination === "volume" && name === rootName)) return;
  throw nova.badRequest(`The volume cannot be assigned the same device name as the root device ${rootName}`);
}
