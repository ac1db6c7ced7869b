import type { PropertyMap, PropertyValue } from "../../engine/resource-provider.ts";
import { type Image, listImages } from "../../openstack/image/images.ts";
import { orMissing } from "../../openstack/missing.ts";
import { deleteUnlessGone, type Observed, untilStatus } from "../../openstack/waiting.ts";
import type { Context, ResourceChange, ResourceKind } from "../kind.ts";
import { type ApiObject, fromApi, toApi } from "../schema/api-form.ts";
import { aString, flag, integer, map, type Properties, set, text } from "../schema/property.ts";
import { isMap, textOf } from "../schema/values.ts";
import { ownMembers } from "./members.ts";
import { deliverContent, demandSum } from "./source.ts";

const formats = {
  container: ["ami", "ari", "aki", "bare", "ovf", "ova"],
  disk: ["ami", "ari", "aki", "vhd", "vmdk", "raw", "qcow2", "vdi", "iso"],
};
const told = { output: true, computed: true };

const properties: Properties = {
  region: text({ computed: true, replaces: true }),
  name: text({ field: "name" }),
  containerFormat: text({
    field: "container_format",
    required: true,
    replaces: true,
    allowed: formats.container,
  }),
  diskFormat: text({ field: "disk_format", required: true, replaces: true, allowed: formats.disk }),
  imageId: text({ field: "id", computed: true, replaces: true }),
  minDiskGb: integer({ field: "min_disk", default: 0, refuse: refuseNegative }),
  minRamMb: integer({ field: "min_ram", default: 0, refuse: refuseNegative }),
  protected: flag({ field: "protected", default: false }),
  hidden: flag({ field: "os_hidden", default: false }),
  visibility: text({
    field: "visibility",
    default: "private",
    allowed: ["public", "private", "shared", "community"],
  }),
  tags: set(aString, { field: "tags" }),
  properties: map({ computed: true, same: sameButForGlances }),
  localFilePath: text({ kept: true, replaces: true, conflictsWith: ["imageSourceUrl", "webDownload"] }),
  imageSourceUrl: text({ kept: true, replaces: true, conflictsWith: ["localFilePath"] }),
  imageSourceUsername: text({ kept: true, conflictsWith: ["localFilePath"] }),
  imageSourcePassword: text({ kept: true, secret: true, conflictsWith: ["localFilePath"] }),
  imageCachePath: text({
    kept: true,
    defaultFrom: {
      told: '"$HOME/.terraform/image_cache"',
      value: ({ HOME = "" }) => `${HOME}/.terraform/image_cache`,
    },
  }),
  webDownload: flag({ kept: true, conflictsWith: ["localFilePath", "verifyChecksum", "decompress"] }),
  decompress: flag({ kept: true, replaces: true, conflictsWith: ["webDownload"] }),
  verifyChecksum: flag({ kept: true, conflictsWith: ["webDownload"] }),
  checksum: text({ field: "checksum", ...told }),
  createdAt: text({ field: "created_at", ...told }),
  file: text({ field: "file", ...told }),
  metadata: map(told),
  owner: text({ field: "owner", ...told }),
  schema: text({ field: "schema", ...told }),
  sizeBytes: integer({ field: "size", ...told }),
  status: text({ field: "status", ...told }),
  updateAt: text({ field: "updated_at", deprecated: true, ...told }),
  updatedAt: text({ field: "updated_at", ...told }),
};

