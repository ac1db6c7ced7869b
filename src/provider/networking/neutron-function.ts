import type { PropertyMap } from "../../engine/resource-provider.ts";
import { listAll } from "../../openstack/pages.ts";
import type { Query } from "../../openstack/session.ts";
import type { ProviderFunction } from "../function.ts";
import type { Context } from "../kind.ts";
import { askedFor, exactlyOne } from "../lookup.ts";
import { type ApiObject, fromApi } from "../schema/api-form.ts";
import type { Properties, Property } from "../schema/property.ts";
import { isZero, textsOf } from "../schema/values.ts";

/** A look-up of one Neutron object: its table and the few places where it differs from the others. */
export interface NeutronFunction {
  token: string;
  /** Path below the network service and key of listings, e.g. `security-groups` and `security_groups`. */
  path: string;
  collection: string;
  /** `router` */
  what: string;
  official: { none: string; several: string };
  /** The arguments; `field` is the filter of Neutron's listing. */
  args: Properties;
  /** What is answered; `field` is the object's member. */
  results: Properties;
  /** Filters that the table cannot say. */
  filters?: (args: PropertyMap) => Query;
  /** Keeps what fits, where Neutron has no filter for it. */
  fits?: (api: ApiObject, args: PropertyMap) => boolean;
  /** Adds to the answer. */
  more?: (api: ApiObject) => PropertyMap;
}

/** A function (data source) that answers the one Neutron object that fits. */
export function neutronFunction(spec: NeutronFunction): ProviderFunction {
  const list = ({ session }: Context, query: Query) =>
    listAll<ApiObject>(session, "network", `/${spec.path}`, spec.collection, query);
  return {
    token: spec.token,
    args: spec.args,
    async call(context, args) {
      const query = { ...filtersOf(spec.args, args), ...spec.filters?.(args) };
      const listed = await list(context, query);
      const api = await exactlyOne({
        what: spec.what,
        asked: askedFor(args),
        found: listed.filter((one) => spec.fits?.(one, args) ?? true),
        describe: (one) => `${String(one.name ?? one.floating_ip_address)} (${String(one.id)})`,
        others: () => list(context, {}),
        official: spec.official,
      });
      return {
        ...args,
        id: String(api.id),
        region: context.region,
        ...fromApi(spec.results, api),
        allTags: [...((api.tags ?? []) as string[])].sort(),
        ...spec.more?.(api),
      };
    },
  };
}

/**
 * Arguments as filters of a Neutron listing. Zero values are none, except a flag that the program has given; tags are one text, and
 * an object must have all of them.
 */
export function filtersOf(properties: Properties, args: PropertyMap): Query {
  const tags = textsOf(args, "tags");
  const filters = Object.entries(properties)
    .filter(([name, property]) => property.field !== undefined && isGiven(property, args[name]))
    .map(([name, { field = "" }]) => [field, args[name] as string | number | boolean] as const);
  return { ...Object.fromEntries(filters), ...(tags.length > 0 ? { tags: tags.join(",") } : {}) };
}

function isGiven({ shape }: Property, value: PropertyMap[string] | undefined): boolean {
  return shape.is === "boolean" ? typeof value === "boolean" : !isZero(value);
}
