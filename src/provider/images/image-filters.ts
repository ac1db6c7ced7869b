import type { PropertyMap } from "../../engine/resource-provider.ts";
import type { Image } from "../../openstack/image/images.ts";
import type { Query } from "../../openstack/session.ts";
import { isPattern, patternOf } from "../lookup.ts";
import { aString, integer, map, type Properties, set, text } from "../schema/property.ts";
import { isMap, isZero, textOf, textsOf } from "../schema/values.ts";

/** Arguments of every look-up of images. */
export const imageFilters: Properties = {
  region: text(),
  name: text({ conflictsWith: ["nameRegex"] }),
  nameRegex: text({ conflictsWith: ["name"], refuse: isPattern }),
  visibility: text({ allowed: ["public", "private", "shared", "community"] }),
  memberStatus: text({ allowed: ["accepted", "pending", "rejected", "all"] }),
  owner: text(),
  properties: map(),
  sizeMin: integer(),
  sizeMax: integer(),
  tag: text(),
  tags: set(aString),
};

/** Filters of Glance's listing; only images that can be used are asked for. */
export function imageQuery(args: PropertyMap): Query {
  const tag = textOf(args, "tag");
  const tags = [...textsOf(args, "tags"), ...(tag === undefined ? [] : [tag])];
  return {
    name: textOf(args, "name"),
    status: "active",
    visibility: textOf(args, "visibility"),
    owner: textOf(args, "owner"),
    member_status: textOf(args, "memberStatus"),
    size_min: isZero(args.sizeMin) ? undefined : Number(args.sizeMin),
    size_max: isZero(args.sizeMax) ? undefined : Number(args.sizeMax),
    tag: tags.length > 0 ? tags : undefined,
  };
}

/** What Glance has no filter for: a pattern of the name, and properties. */
export function isWanted(image: Image, args: PropertyMap): boolean {
  const pattern = patternOf(textOf(args, "nameRegex"));
  const properties = isMap(args.properties) ? args.properties : {};
  return (
    (pattern === undefined || pattern.test(image.name)) &&
    Object.entries(properties).every(([name, value]) => image[name] === value)
  );
}