/** `openstack_images_image_v2`. */
export const image: ResourceKind = {
  type: "openstack:images/image:Image",
  autoName: true,
  timeouts: { create: 1800 },
  properties,

  async create({ session }, inputs) {
    const { os_hidden: hidden, ...body } = toApi(properties, inputs);
    const made = await session.request<Image>("image", "POST", "/images", {
      body: { ...propertiesOf(inputs), ...body, ...(hidden === true ? { os_hidden: true } : {}) },
      expect: [201],
    });
    return { id: made.body.id, requestId: made.requestId };
  },

  /** An image without content gets it, also where an earlier run was cut off before. */
  async settle(context, id, inputs) {
    const found = await show(context, id);
    const sent = found?.status === "queued" ? await deliverContent(context, id, inputs) : undefined;
    await untilStatus(context, `image ${textOf(inputs, "name")} (${id})`, ["active", "deactivated"], () =>
      observe(context, id),
    );
    if (sent !== undefined && inputs.verifyChecksum !== false) demandSum(await show(context, id), sent);
  },

  async read(context, id) {
    const found = await show(context, id);
    if (found === undefined) return undefined;
    const free = Object.entries(found).filter(([name, value]) => !ownMembers.has(name) && typeof value === "string");
    return {
      ...fromApi(properties, found),
      properties: Object.fromEntries(free) as PropertyMap,
      metadata: {},
    };
  },

  update: updateImage,

  /** One that is gone is success: the official provider fails there. */
  delete: (context, id) => deleteUnlessGone(context, () => context.session.request("image", "DELETE", `/images/${id}`)),

  async candidates({ session }, inputs) {
    const owner = await session.projectId(); // others share images under any name
    const found = await listImages(session, { name: textOf(inputs, "name"), owner });
    return found
      .filter((one) => one.owner === owner)
      .filter((one) => one.disk_format === inputs.diskFormat && one.container_format === inputs.containerFormat)
      .filter((one) => Object.entries(propertiesOf(inputs)).every(([key, value]) => one[key] === value))
      .map((one) => ({ id: one.id, createdAt: one.created_at }));
  },
};

async function show({ session }: Context, id: string): Promise<Image | undefined> {
  return (await orMissing(() => session.request<Image>("image", "GET", `/images/${id}`)))?.body;
}

/** An import that failed leaves the image `queued`, with the stores that it failed for. */
async function observe(context: Context, id: string): Promise<Observed | undefined> {
  const found = await show(context, id);
  if (found === undefined) return undefined;
  const failed = String(found.os_glance_failed_import ?? "");
  if (failed !== "") return { status: "error", fault: `the import into ${failed} failed` };
  return { status: found.status === "killed" ? "error" : String(found.status) };
}

function propertiesOf(values: PropertyMap): Record<string, string> {
  const given = isMap(values.properties) ? values.properties : {};
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]));
}

/** Glance's own: nobody may set them, and they are no difference. */
function isGlances(name: string): boolean {
  return name.startsWith("os_") || name === "stores" || name === "direct_url";
}

function sameButForGlances(state: PropertyValue, input: PropertyValue): boolean {
  if (!isMap(state) || !isMap(input)) return false;
  const names = new Set([...Object.keys(state), ...Object.keys(input)]);
  return [...names].every((name) => isGlances(name) || state[name] === input[name]);
}

/** JSON patch: the table's fields, then properties one by one. */
async function updateImage({ session }: Context, id: string, { olds, inputs, changed }: ResourceChange): Promise<void> {
  const fields = Object.entries(toApi(properties, inputs, changed));
  const patch: ApiObject[] = fields.map(([name, value]) => ({ op: "replace", path: `/${name}`, value }));
  if (changed.has("properties")) patch.push(...propertiesPatch(propertiesOf(olds), propertiesOf(inputs)));
  if (patch.length === 0) return;
  await session.request("image", "PATCH", `/images/${id}`, {
    body: patch,
    headers: { "content-type": "application/openstack-images-v2.1-json-patch" },
  });
}

function propertiesPatch(before: Record<string, string>, after: Record<string, string>): ApiObject[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names]
    .filter((name) => !isGlances(name) && before[name] !== after[name])
    .map((name) => {
      const path = `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      if (after[name] === undefined) return { op: "remove", path };
      return { op: before[name] === undefined ? "add" : "replace", path, value: after[name] };
    });
}

function refuseNegative(value: PropertyValue): string | undefined {
  return typeof value === "number" && value >= 0 ? undefined : "must not be negative";
}
