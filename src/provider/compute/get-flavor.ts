import type { PropertyMap, PropertyValue } from "../../engine/resource-provider.ts";
import { type Flavor, listFlavors } from "../../openstack/compute/flavors.ts";
import type { Query } from "../../openstack/session.ts";
import type { ProviderFunction } from "../function.ts";
import type { Context } from "../kind.ts";
import { exactlyOne } from "../lookup.ts";
import { flag, integer, type Property, text } from "../schema/property.ts";
import { isZero, textOf } from "../schema/values.ts";

const byId = (property: (flags: object) => Property) => property({ conflictsWith: ["flavorId"] });

/** `openstack_compute_flavor_v2` as a data source. */
export const getFlavor: ProviderFunction = {
  token: "openstack:compute/getFlavor:getFlavor",
  args: {
    flavorId: text({ conflictsWith: ["name", "minRam", "minDisk"] }),
    name: byId(text),
    minRam: byId(integer),
    minDisk: byId(integer),
    description: text(),
    disk: integer(),
    isPublic: flag(),
    ram: integer(),
    region: text(),
    rxTxFactor: { shape: { is: "number" } },
    swap: integer(),
    vcpus: integer(),
  },
  async call(context, args) {
    const all = await listFlavors(context.session, filtersOf(args));
    const flavor = await exactlyOne({
      what: "flavor",
      asked: textOf(args, "name") ?? textOf(args, "flavorId") ?? JSON.stringify(args),
      found: all.filter((one) => fits(stateOf(one), args)),
      describe: (one) => `${one.name} (${one.vcpus} vCPU, ${one.ram} MiB, ${one.disk} GiB)`,
      others: () => listFlavors(context.session),
    });
    return { ...args, ...stateOf(flavor), extraSpecs: await extraSpecs(context, flavor.id) };
  },
};

function filtersOf(args: PropertyMap): Query {
  return {
    ...(typeof args.isPublic === "boolean" ? { is_public: args.isPublic } : {}),
    minRam: isZero(args.minRam) ? undefined : Number(args.minRam),
    minDisk: isZero(args.minDisk) ? undefined : Number(args.minDisk),
  };
}

const compared = ["flavorId", "name", "description", "ram", "vcpus", "disk", "swap", "rxTxFactor"];

/** Zero-valued arguments are no filter. */
function fits(flavor: PropertyMap, args: PropertyMap): boolean {
  return compared.every((name) => isZero(args[name]) || args[name] === flavor[name]);
}

function stateOf(flavor: Flavor): Record<string, PropertyValue> {
  return {
    id: flavor.id,
    flavorId: flavor.id,
    name: flavor.name,
    description: flavor.description ?? "",
    ram: flavor.ram,
    disk: flavor.disk,
    vcpus: flavor.vcpus,
    swap: Number(flavor.swap || 0),
    rxTxFactor: flavor.rxtx_factor ?? 1,
    isPublic: flavor["os-flavor-access:is_public"] ?? true,
  };
}

async function extraSpecs({ session }: Context, id: string): Promise<PropertyMap> {
  const path = `/flavors/${id}/os-extra_specs`;
  return (await session.request<{ extra_specs: PropertyMap }>("compute", "GET", path)).body.extra_specs;
}
