import { SlipwayError } from "../../common/errors.ts";
import type { PropertyMap } from "../../engine/resource-provider.ts";
import { type Image, listImages } from "../../openstack/image/images.ts";
import type { ProviderFunction } from "../function.ts";
import type { Context } from "../kind.ts";
import { exactlyOne } from "../lookup.ts";
import { flag, text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";
import { imageFilters, imageQuery, isWanted } from "./image-filters.ts";
import { ownMembers } from "./members.ts";

/** `openstack_images_image_v2` as a data source. */
export const getImage: ProviderFunction = {
  token: "openstack:images/getImage:getImage",
  args: {
    ...imageFilters,
    hidden: flag({ default: false }),
    mostRecent: flag({ default: false }),
    sortKey: text({ default: "name" }),
    sortDirection: text({ default: "asc", allowed: ["asc", "desc"] }),
  },
  async call(context, args) {
    const listed = await listImages(context.session, {
      ...imageQuery(args),
      os_hidden: args.hidden === true ? true : undefined,
      sort_key: textOf(args, "sortKey"),
      sort_dir: textOf(args, "sortDirection"),
    });
    const matching = listed.filter((image) => isWanted(image, args));
    const name = textOf(args, "name");
    if (matching.length === 0 && name !== undefined) await refuseUnusable(context, name);
    const image = await exactlyOne({
      what: "image",
      asked: name ?? textOf(args, "nameRegex") ?? JSON.stringify(args),
      found: args.mostRecent === true ? matching.sort(newestFirst).slice(0, 1) : matching,
      describe: (one) => `${one.name} (${one.id})`,
      others: () => listImages(context.session, { status: "active" }),
    });
    return stateOf(image, context, args);
  },
};

/** @throws SlipwayError E_LOOKUP where there are images of this name, and none of them can be used */
async function refuseUnusable(context: Context, name: string): Promise<void> {
  const found = await listImages(context.session, { name });
  if (found.length === 0) return;
  const states = found.map((image) => `${image.name} (${image.id}) is ${image.status}`);
  throw new SlipwayError("E_LOOKUP", `no image ${name} can be used: ${states.join(", ")}`, {
    hint: "Have it activated with `openstack image set --activate`, or set image in the stack's configuration to another.",
  });
}

function newestFirst(one: Image, other: Image): number {
  return other.created_at.localeCompare(one.created_at);
}

function stateOf(image: Image, { region }: Context, args: PropertyMap): PropertyMap {
  const properties = Object.entries(image).filter(
    ([name, value]) => !ownMembers.has(name) && typeof value === "string",
  );
  return {
    ...args,
    id: image.id,
    name: image.name,
    checksum: String(image.checksum ?? ""),
    containerFormat: String(image.container_format ?? ""),
    diskFormat: String(image.disk_format ?? ""),
    createdAt: image.created_at,
    updatedAt: String(image.updated_at ?? ""),
    file: String(image.file ?? ""),
    schema: String(image.schema ?? ""),
    hidden: image.os_hidden === true,
    protected: image.protected === true,
    minDiskGb: Number(image.min_disk ?? 0),
    minRamMb: Number(image.min_ram ?? 0),
    sizeBytes: Number(image.size ?? 0),
    owner: String(image.owner ?? ""),
    visibility: String(image.visibility ?? ""),
    tags: (image.tags ?? []) as string[],
    properties: Object.fromEntries(properties) as PropertyMap,
    metadata: {},
    region,
  };
}
