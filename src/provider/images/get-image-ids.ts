import { listImages } from "../../openstack/image/images.ts";
import type { ProviderFunction } from "../function.ts";
import { hashOf } from "../lookup.ts";
import { text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";
import { imageFilters, imageQuery, isWanted } from "./image-filters.ts";

/** `openstack_images_image_ids_v2` as a data source: all images that fit, in the order that is asked for. */
export const getImageIds: ProviderFunction = {
  token: "openstack:images/getImageIds:getImageIds",
  args: {
    ...imageFilters,
    sort: text({ default: "name:asc", conflictsWith: ["sortKey"] }),
    sortKey: text({ deprecated: true, conflictsWith: ["sort"] }),
    sortDirection: text({ deprecated: true, allowed: ["asc", "desc"] }),
  },
  async call(context, args) {
    const key = textOf(args, "sortKey");
    const sort = key === undefined ? textOf(args, "sort") : `${key}:${textOf(args, "sortDirection") ?? "asc"}`;
    const listed = await listImages(context.session, { ...imageQuery(args), sort });
    const ids = listed.filter((image) => isWanted(image, args)).map(({ id }) => id);
    return { ...args, id: hashOf(ids.join(",")), ids, region: context.region };
  },
};
