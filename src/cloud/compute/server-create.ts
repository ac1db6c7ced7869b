import { randomBytes, randomUUID } from "node:crypto";
import { parseSchema } from "../http/json-schema-words.ts";
import { isoSeconds } from "../http/time.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Store } from "../store/store.ts";
import { newPassword } from "./admin-password.ts";
import { hostZone } from "./aggregate-records.ts";
import { nextDevice, type PromisedVolume, rootDevice } from "./block-devices.ts";
import type { ComputeContext } from "./context.ts";
import { demandDevices } from "./device-demands.ts";
import { nova } from "./errors.ts";
import type { Flavor } from "./flavor-records.ts";
import { host } from "./host.ts";
import { actionTable, startAction } from "./instance-actions.ts";
import { findKeypair, type Keypair } from "./keypair-records.ts";
import { demandMetadata, demandPersonality, demandServers } from "./quota-limits.ts";
import type { Server } from "./records.ts";
import { demandOtherNames, type RequestedDevice, requestedDevices, withImageDevices } from "./requested-devices.ts";
import { type CreateBody, createBody, files } from "./server-create-body.ts";
import { groupOfHints } from "./server-groups.ts";
import { demandSingleAddresses, type NicRequest, plugNics } from "./server-nics.ts";
import { bootSourceOf, demandFits, flavorOf, imageOf, sourceOfImage } from "./server-sources.ts";
import { connectVolume } from "./volume-connection.ts";

type ServerBody = CreateBody["server"];

/** What the servers of one request are made of. */
interface Parts {
  body: ServerBody;
  imageId: string;
  volumeBacked: boolean;
  flavor: Flavor;
  keypair: Keypair | undefined;
  zone: string;
  groupId: string | null;
  reservationId: string;
  /** One for all of them. */
  adminPass: string;
  microversion: number;
}

/** What a `POST /servers` made. */
export interface Created {
  servers: Server[];
  body: ServerBody;
  reservationId: string;
}

/** Checks a `POST /servers` as far as Nova's API does, and makes the servers' records with their ports plugged. Synchronous. */
export function createServers(
  context: ComputeContext,
  asker: { scope: Scope; requestId: string },
  input: unknown,
  microversion: number,
): Created {
  const { scope } = asker;
  const { server: body, ...hints } = parseSchema(createBody(microversion), input ?? null);
  const least = body.min_count ?? 1;
  const most = body.max_count ?? least;
  if (least > most) throw nova.badRequest("min_count must be <= max_count");
  const zone = demandPlace(context, scope, body);
  const asked = requestedDevices(body);
  if (!body.imageRef && asked.length === 0) throw nova.badRequest("Missing imageRef attribute");
  const wanted = nicRequests(body, microversion);
  const flavor = flavorOf(context.flavors, scope, body.flavorRef);
  if (most > 1) demandSeveral(body, wanted);
  const projectId = projectOf(scope).id;
  const image = body.imageRef
    ? imageOf(context.images, scope, body.imageRef, "Can not find requested image")
    : undefined;
  const source = image === undefined ? bootSourceOf(context, scope, asked) : sourceOfImage(image);
  demandOtherNames(asked, body.imageRef);
  const devices = withImageDevices(asked, source?.properties ?? {});
  if (most > 1 && devices.some((device) => device.source === "volume")) {
    throw nova.badRequest("Cannot attach one or more volumes to multiple instances");
  }
  const root = devices.find(({ bootIndex }) => bootIndex === 0);
  if (source !== undefined) demandFits(source, flavor, scope, root?.destination === "volume" ? root : undefined);
  demandMetadata(context.quotas, projectId, body.metadata ?? {});
  demandPersonality(context.quotas, projectId, body.personality);
  const keypair = body.key_name === undefined ? undefined : findKeypair(context.keypairs, scope.userId, body.key_name);
  if (body.key_name !== undefined && keypair === undefined) throw nova.badRequest("Invalid key_name provided.");
  const count = demandServers(context, projectId, flavor, least, most);
  demandDevices(context, scope, flavor, devices);
  const groupId = groupOfHints(
    context,
    scope,
    hints["os:scheduler_hints"] ?? hints["OS-SCH-HNT:scheduler_hints"],
    count,
  );
  const reservationId = newReservation();
  const adminPass = body.adminPass ?? newPassword();
  const imageId = image?.id ?? (root?.destination === "local" ? root.id : undefined) ?? "";
  const volumeBacked = root?.destination === "volume";
  const parts = { body, imageId, volumeBacked, flavor, keypair, zone, groupId, reservationId, adminPass, microversion };
  const servers = Array.from({ length: count }, (_, index) => {
    const server = newServer(context, scope, parts, index, count);
    startAction(actionTable(context.store), server.id, asker, "create");
    const nics = plugNics(context.tables, scope, server.id, wanted, groupNames(body));
    const promisedVolumes = plugVolumes(context, scope, server, devices);
    return context.servers.put({ ...server, nics, ...(promisedVolumes.length === 0 ? {} : { promisedVolumes }) });
  });
  return { servers, body, reservationId };
}

