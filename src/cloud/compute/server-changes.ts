import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { isAdmin } from "../identity/scope.ts";
import type { Image } from "../image/records.ts";
import type { Volume } from "../volume/records.ts";
import { type Action, type Actions, accepted, begin, changeAtOnce, demand } from "./action.ts";
import { newPassword } from "./admin-password.ts";
import { hostZone } from "./aggregate-records.ts";
import { devicesOf, isRoot } from "./block-devices.ts";
import { nova } from "./errors.ts";
import { host } from "./host.ts";
import { findKeypair } from "./keypair-records.ts";
import { demandGrowth, demandMetadata, demandPersonality } from "./quota-limits.ts";
import type { Server } from "./records.ts";
import {
  base64,
  boolean,
  description,
  diskConfig,
  ipv4Address,
  ipv6Address,
  metadata,
  name,
  reference,
  since,
  until,
  uuid,
} from "./schema-types.ts";
import { files, hostname, personality, trustedCertificates } from "./server-create-body.ts";
import { demandFits, flavorOf, imageOf, sourceOfImage } from "./server-sources.ts";
import { ownServer } from "./servers.ts";

const resizeBody = z.strictObject({
  resize: z.strictObject({ flavorRef: reference, "OS-DCF:diskConfig": diskConfig.optional() }),
});

const rebuildBody = (microversion: number) =>
  z.strictObject({
    rebuild: z.strictObject({
      name: name.optional(),
      imageRef: uuid,
      adminPass: z.string().optional(),
      metadata: metadata.optional(),
      preserve_ephemeral: boolean.optional(),
      "OS-DCF:diskConfig": diskConfig.optional(),
      accessIPv4: ipv4Address.optional(),
      accessIPv6: ipv6Address.optional(),
      personality: until(microversion, 56, personality),
      description: since(microversion, 19, description),
      key_name: since(microversion, 54, name.nullable()),
      user_data: since(microversion, 57, base64.max(65_535).nullable()),
      trusted_image_certificates: since(microversion, 63, trustedCertificates),
      hostname: since(microversion, 90, hostname),
    }),
  });

const unshelveBody = (microversion: number) =>
  microversion >= 91
    ? z.strictObject({
        unshelve: z
          .strictObject({ availability_zone: z.string().nullable().optional(), host: z.string().optional() })
          .nullable(),
      })
    : z.strictObject({ unshelve: z.strictObject({ availability_zone: name }).nullable() });

/** Actions that change what a server is made of, or take it off its host. */
export const changeActions: Actions = {
  resize: (action) => {
    const { context, scope, server, body } = action;
    const { resize: asked } = parseSchema(resizeBody, body);
    demand(action, "resize", { states: ["active", "stopped"] });
    const flavor = flavorOf(context.flavors, scope, asked.flavorRef);
    if (flavor.id === server.flavor.id) throw nova.badRequest("When resizing, instances must change flavor!");
    if (flavor.disk === 0 && server.flavor.disk !== 0 && !server.volumeBacked) {
      throw nova.badRequest("Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.");
    }
    demandGrowth(context, server.projectId, flavor, server.flavor);
    const changedFrom = { flavor: server.flavor, stopped: server.vmState === "stopped" };
    begin(action, "resize", "resize_prep", {
      ...{ flavor, changedFrom },
      ...(asked["OS-DCF:diskConfig"] === undefined ? {} : { diskConfig: asked["OS-DCF:diskConfig"] }),
    });
    context.lifecycle.resize(server.id, "resized");
    return accepted(action);
  },
  confirmResize: (action) => {
    const { server, reply } = action;
    demand(action, "confirmResize", { states: ["resized"] });
    const vmState = server.changedFrom?.stopped ? "stopped" : "active";
    changeAtOnce(action, "confirmResize", { vmState, changedFrom: null });
    return reply.code(204).send();
  },
  revertResize: (action) => {
    const { context, server } = action;
    demand(action, "revertResize", { states: ["resized"] });
    begin(action, "revertResize", "resize_reverting", { flavor: server.changedFrom?.flavor ?? server.flavor });
    context.lifecycle.resize(server.id, "active");
    return accepted(action);
  },
  rebuild,
  shelve: (action) => {
    demand(action, "shelve", { states: ["active", "stopped", "paused", "suspended"] });
    begin(action, "shelve", "shelving_offloading");
    action.context.lifecycle.shelve(action.server.id);
    return accepted(action);
  },
  unshelve: (action) => {
    const { context, scope, server, microversion, body } = action;
    const asked = microversion >= 77 ? parseSchema(unshelveBody(microversion), body).unshelve : null;
    demand(action, "unshelve", { states: ["shelved_offloaded"] });
    const wantedHost = asked !== null && "host" in asked ? asked.host : undefined;
    if (wantedHost !== undefined) {
      if (!isAdmin(scope)) throw nova.forbidden("os_compute_api:os-shelve:unshelve_to_host");
      if (wantedHost !== host.name) throw nova.badRequest(`Compute host ${wantedHost} could not be found.`);
    }
    const zone = asked?.availability_zone;
    if (zone && zone !== hostZone(context.store)) {
      throw nova.badRequest("The requested availability zone is not available");
    }
    begin(action, "unshelve", "unshelving");
    context.lifecycle.boot(server.id);
    return accepted(action);
  },
};

