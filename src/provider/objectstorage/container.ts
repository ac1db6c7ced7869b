import { SlipwayError } from "../../common/errors.ts";
import type { PropertyMap } from "../../engine/resource-provider.ts";
import { OpenStackError } from "../../openstack/errors.ts";
import { orMissing } from "../../openstack/missing.ts";
import { containerPath } from "../../openstack/object/containers.ts";
import type { Context, ResourceChange, ResourceKind } from "../kind.ts";
import { flag, map, object, text } from "../schema/property.ts";
import { isMap, textOf } from "../schema/values.ts";
import { emptyContainer } from "./empty-container.ts";

/** Headers by property, as far as one is the other. */
const headerOf: Record<string, string> = {
  containerRead: "x-container-read",
  containerWrite: "x-container-write",
  containerSyncTo: "x-container-sync-to",
  containerSyncKey: "x-container-sync-key",
  contentType: "content-type",
};

/** `openstack_objectstorage_container_v1`; its id is its name. */
export const container: ResourceKind = {
  type: "openstack:objectstorage/container:Container",
  autoName: true,
  timeouts: {},
  schemaVersion: 1,
  properties: {
    region: text({ computed: true, replaces: true }),
    name: text(),
    containerRead: text(),
    containerWrite: text(),
    containerSyncTo: text({ kept: true }),
    containerSyncKey: text({ kept: true }),
    contentType: text({ kept: true }),
    metadata: map({ kept: true }),
    forceDestroy: flag({ kept: true, default: false }),
    storagePolicy: text({ computed: true, replaces: true }),
    versioning: flag({ default: false, conflictsWith: ["versioningLegacy"] }),
    versioningLegacy: object(
      { type: text({ required: true, allowed: ["versions", "history"] }), location: text({ required: true }) },
      { deprecated: true, conflictsWith: ["versioning"] },
    ),
  },

  async create({ session }, inputs) {
    const name = textOf(inputs, "name") ?? "";
    const policy = textOf(inputs, "storagePolicy");
    const made = await session.request("object-store", "PUT", containerPath(name), {
      headers: {
        ...settingHeaders(inputs, false),
        ...metadataHeaders(inputs, {}),
        ...(policy === undefined ? {} : { "x-storage-policy": policy }),
        ...(inputs.versioning === true ? { "x-versions-enabled": "true" } : {}),
        ...legacyHeaders(inputs),
      },
      expect: [201, 202, 204],
    });
    return { id: name, requestId: made.requestId };
  },

  async read({ session }, id) {
    const found = await orMissing(() => session.request("object-store", "HEAD", containerPath(id)));
    return found === undefined ? undefined : stateOf(id, found.headers);
  },

  update: updateContainer,

  async delete(context, id, olds) {
    const remove = () => orMissing(() => context.session.request("object-store", "DELETE", containerPath(id)));
    try {
      await remove();
    } catch (error) {
      if (!(error instanceof OpenStackError && error.status === 409)) throw error;
      if (olds.forceDestroy !== true) throw notEmpty(id, error);
      await emptyContainer(context.session, id);
      await remove();
    }
  },

  /** A PUT of a container that is there is no second one: whoever made it may have been us. */
  async candidates({ session }, inputs) {
    const id = textOf(inputs, "name") ?? "";
    const found = await orMissing(() => session.request("object-store", "HEAD", containerPath(id)));
    if (found === undefined) return [];
    const seconds = Number(found.headers["x-timestamp"]);
    return [{ id, createdAt: Number.isFinite(seconds) ? new Date(seconds * 1000).toISOString() : "" }];
  },
};

function stateOf(id: string, headers: Record<string, string>): PropertyMap {
  const optional = (name: string, value: string | undefined): PropertyMap => (value ? { [name]: value } : {});
  return {
    name: id,
    ...optional("containerRead", headers["x-container-read"]),
    ...optional("containerWrite", headers["x-container-write"]),
    ...optional("storagePolicy", headers["x-storage-policy"]),
    versioning: headers["x-versions-enabled"]?.toLowerCase() === "true",
    ...legacyState(headers),
  };
}

function legacyState(headers: Record<string, string>): PropertyMap {
  const [versions, history] = [headers["x-versions-location"], headers["x-history-location"]];
  const location = versions || history;
  return location ? { versioningLegacy: { type: versions ? "versions" : "history", location } } : {};
}

/** @param all an empty header clears what is not given */
function settingHeaders(inputs: PropertyMap, all: boolean): Record<string, string> {
  const entries = Object.entries(headerOf).map(([name, header]) => [header, textOf(inputs, name) ?? ""] as const);
  return Object.fromEntries(entries.filter(([header, value]) => value !== "" || (all && header !== "content-type")));
}

/** The program's metadata, and those that it had and gives no more taken away. */
function metadataHeaders(inputs: PropertyMap, olds: PropertyMap): Record<string, string> {
  const [after, before] = [metadataOf(inputs), metadataOf(olds)];
  const gone = Object.keys(before).filter((key) => after[key] === undefined);
  return {
    ...Object.fromEntries(Object.entries(after).map(([key, value]) => [`x-container-meta-${key}`, String(value)])),
    ...Object.fromEntries(gone.map((key) => [`x-remove-container-meta-${key}`, "true"])),
  };
}

function metadataOf(values: PropertyMap): PropertyMap {
  return isMap(values.metadata) ? values.metadata : {};
}

function legacyHeaders(inputs: PropertyMap): Record<string, string> {
  if (!isMap(inputs.versioningLegacy)) return {};
  const { type, location } = inputs.versioningLegacy;
  return { [type === "history" ? "x-history-location" : "x-versions-location"]: String(location) };
}

/** Every setting is sent each time; the two kinds of versioning exclude each other, so the one goes before the other comes. */
async function updateContainer(context: Context, id: string, { olds, inputs, changed }: ResourceChange): Promise<void> {
  if (changed.has("name")) refuseRename(id, textOf(inputs, "name") ?? "");
  const post = (headers: Record<string, string>) =>
    context.session.request("object-store", "POST", containerPath(id), { headers, expect: [201, 202, 204] });
  const dropLegacy = changed.has("versioningLegacy") && !isMap(inputs.versioningLegacy);
  const withoutLegacy = { "x-remove-versions-location": "true", "x-remove-history-location": "true" };
  const versioning: Record<string, string> = changed.has("versioning")
    ? { "x-versions-enabled": String(inputs.versioning === true) }
    : {};
  if (dropLegacy && inputs.versioning === true) await post(withoutLegacy);
  if (isMap(inputs.versioningLegacy) && changed.has("versioning")) await post(versioning);
  await post({
    ...settingHeaders(inputs, true),
    ...(changed.has("metadata") ? metadataHeaders(inputs, olds) : {}),
    ...(isMap(inputs.versioningLegacy) ? {} : versioning),
    ...(dropLegacy && inputs.versioning !== true ? withoutLegacy : {}),
    ...(changed.has("versioningLegacy") ? legacyHeaders(inputs) : {}),
  });
}

function refuseRename(id: string, name: string): never {
  throw new SlipwayError("E_UNSUPPORTED", `container ${id} cannot be renamed to ${name}: Swift has no such call`, {
    hint: "Give the resource another name in the program, so that a new container is made and the old one deleted.",
  });
}

function notEmpty(id: string, cause: OpenStackError): SlipwayError {
  return new SlipwayError("E_UPDATE_FAILED", `container ${id} is not empty: ${cause.message}`, {
    hint: "Delete its objects, or set forceDestroy to true, run `slipway up` and delete it again.",
    cause,
  });
}