/**
 * Gives each volume of a new server its device: those that are there are reserved for it.
 * @returns those that are still to be made
 * @throws ApiError 400
 */
function plugVolumes(
  context: ComputeContext,
  scope: Scope,
  server: Server,
  devices: RequestedDevice[],
): PromisedVolume[] {
  const taken: { device: string }[] = [];
  return devices.flatMap(({ source, id = "", destination, size, volumeType, bootIndex, tag, deleteOnTermination }) => {
    if (destination === "local") return [];
    const device = bootIndex === 0 ? rootDevice : nextDevice(taken);
    taken.push({ device });
    if (source === "volume") {
      const wanted = { volumeId: id, tag, deleteOnTermination, device };
      connectVolume(context, scope, server, wanted, "Invalid volume: ");
      return [];
    }
    return [
      {
        ...{ device, tag, deleteOnTermination, source: source === "blank" ? null : { kind: source, id } },
        ...(size === undefined ? {} : { size }),
        ...(volumeType === undefined ? {} : { volumeType }),
      },
    ];
  });
}

const groupNames = ({ security_groups: groups }: ServerBody) => groups?.flatMap(({ name }) => name ?? []);

function newServer({ store }: ComputeContext, scope: Scope, parts: Parts, index: number, count: number): Server {
  const { body, imageId, volumeBacked, flavor, keypair, zone, groupId, reservationId, adminPass, microversion } = parts;
  const id = randomUUID();
  const now = isoSeconds();
  const name = count > 1 ? `${body.name}-${index + 1}` : body.name;
  return {
    id,
    number: nextNumber(store),
    ...{ reservationId, launchIndex: index },
    projectId: projectOf(scope).id,
    userId: scope.userId,
    name,
    hostname: body.hostname ?? hostnameOf(name, id),
    description: microversion >= 19 ? (body.description ?? null) : body.name,
    imageId,
    ...(volumeBacked ? { volumeBacked } : {}),
    flavor,
    keyName: keypair?.name ?? null,
    publicKey: keypair?.publicKey ?? null,
    userData: body.user_data || null,
    adminPass,
    configDrive: body.config_drive ?? false,
    ...(body.personality === undefined ? {} : { personality: files(body.personality) }),
    metadata: body.metadata ?? {},
    tags: [...new Set(body.tags ?? [])],
    availabilityZone: zone,
    accessIPv4: body.accessIPv4 ?? "",
    accessIPv6: body.accessIPv6 ?? "",
    diskConfig: body["OS-DCF:diskConfig"] ?? "MANUAL",
    groupId,
    nics: [],
    vmState: "building",
    taskState: "scheduling",
    fault: null,
    createdAt: now,
    updatedAt: now,
    launchedAt: null,
  };
}

