import { randomUUID } from "node:crypto";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { booleanLike, parseBody } from "../http/body.ts";
import { metadataSchema } from "../http/metadata-routes.ts";
import { isoSeconds } from "../http/time.ts";
import type { Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import { isVisible } from "../image/images.ts";
import type { Image } from "../image/records.ts";
import type { NetworkTables } from "../network/records.ts";
import type { Collection } from "../store/store.ts";
import { imageToBoot } from "./block-devices.ts";
import { nova } from "./errors.ts";
import type { Flavor } from "./flavor-records.ts";
import { visibleFlavors } from "./flavors.ts";
import { findKeypair, type Keypair } from "./keypairs.ts";
import type { ProjectQuota } from "./quota-records.ts";
import { demandQuota, quotas } from "./quotas.ts";
import type { Server, ServerGroup } from "./records.ts";
import { groupOfHints } from "./server-groups.ts";
import { plugNics } from "./server-nics.ts";

/** Where a new server's parts are looked up. */
export interface CreateContext {
  servers: Collection<Server>;
  keypairs: Collection<Keypair>;
  flavors: Collection<Flavor>;
  quotas: Collection<ProjectQuota>;
  serverGroups: Collection<ServerGroup>;
  images: Collection<Image>;
  tables: NetworkTables;
}

/** Bytes of base64 text that Nova takes. */
const userDataLimit = 65_535;

const nic = z.strictObject({
  uuid: z.string().optional(),
  port: z.string().nullable().optional(),
  fixed_ip: z.string().optional(),
  tag: z.string().optional(),
});
/** Files that the guest is to have, until 2.56. */
export const personalitySchema = z
  .array(z.strictObject({ path: z.string().min(1).max(255), contents: z.base64() }))
  .max(quotas.injected_files);
const createBody = z.object({
  server: z.strictObject({
    name: z.string().trim().min(1).max(255),
    flavorRef: z.union([z.string(), z.number().transform(String)]),
    imageRef: z.string().optional(),
    key_name: z.string().optional(),
    user_data: z.string().nullable().optional(),
    config_drive: booleanLike.optional(),
    personality: personalitySchema.optional(),
    metadata: metadataSchema.optional(),
    networks: z.union([z.array(nic), z.enum(["auto", "none"])]).optional(),
    security_groups: z.array(z.strictObject({ name: z.string() })).optional(),
    availability_zone: z.string().optional(),
    block_device_mapping_v2: z.array(z.record(z.string(), z.unknown())).optional(),
    "OS-DCF:diskConfig": z.enum(["AUTO", "MANUAL"]).optional(),
    adminPass: z.string().optional(),
    min_count: z.literal([1, "1"]).optional(),
    max_count: z.literal([1, "1"]).optional(),
    tags: z.array(z.string().min(1).max(60)).max(50).optional(),
    description: z.string().max(255).nullable().optional(),
    hostname: z.string().max(63).optional(),
    return_reservation_id: z.literal(false).optional(),
  }),
  "os:scheduler_hints": z.record(z.string(), z.unknown()).optional(),
  "OS-SCH-HNT:scheduler_hints": z.record(z.string(), z.unknown()).optional(),
});

/** Checks a `POST /servers` as far as Nova's API does, and makes the server's record with its ports plugged. Synchronous. */
export function createServer(context: CreateContext, scope: Scope, input: unknown, microversion: number): Server {
  const { server: body, ...hints } = parseBody(createBody, withoutUserData(input));
  const userData = checkUserData((input as { server?: { user_data?: unknown } }).server?.user_data);
  since(microversion, 52, "tags", body.tags);
  since(microversion, 19, "description", body.description);
  since(microversion, 90, "hostname", body.hostname);
  demandPersonality(microversion, body.personality);
  since(microversion, 37, "networks", typeof body.networks === "string" ? body.networks : undefined);
  if (microversion >= 37 && body.networks === undefined) {
    throw nova.badRequest("Invalid input for field/attribute server. 'networks' is a required property");
  }
  const projectId = projectOf(scope).id;
  const flavor = flavorOf(context.flavors, scope, body.flavorRef);
  const imageOfDevices = imageToBoot(body.block_device_mapping_v2);
  const image = imageOf(context.images, scope, body.imageRef || imageOfDevices, flavor);
  const keypair = body.key_name === undefined ? undefined : findKeypair(context.keypairs, scope.userId, body.key_name);
  if (body.key_name !== undefined && keypair === undefined) throw nova.badRequest("Invalid key_name provided.");
  if (body.availability_zone !== undefined && body.availability_zone !== "nova") {
    throw nova.badRequest("The requested availability zone is not available");
  }
  const groupId = groupOfHints(context, scope, hints["os:scheduler_hints"] ?? hints["OS-SCH-HNT:scheduler_hints"]);
  demandQuota(context, projectId, flavor);

  const id = randomUUID();
  const now = isoSeconds();
  const nics = plugNics(
    context.tables,
    scope,
    id,
    body.networks,
    body.security_groups?.map((group) => group.name),
  );
  return context.servers.put({
    id,
    projectId,
    userId: scope.userId,
    name: body.name,
    hostname: body.hostname ?? hostnameOf(body.name, id),
    description: body.description ?? (microversion >= 19 ? null : body.name),
    imageId: image.id,
    flavor,
    keyName: keypair?.name ?? null,
    publicKey: keypair?.publicKey ?? null,
    userData,
    configDrive: body.config_drive ?? false,
    ...(body.personality === undefined ? {} : { personality: body.personality }),
    metadata: body.metadata ?? {},
    tags: [...new Set(body.tags ?? [])],
    availabilityZone: "nova",
    groupId,
    nics,
    vmState: "building",
    taskState: "scheduling",
    fault: null,
    createdAt: now,
    updatedAt: now,
    launchedAt: null,
  });
}

/** User-data is checked by itself: a refusal must not repeat 64 kB of it. */
function withoutUserData(input: unknown): unknown {
  const server = (input as { server?: Record<string, unknown> } | undefined)?.server;
  if (typeof server !== "object" || server === null) return input ?? {};
  const { user_data: _checkedApart, ...rest } = server;
  return { ...(input as object), server: rest };
}

function checkUserData(value: unknown): string | null {
  if (value === undefined || value === null || value === "") return null;
  if (typeof value !== "string" || !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(value)) {
    throw nova.badRequest("Invalid input for field/attribute user_data. User data is not a 'base64'.");
  }
  if (value.length > userDataLimit) {
    throw nova.badRequest(
      `Invalid input for field/attribute user_data. User data too large. User data must be no larger than ${userDataLimit} bytes once base64 encoded. Your data is ${value.length} bytes`,
    );
  }
  return value;
}

/** @throws ApiError 400 from 2.57 on, 403 for more than a file may hold */
export function demandPersonality(microversion: number, files: z.infer<typeof personalitySchema> | undefined): void {
  if (files === undefined) return;
  if (microversion >= 57) throw unexpected("personality");
  if (files.some(({ contents }) => Buffer.byteLength(contents, "base64") > quotas.injected_file_content_bytes)) {
    throw new ApiError(403, "Personality content limit exceeded");
  }
}

function since(microversion: number, first: number, field: string, value: unknown): void {
  if (value !== undefined && microversion < first) throw unexpected(field);
}

function unexpected(field: string): ApiError {
  return nova.badRequest(
    `Invalid input for field/attribute server. Additional properties are not allowed ('${field}' was unexpected)`,
  );
}

/** The flavor that a reference, an id or an address, names. @throws ApiError 400 */
export function flavorOf(made: Collection<Flavor>, scope: Scope, reference: string): Flavor {
  const id = reference.split("/").at(-1) ?? reference;
  const found = visibleFlavors(made, scope).find((flavor) => flavor.id === id);
  if (found === undefined) throw nova.badRequest(`Flavor ${id} could not be found.`);
  return found;
}

export function imageOf(images: Collection<Image>, scope: Scope, reference: string | undefined, flavor: Flavor): Image {
  if (reference === undefined) throw nova.badRequest("Invalid imageRef provided.");
  const id = reference.split("/").at(-1) ?? reference;
  const image = images.get(id);
  if (image === undefined || !isVisible(scope, image)) {
    throw nova.badRequest(`Image ${id} could not be found.`);
  }
  if (image.status !== "active") throw nova.badRequest(`Image ${id} is not active.`);
  if (flavor.ram < image.minRam) throw nova.badRequest("Flavor's memory is too small for requested image.");
  if (flavor.disk > 0 && flavor.disk < image.minDisk) {
    const gib = 1024 ** 3;
    throw new ApiError(
      400,
      `Flavor's disk is too small for requested image. Flavor disk is ${flavor.disk * gib} bytes, minimum is ${image.minDisk * gib} bytes.`,
    );
  }
  return image;
}

/** Nova's `sanitize_hostname`: what a DNS label may hold, else `Server-<id>`. */
export function hostnameOf(name: string, id: string): string {
  const label = name
    .toLowerCase()
    .replaceAll(/[ _]/g, "-")
    .replaceAll(/[^\w.-]+/g, "")
    .replaceAll(/^[.-]+|[.-]+$/g, "")
    .slice(0, 63);
  return label === "" ? `server-${id}` : label;
}