function rebuild(action: Action) {
  const { context, scope, server, microversion, reply } = action;
  const asked = parseSchema(rebuildBody(microversion), action.body).rebuild;
  const key = keyOf(action, asked.key_name);
  demand(action, "rebuild", { states: ["active", "stopped", "error"] });
  demandPersonality(context.quotas, server.projectId, asked.personality);
  if (asked.metadata !== undefined) demandMetadata(context.quotas, server.projectId, asked.metadata);
  const image = imageOf(context.images, scope, asked.imageRef, "Cannot find image for rebuild");
  const root = server.volumeBacked ? demandRebuildable(action, image) : undefined;
  demandFits(sourceOfImage(image), server.flavor, scope, root);
  const given = {
    name: asked.name,
    metadata: asked.metadata,
    description: asked.description,
    hostname: asked.hostname,
    diskConfig: asked["OS-DCF:diskConfig"],
    accessIPv4: asked.accessIPv4,
    accessIPv6: asked.accessIPv6,
    personality: asked.personality === undefined ? undefined : files(asked.personality),
    userData: asked.user_data,
  };
  begin(action, "rebuild", "rebuilding", {
    ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<Server>),
    ...key,
    ...(root === undefined ? { imageId: image.id } : { reimageId: microversion >= 93 ? image.id : null }),
    adminPass: asked.adminPass ?? newPassword(),
    changedFrom: { flavor: server.flavor, stopped: server.vmState === "stopped" },
  });
  context.lifecycle.rebuild(server.id);
  const rebuilt = ownServer(context, scope, server.id);
  return reply
    .code(202)
    .header("location", `${context.base()}/compute/v2.1/servers/${server.id}`)
    .send({
      server: {
        ...action.view(rebuilt),
        adminPass: rebuilt.adminPass,
        ...(microversion >= 57 ? { user_data: rebuilt.userData } : {}),
      },
    });
}

/** The root volume, which gets another image's content since 2.93. @throws ApiError 400 */
function demandRebuildable({ context, server, microversion }: Action, image: Image): Volume | undefined {
  const attached = devicesOf(context.blockDevices, server.id).flatMap((device) => {
    const volume = context.volumes.get(device.volumeId);
    return volume === undefined ? [] : [{ device, volume }];
  });
  const root = attached.find(({ device }) => isRoot(device))?.volume;
  if (root?.imageMetadata?.image_id !== image.id && microversion < 93) {
    throw nova.badRequest(
      `Image ${image.id} is unacceptable: Unable to rebuild with a different image for a volume-backed server.`,
    );
  }
  const busy = attached.find(({ volume }) => volume.status !== "in-use")?.volume;
  if (busy === undefined) return root;
  throw nova.badRequest(
    `Invalid volume: volume '${busy.id}' status must be 'in-use'. Currently in '${busy.status}' status`,
  );
}

/** The key that a rebuilt server has from then on; null takes it off. */
function keyOf({ context, scope }: Action, asked: string | null | undefined): Partial<Server> {
  if (asked === undefined) return {};
  if (asked === null) return { keyName: null, publicKey: null };
  const keypair = findKeypair(context.keypairs, scope.userId, asked);
  if (keypair === undefined) throw new ApiError(400, "Invalid key_name provided.");
  return { keyName: keypair.name, publicKey: keypair.publicKey };
}