/** The zone that the servers go to; administrators may name a host with it. @throws ApiError 400, 403 */
function demandPlace({ store }: ComputeContext, scope: Scope, body: ServerBody): string {
  const [zone = "", ...hosts] = body.availability_zone?.split(/::|:/) ?? [];
  if ((body.availability_zone?.match(/:/g)?.length ?? 0) > 2) {
    throw nova.badRequest("Invalid input received: Unable to parse availability_zone");
  }
  if (hosts.length > 0 && !isAdmin(scope)) throw nova.forbidden("os_compute_api:servers:create:forced_host");
  const requested = [body.host, body.hypervisor_hostname].filter((name) => name !== undefined);
  if (requested.length > 0) {
    if (!isAdmin(scope)) throw nova.forbidden("compute:servers:create:requested_destination");
    if (hosts.length > 0) {
      throw nova.badRequest(
        "One mechanism with host and/or hypervisor_hostname and another mechanism with zone:host:node are mutually exclusive.",
      );
    }
    const unknown = requested.find((name) => name !== host.name);
    if (unknown !== undefined) throw nova.badRequest(`Compute host ${unknown} could not be found.`);
  }
  const there = hostZone(store);
  if (hosts.length === 0 && zone !== "" && zone !== there) {
    throw nova.badRequest("The requested availability zone is not available");
  }
  return there;
}

/** `_get_requested_networks` */
function nicRequests({ networks }: ServerBody, microversion: number): NicRequest[] | "auto" | "none" | undefined {
  if (networks === undefined || typeof networks === "string") {
    if (networks === undefined && microversion >= 37) throw new Error("the schema demands networks"); // it was checked before
    return networks as "auto" | "none" | undefined;
  }
  const seen = new Set<string>();
  return (networks as NicRequest[]).map((request) => {
    const { port, uuid, fixed_ip: address } = request;
    if (!port) {
      if (uuid === undefined) throw nova.badRequest("Bad network format: missing 'uuid'");
      if (!/^[0-9a-f-]{32,36}$/i.test(uuid)) {
        throw nova.badRequest(`Bad networks format: network uuid is not in proper format (${uuid})`);
      }
      return request;
    }
    if (seen.has(port)) {
      throw nova.badRequest(`Port ID '${port}' was specified twice: you cannot attach a port multiple times.`);
    }
    if (address !== undefined) {
      throw nova.badRequest(
        `Specified Fixed IP '${address}' cannot be used with port '${port}': the two cannot be specified together.`,
      );
    }
    seen.add(port);
    return request;
  });
}

/** @throws ApiError 400 for what one server alone can have */
function demandSeveral(body: ServerBody, wanted: NicRequest[] | "auto" | "none" | undefined): void {
  if (body.hostname !== undefined) throw nova.badRequest("Unable to allocate a single hostname to multiple instances");
  if (Array.isArray(wanted)) demandSingleAddresses(wanted);
}

/** Counts servers: the hypervisor's names for them come of it. */
function nextNumber(store: Store): number {
  const number = Number(store.setting("servers-made") ?? 0) + 1;
  store.setSetting("servers-made", String(number));
  return number;
}

function newReservation(): string {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  return `r-${[...randomBytes(8)].map((byte) => letters[byte % letters.length]).join("")}`;
}

/** Nova's `sanitize_hostname`: what a DNS label may hold, else `Server-<id>`. */
export function hostnameOf(name: string, id: string): string {
  const label = name
    .replaceAll(/[^\0-\xff]/g, "")
    .slice(0, 63)
    .replaceAll(/[ _.]/g, "-")
    .replaceAll(/[^\p{L}\p{N}.-]+/gu, "")
    .toLowerCase()
    .replaceAll(/^[.-]+|[.-]+$/g, "");
  return label === "" ? `Server-${id}` : label;
}
