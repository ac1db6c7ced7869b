import { z } from "zod";
import {
  base64,
  boolean,
  count,
  description,
  diskConfig,
  hostReference,
  ipAddress,
  ipv4Address,
  ipv6Address,
  maxInt,
  metadata,
  name,
  oneOf,
  reference,
  since,
  tagSchema,
  until,
  uuid,
} from "./schema-types.ts";

export const hostname = z
  .string()
  .min(2)
  .max(63)
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]$/);

export const trustedCertificates = z.array(z.string().min(1)).min(1).max(50).nullable();

/** Files that the guest is to have, until 2.56. */
export const personality = z.array(z.strictObject({ path: z.string().optional(), contents: base64.optional() }));

const nic = (microversion: number) =>
  z.strictObject({
    fixed_ip: ipAddress.optional(),
    port: oneOf([uuid, z.null()]).optional(),
    uuid: microversion >= 37 ? uuid.optional() : z.string().optional(),
    tag:
      microversion >= 32 && !(microversion >= 37 && microversion < 42)
        ? tagSchema.optional()
        : z.undefined().optional(),
  });

const networks = (microversion: number) =>
  microversion >= 37
    ? oneOf([z.array(nic(microversion)), z.enum(["none", "auto"])])
    : z.array(nic(microversion)).optional();

const size = count(1, maxInt);
const word = z.string().max(255).optional();
const bootIndex = z.union([z.int(), z.string().regex(/^-?[0-9]+$/), z.null()]);
const legacyDevice = {
  virtual_name: word,
  volume_id: uuid.optional(),
  snapshot_id: uuid.optional(),
  volume_size: size.optional(),
  device_name: z.string().min(1).max(255).optional(),
  delete_on_termination: boolean.optional(),
  no_device: z.unknown().optional(),
  connection_info: z.string().optional(),
};

/** A block device as `block_device_mapping_v2` describes it. */
const deviceSchema = (microversion: number) =>
  z.strictObject({
    ...legacyDevice,
    source_type: z.enum(["volume", "image", "snapshot", "blank"]).optional(),
    uuid: z
      .string()
      .min(1)
      .max(255)
      .regex(/^[a-zA-Z0-9._-]*$/)
      .optional(),
    image_id: uuid.optional(),
    destination_type: z.enum(["local", "volume"]).optional(),
    guest_format: word,
    device_type: word,
    disk_bus: word,
    boot_index: bootIndex.optional(),
    tag: microversion === 32 || microversion >= 42 ? tagSchema.optional() : z.undefined().optional(),
    volume_type: since(microversion, 67, z.string().max(255).nullable()),
  });

export type DeviceRequest = z.infer<ReturnType<typeof deviceSchema>>;

const oneOrMore = z.union([uuid, z.array(uuid)]);
const hints = z.looseObject({
  group: uuid.optional(),
  different_host: oneOrMore.optional(),
  same_host: oneOrMore.optional(),
  query: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
  build_near_host_ip: ipAddress.optional(),
  cidr: z
    .string()
    .regex(/^\/[0-9a-f.:]+$/)
    .optional(),
});

/** `POST /servers` at each microversion (Nova's `schemas/servers.py`). */
export const createBody = (microversion: number) =>
  z.strictObject({
    server: z.strictObject({
      name,
      imageRef: oneOf([uuid, z.string().max(0)]).optional(),
      flavorRef: reference,
      adminPass: z.string().optional(),
      metadata: metadata.optional(),
      networks: networks(microversion),
      "OS-DCF:diskConfig": diskConfig.optional(),
      accessIPv4: ipv4Address.optional(),
      accessIPv6: ipv6Address.optional(),
      personality: until(microversion, 56, personality),
      availability_zone: name.optional(),
      block_device_mapping: z.array(z.strictObject(legacyDevice)).optional(),
      block_device_mapping_v2: z.array(deviceSchema(microversion)).optional(),
      config_drive: boolean.optional(),
      key_name: name.optional(),
      min_count: count(1).optional(),
      max_count: count(1).optional(),
      return_reservation_id: boolean.optional(),
      security_groups: z.array(z.strictObject({ name: name.optional() })).optional(),
      user_data: userData.optional(),
      description: since(microversion, 19, description),
      tags: since(microversion, 52, z.array(tagSchema).max(50)),
      trusted_image_certificates: since(microversion, 63, trustedCertificates),
      host: since(microversion, 74, hostReference),
      hypervisor_hostname: since(microversion, 74, hostReference),
      hostname: since(microversion, 90, hostname),
    }),
    "os:scheduler_hints": hints.optional(),
    "OS-SCH-HNT:scheduler_hints": hints.optional(),
  });

export type CreateBody = z.infer<ReturnType<typeof createBody>>;

/** Bytes of base64 text that Nova takes. */
const userDataLimit = 65_535;

/** A refusal does not repeat 64 kB of it. */
const userData = base64.max(userDataLimit);

/** Files with a place and a content, for cloud-init to write. */
export function files(asked: z.infer<typeof personality>): { path: string; contents: string }[] {
  return asked.flatMap(({ path, contents }) => (path === undefined ? [] : [{ path, contents: contents ?? "" }]));
}
