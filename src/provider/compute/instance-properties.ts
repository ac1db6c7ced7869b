import { createHash } from "node:crypto";
import type { PropertyValue } from "../../engine/resource-provider.ts";
import { anObject, aString, flag, integer, list, map, object, type Properties, set, text } from "../schema/property.ts";

const network = anObject({
  uuid: text({ computed: true, replaces: true }),
  name: text({ computed: true, replaces: true }),
  port: text({ computed: true, replaces: true }),
  fixedIpV4: text({ computed: true, replaces: true }),
  fixedIpV6: text({ computed: true, replaces: true }),
  floatingIp: text({ computed: true, deprecated: true }),
  mac: text({ output: true, computed: true }),
  accessNetwork: flag({ default: false }),
});

const blockDevice = anObject({
  sourceType: text({ field: "source_type", required: true, replaces: true }),
  uuid: text({ field: "uuid", replaces: true }),
  volumeSize: integer({ field: "volume_size", replaces: true }),
  destinationType: text({ field: "destination_type", replaces: true }),
  bootIndex: integer({ field: "boot_index", replaces: true }),
  deleteOnTermination: flag({ field: "delete_on_termination", replaces: true, default: false }),
  guestFormat: text({ field: "guest_format", replaces: true }),
  volumeType: text({ field: "volume_type", replaces: true }),
  deviceType: text({ field: "device_type", replaces: true }),
  diskBus: text({ field: "disk_bus", replaces: true }),
  multiattach: flag({ replaces: true, default: false }),
});

const schedulerHint = anObject({
  group: text({ field: "group", replaces: true }),
  differentHosts: list(aString, { field: "different_host", replaces: true }),
  sameHosts: list(aString, { field: "same_host", replaces: true }),
  queries: list(aString, { field: "query", replaces: true }),
  targetCell: text({ field: "target_cell", replaces: true }),
  differentCells: list(aString, { field: "different_cell", replaces: true }),
  buildNearHostIp: text({ field: "build_near_host_ip", replaces: true }),
  additionalProperties: map({ replaces: true }),
});

const personality = anObject({ file: text({ required: true }), content: text({ required: true }) });

const attachedVolume = anObject({
  volumeId: text({ required: true }),
  id: text({ computed: true }),
  device: text({ computed: true }),
});

/** `openstack_compute_instance_v2`. `volumes` and `floatingIp` are taken and do nothing, as with the official provider. */
export const instanceProperties: Properties = {
  region: text({ computed: true, replaces: true }),
  name: text(),
  imageId: text({ computed: true }),
  imageName: text({ computed: true }),
  flavorId: text({ computed: true }),
  flavorName: text({ computed: true }),
  keyPair: text({ replaces: true }),
  userData: text({ kept: true, replaces: true, toState: sha1Of }),
  metadata: map({ kept: true }),
  allMetadata: map({ output: true, computed: true, repeats: "metadata" }),
  networks: list(network, { computed: true, replaces: true }),
  networkMode: text({ kept: true, replaces: true, allowed: ["auto", "none"], conflictsWith: ["networks"] }),
  securityGroups: set(aString, { computed: true }),
  availabilityZone: text({
    computed: true,
    replaces: true,
    conflictsWith: ["availabilityZoneHints"],
    same: isZoneOf,
  }),
  availabilityZoneHints: text({ kept: true, replaces: true, conflictsWith: ["availabilityZone"] }),
  configDrive: flag({ kept: true, replaces: true }),
  blockDevices: list(blockDevice, { kept: true }),
  schedulerHints: set(schedulerHint, { kept: true }),
  personalities: set(personality, { kept: true }),
  volumes: set(attachedVolume, { kept: true, deprecated: true }),
  floatingIp: text({ kept: true, deprecated: true }),
  adminPass: text({ kept: true, secret: true }),
  powerState: text({
    default: "active",
    allowed: ["active", "shutoff", "shelved_offloaded"],
    same: (state) => state === "migrating", // it comes back as it was
  }),
  tags: set(aString),
  allTags: set(aString, { output: true, computed: true, repeats: "tags" }),
  accessIpV4: text({ computed: true }),
  accessIpV6: text({ computed: true }),
  created: text({ output: true, computed: true }),
  updated: text({ output: true, computed: true }),
  forceDelete: flag({ kept: true, default: false }),
  stopBeforeDestroy: flag({ kept: true, default: false }),
  vendorOptions: object(
    {
      ignoreResizeConfirmation: flag({ default: false }),
      detachPortsBeforeDestroy: flag({ default: false }),
    },
    { kept: true },
  ),
};

/** An administrator may name a host behind the zone, `zone:host`; Nova tells the zone alone. */
function isZoneOf(state: PropertyValue, input: PropertyValue): boolean {
  return typeof input === "string" && state === input.split(":", 1)[0];
}

/** User-data is in the state as its SHA-1, as the official provider writes it. */
function sha1Of(value: PropertyValue): PropertyValue {
  return createHash("sha1").update(String(value)).digest("hex");
}

export const blockDeviceFields = fieldsOf(blockDevice);
export const schedulerHintFields = fieldsOf(schedulerHint);

function fieldsOf(shape: ReturnType<typeof anObject>): Properties {
  return shape.is === "object" ? shape.fields : {};
}
