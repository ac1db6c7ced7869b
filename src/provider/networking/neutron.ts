import type { PropertyMap } from "../../engine/resource-provider.ts";
import { orMissing } from "../../openstack/missing.ts";
import { listAll } from "../../openstack/pages.ts";
import type { Query } from "../../openstack/session.ts";
import { deleteUnlessGone, untilGone, untilStatus } from "../../openstack/waiting.ts";
import { brokenByStatus, neverUsable } from "../broken.ts";
import type { Candidate, Context, ResourceChange, ResourceKind } from "../kind.ts";
import { type ApiObject, fromApi, toApi } from "../schema/api-form.ts";
import type { Timeouts } from "../schema/outputs.ts";
import { aString, map, type Properties, set, text } from "../schema/property.ts";
import { isMap, textOf, textsOf } from "../schema/values.ts";

/** What every Neutron kind has. */
export const commonProperties: Properties = {
  region: text({ computed: true, replaces: true }),
  tenantId: text({ field: "tenant_id", computed: true, replaces: true }),
};

/** Tags: `tags` are the program's own, `allTags` everything found. */
export const tagProperties: Properties = {
  tags: set(aString),
  allTags: set(aString, { output: true, computed: true, repeats: "tags" }),
};

/** Raw fields for the request that the table does not know. */
export const valueSpecs: Properties = { valueSpecs: map({ replaces: true, kept: true }) };

/** What has not worked yet. */
const beforeUse = { pending: ["BUILD", "PENDING_CREATE"], witness: "tenantId" };

/** A Neutron kind: its table and the few places where it differs from the others. */
export interface NeutronKind {
  type: string;
  /** Path below the network service and key of listings, e.g. `security-groups` and `security_groups`. */
  path: string;
  collection: string;
  /** Key of one object, e.g. `security_group`. */
  member: string;
  properties: Properties;
  autoName: boolean;
  timeouts: Timeouts;
  /** The states in which a new object is usable; absent where it has no state. */
  usable?: string[];
  /** Filters that find what an interrupted create may have made. */
  identity: (inputs: PropertyMap) => Query;
  /** True where a found object is what `create` makes. */
  isMine?: (api: ApiObject, inputs: PropertyMap) => boolean;
  /** Adds to the body of the create call what the table cannot say. */
  createBody?: (context: Context, inputs: PropertyMap) => ApiObject | Promise<ApiObject>;
  /** The same for updates. */
  updateBody?: (change: ResourceChange) => ApiObject;
  /** Adds to what is read. */
  readMore?: (api: ApiObject, context: Context, inputs: PropertyMap) => PropertyMap | Promise<PropertyMap>;
  /** Once, between the create call and the wait. */
  prepare?: (context: Context, id: string, inputs: PropertyMap) => Promise<void>;
}

/** The calls of a Neutron kind, by its table. */
export function neutronKind(spec: NeutronKind): ResourceKind {
  const tagged = spec.properties.tags !== undefined;
  const pathOf = (id: string) => `/${spec.path}/${id}`;
  const show = async ({ session }: Context, id: string): Promise<ApiObject | undefined> => {
    const found = await orMissing(() => session.request<Record<string, ApiObject>>("network", "GET", pathOf(id)));
    return found?.body[spec.member];
  };
  const observe = async (context: Context, id: string) => {
    const api = await show(context, id);
    return api === undefined ? undefined : { status: String(api.status ?? "") };
  };

  return {
    type: spec.type,
    properties: spec.properties,
    autoName: spec.autoName,
    timeouts: spec.timeouts,

    async create(context, inputs) {
      const specs = isMap(inputs.valueSpecs) ? inputs.valueSpecs : {};
      const body = { ...toApi(spec.properties, inputs), ...(await spec.createBody?.(context, inputs)), ...specs };
      const made = await context.session.request<Record<string, { id: string }>>("network", "POST", `/${spec.path}`, {
        body: { [spec.member]: body },
        expect: [201, 202],
      });
      return { id: made.body[spec.member]?.id ?? "", requestId: made.requestId };
    },

    async settle(context, id, inputs, olds) {
      if (olds.tenantId === undefined) await spec.prepare?.(context, id, inputs); // never read: the create was not finished
      if (spec.usable !== undefined) {
        await untilStatus(context, `${spec.member} ${id}`, spec.usable, () => observe(context, id));
      }
      if (tagged) await ensureTags(context, pathOf(id), await show(context, id), inputs, olds);
    },

    async read(context, id, inputs, olds) {
      const api = await show(context, id);
      if (api === undefined) return undefined;
      return {
        ...fromApi(spec.properties, api),
        ...(tagged ? tagsOf(api, inputs) : {}),
        ...(await spec.readMore?.(api, context, inputs)),
        ...(spec.usable === undefined ? {} : neverUsable(beforeUse, String(api.status), inputs, olds)),
      };
    },

    async update(context, id, change) {
      const body = { ...toApi(spec.properties, change.inputs, change.changed), ...spec.updateBody?.(change) };
      if (Object.keys(body).length === 0) return;
      await context.session.request("network", "PUT", pathOf(id), { body: { [spec.member]: body } });
    },

    async delete(context, id) {
      await deleteUnlessGone(context, () => context.session.request("network", "DELETE", pathOf(id)));
      await untilGone(context, `${spec.member} ${id}`, () => observe(context, id));
    },

    async candidates(context, inputs): Promise<Candidate[]> {
      const query = { ...spec.identity(inputs), project_id: await context.session.projectId() };
      const found = await listAll<ApiObject>(context.session, "network", `/${spec.path}`, spec.collection, query);
      return found
        .filter((api) => spec.isMine?.(api, inputs) ?? true)
        .map((api) => ({ id: String(api.id), createdAt: String(api.created_at ?? "") }));
    },

    ...(spec.usable === undefined ? {} : { brokenBy: brokenByStatus }),
  };
}

/** The program's tags are there; foreign ones stay; those that the program had before and has no more are gone. */
async function ensureTags(
  { session }: Context,
  path: string,
  api: ApiObject | undefined,
  inputs: PropertyMap,
  olds: PropertyMap,
): Promise<void> {
  const present = (api?.tags ?? []) as string[];
  const former = new Set(textsOf(olds, "tags"));
  const wanted = [...new Set([...present.filter((tag) => !former.has(tag)), ...textsOf(inputs, "tags")])];
  if (wanted.length === present.length && wanted.every((tag) => present.includes(tag))) return;
  await session.request("network", "PUT", `${path}/tags`, { body: { tags: wanted } });
}

function tagsOf(api: ApiObject, inputs: PropertyMap): PropertyMap {
  const present = [...((api.tags ?? []) as string[])].sort();
  const own = new Set(textsOf(inputs, "tags"));
  return { tags: present.filter((tag) => own.has(tag)), allTags: present };
}

/** The filters name and description, as far as they are given. */
export function byName(inputs: PropertyMap): Query {
  return { name: textOf(inputs, "name"), description: textOf(inputs, "description") };
}
