import type { PropertyMap } from "../../engine/resource-provider.ts";
import { orMissing } from "../../openstack/missing.ts";
import { deleteUnlessGone } from "../../openstack/waiting.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { type ApiObject, fromApi, toApi } from "../schema/api-form.ts";
import { flag, integer, map, type Properties, text } from "../schema/property.ts";
import { isMap, textOf } from "../schema/values.ts";

/** The microversion from which a flavor has a description. */
const withDescription = "2.55";

const properties: Properties = {
  region: text({ computed: true, replaces: true }),
  name: text({ field: "name", replaces: true }),
  flavorId: text({ field: "id", computed: true, replaces: true }),
  description: text({ field: "description" }),
  ram: integer({ field: "ram", required: true, replaces: true }),
  vcpus: integer({ field: "vcpus", required: true, replaces: true }),
  disk: integer({ field: "disk", required: true, replaces: true }),
  swap: integer({ field: "swap", replaces: true }),
  ephemeral: integer({ field: "OS-FLV-EXT-DATA:ephemeral", replaces: true }),
  rxTxFactor: { shape: { is: "number" }, field: "rxtx_factor", replaces: true, default: 1 },
  isPublic: flag({ field: "os-flavor-access:is_public", replaces: true }),
  extraSpecs: map({ computed: true }),
};

/** `openstack_compute_flavor_v2` */
export const flavor: ResourceKind = {
  type: "openstack:compute/flavor:Flavor",
  autoName: true,
  timeouts: {},
  properties,

  async create({ session }, inputs) {
    const made = await session.request<{ flavor: { id: string } }>("compute", "POST", "/flavors", {
      // what is not given is zero, not Nova's default: a flavor is public only if the program says so
      body: { flavor: { ...toApi(properties, { swap: 0, ephemeral: 0, isPublic: false, ...inputs }) } },
      ...(textOf(inputs, "description") === undefined ? {} : { microversion: withDescription }),
    });
    return { id: made.body.flavor.id, requestId: made.requestId };
  },

  async settle(context, id, inputs, olds) {
    if (olds.extraSpecs === undefined) await addSpecs(context, id, specsOf(inputs));
  },

  async read({ session }, id) {
    const path = `/flavors/${id}`;
    const found = await orMissing(() =>
      session.request<{ flavor: ApiObject }>("compute", "GET", path, { microversion: withDescription }),
    );
    if (found === undefined) return undefined;
    const specs = await session.request<{ extra_specs: PropertyMap }>("compute", "GET", `${path}/os-extra_specs`);
    const { swap } = found.body.flavor;
    return { ...fromApi(properties, found.body.flavor), swap: Number(swap || 0), extraSpecs: specs.body.extra_specs };
  },

  async update(context, id, { olds, inputs, changed }) {
    if (changed.has("description")) {
      await context.session.request("compute", "PUT", `/flavors/${id}`, {
        body: { flavor: { description: textOf(inputs, "description") ?? "" } },
        microversion: withDescription,
      });
    }
    if (!changed.has("extraSpecs")) return;
    const [before, after] = [specsOf(olds), specsOf(inputs)];
    for (const key of Object.keys(before).filter((one) => after[one] === undefined)) {
      const path = `/flavors/${id}/os-extra_specs/${encodeURIComponent(key)}`;
      await orMissing(() => context.session.request("compute", "DELETE", path));
    }
    await addSpecs(context, id, after);
  },

  delete: (context, id) =>
    deleteUnlessGone(context, () => context.session.request("compute", "DELETE", `/flavors/${id}`)),
};

function specsOf(values: PropertyMap): PropertyMap {
  return isMap(values.extraSpecs) ? values.extraSpecs : {};
}

async function addSpecs({ session }: Context, id: string, specs: PropertyMap): Promise<void> {
  if (Object.keys(specs).length === 0) return;
  const texts = Object.fromEntries(Object.entries(specs).map(([key, value]) => [key, String(value)]));
  await session.request("compute", "POST", `/flavors/${id}/os-extra_specs`, { body: { extra_specs: texts } });
}
