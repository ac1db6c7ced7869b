import { ApiError } from "../http/api-error.ts";
import { nova } from "./errors.ts";
import type { CreateBody, DeviceRequest } from "./server-create-body.ts";
import type { WantedVolume } from "./volume-connection.ts";

/** What a create asks for besides the disk that is made from the image. */
export interface RequestedDevices {
  /** Of the device that the server boots from, where that is an image's. */
  imageId?: string;
  /** Volumes that are there. */
  volumes: WantedVolume[];
}

/** Nova's numbers of devices: null and negative ones are not booted from. */
const bootIndexOf = ({ boot_index: index }: DeviceRequest) =>
  index === null || index === undefined || Number(index) < 0 ? undefined : Number(index);

/**
 * The devices of a create.
 * @throws ApiError 400 for what makes no sense, 501 for servers whose root disk is a volume
 */
export function requestedDevices(server: CreateBody["server"]): RequestedDevices {
  const { block_device_mapping: legacy = [], block_device_mapping_v2: current = [], imageRef } = server;
  if (legacy.length > 0 && current.length > 0) {
    throw nova.badRequest("Using different block_device_mapping syntaxes is not allowed in the same request.");
  }
  const devices = legacy.length > 0 ? legacy.map(fromLegacy) : current.map((device) => checked(device, imageRef));
  const image = devices.find(({ source_type: source }) => source === "image");
  const boot = devices.flatMap((device) => bootIndexOf(device) ?? []);
  // the old form leaves the image's disk out, the present one names it
  const indexes = (imageRef && legacy.length > 0 ? [0, ...boot] : boot).toSorted((one, other) => one - other);
  if (devices.length > 0 && (indexes.length === 0 || indexes.some((index, at) => index !== at))) {
    throw invalid("Boot sequence for the instance and image/block device mapping combination is not valid.");
  }
  return {
    ...(image?.uuid === undefined ? {} : { imageId: image.uuid }),
    volumes: devices.filter((device) => device !== image).map(volumeOf),
  };
}

function volumeOf(device: DeviceRequest): WantedVolume {
  if (device.source_type !== "volume" || device.uuid === undefined || bootIndexOf(device) !== undefined) {
    throw new ApiError(
      501,
      "This cloud boots servers from images only, with volumes beside that are there: make the volume first, or attach it once the server is there.",
    );
  }
  return {
    volumeId: device.uuid,
    tag: device.tag ?? null,
    deleteOnTermination: device.delete_on_termination ?? false,
  };
}

const invalid = (details: string) => nova.badRequest(`Block Device Mapping is Invalid: ${details}`);

/** `BlockDeviceDict.from_api`. */
function checked(device: DeviceRequest, imageRef: string | undefined): DeviceRequest {
  const { source_type: source, destination_type: destination, uuid } = device;
  if (source === undefined) throw invalid("Some required fields are missing");
  if (source !== "blank" && uuid === undefined) throw invalid("Missing device UUID.");
  if (source === "image" && destination !== "volume" && imageRef !== undefined && bootIndexOf(device) !== 0) {
    throw invalid("Mapping image to local is not supported.");
  }
  if (device.volume_type && destination === "local") {
    throw invalid("Specifying a volume_type with destination_type=local is not supported.");
  }
  if (device.volume_type && source === "volume") {
    throw invalid("Specifying volume type to existing volume is not supported.");
  }
  if (source === "image" && destination === "volume") return { ...device, source_type: "snapshot" }; // a volume is made of it
  return device;
}

/** The old form: a volume, and a device name that is the root disk's or another one's. */
function fromLegacy(device: DeviceRequest): DeviceRequest {
  const { volume_id: volume, snapshot_id: snapshot } = device;
  if (volume === undefined && snapshot === undefined) throw invalid("Unrecognized legacy format.");
  const isRoot = /^(\/dev\/)?[a-z]*da$/.test(device.device_name ?? "");
  return {
    ...{ source_type: volume === undefined ? "snapshot" : "volume", destination_type: "volume" },
    ...{ uuid: volume ?? snapshot, boot_index: isRoot ? 0 : -1 },
    ...(device.delete_on_termination === undefined ? {} : { delete_on_termination: device.delete_on_termination }),
  };
}
