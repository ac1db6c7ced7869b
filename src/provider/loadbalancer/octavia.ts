import type { PropertyMap } from "../../engine/resource-provider.ts";
import { listAll } from "../../openstack/pages.ts";
import { type Observed, untilGone, untilStatus } from "../../openstack/waiting.ts";
import { brokenByStatus, neverUsable } from "../broken.ts";
import type { Candidate, Context, ResourceKind } from "../kind.ts";
import { type ApiObject, fromApi, toApi } from "../schema/api-form.ts";
import type { Timeouts } from "../schema/outputs.ts";
import { flag, type Properties, text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";
import { showOctavia, type Way, whenMutable } from "./mutable.ts";

/** What every Octavia kind has. */
export const commonProperties: Properties = {
  region: text({ computed: true, replaces: true }),
  tenantId: text({ field: "project_id", computed: true, replaces: true }),
  name: text({ field: "name" }),
  adminStateUp: flag({ field: "admin_state_up", default: true }),
};

/** Seconds, as the official provider has them. */
export const tenMinutes: Timeouts = { create: 600, update: 600, delete: 600 };

/** What has not worked yet. */
const beforeUse = { pending: ["PENDING_CREATE"], witness: "tenantId" };

/** An Octavia kind: its table and the few places where it differs from the others. */
export interface OctaviaKind {
  type: string;
  /** Where its objects are, below `/lbaas`; by inputs or state. */
  path: (values: PropertyMap) => string;
  /** Keys of one object and of a listing, e.g. `listener`, `listeners`. */
  member: string;
  collection: string;
  properties: Properties;
  timeouts: Timeouts;
  /** How its load balancer is found, by inputs or state. */
  way: (values: PropertyMap) => Way;
  /** True where a found object of the same name and project is what `create` makes. */
  isMine: (api: ApiObject, inputs: PropertyMap) => boolean;
  createBody?: (inputs: PropertyMap) => ApiObject;
  readMore?: (api: ApiObject, context: Context, inputs: PropertyMap) => PropertyMap | Promise<PropertyMap>;
  importing?: ResourceKind["importing"];
}

/** The calls of an Octavia kind, by its table. */
export function octaviaKind(spec: OctaviaKind): ResourceKind {
  const pathOf = (values: PropertyMap, id: string) => `${spec.path(values)}/${id}`;
  const show = (context: Context, values: PropertyMap, id: string) =>
    showOctavia(context, pathOf(values, id), spec.member);

  return {
    type: spec.type,
    properties: spec.properties,
    autoName: true,
    timeouts: spec.timeouts,

    async create(context, inputs) {
      const body = { ...withoutEmpty(toApi(spec.properties, inputs)), ...spec.createBody?.(inputs) };
      const made = await whenMutable(context, spec.way(inputs), () =>
        context.session.request<Record<string, ApiObject>>("load-balancer", "POST", `/lbaas${spec.path(inputs)}`, {
          body: { [spec.member]: body },
          expect: [201, 202],
        }),
      );
      return { id: String(made.body[spec.member]?.id), requestId: made.requestId };
    },

    settle: (context, id, inputs) =>
      untilStatus(context, `${spec.member} ${id}`, ["ACTIVE"], async () => observed(await show(context, inputs, id))),

    async read(context, id, inputs, olds) {
      const values = { ...olds, ...inputs };
      const api = await show(context, values, id);
      if (api === undefined) return undefined;
      return {
        ...fromApi(spec.properties, api),
        ...(await spec.readMore?.(api, context, values)),
        ...neverUsable(beforeUse, String(api.provisioning_status), inputs, olds),
      };
    },

    async update(context, id, { inputs, changed }) {
      const body = resetting(spec.properties, inputs, changed);
      if (Object.keys(body).length === 0) return;
      await whenMutable(context, spec.way(inputs), () =>
        context.session.request("load-balancer", "PUT", `/lbaas${pathOf(inputs, id)}`, {
          body: { [spec.member]: body },
          expect: [200, 202],
        }),
      );
    },

    async delete(context, id, olds) {
      const path = `/lbaas${pathOf(olds, id)}`;
      await whenMutable(context, spec.way(olds), () =>
        context.session.request("load-balancer", "DELETE", path, { expect: [202, 204, 404] }),
      );
      await untilGone(context, `${spec.member} ${id}`, async () => observed(await show(context, olds, id)));
    },

    async candidates(context, inputs): Promise<Candidate[]> {
      const query = { name: textOf(inputs, "name"), project_id: await context.session.projectId() };
      const path = `/lbaas${spec.path(inputs)}`;
      const found = await listAll<ApiObject>(context.session, "load-balancer", path, spec.collection, query);
      return found
        .filter((api) => spec.isMine(api, inputs))
        .map((api) => ({ id: String(api.id), createdAt: String(api.created_at ?? "") }));
    },

    brokenBy: brokenByStatus,

    ...(spec.importing === undefined ? {} : { importing: spec.importing }),
  };
}

/** An object's state in the words of the waiting. */
export function observed(api: ApiObject | undefined): Observed | undefined {
  return api === undefined ? undefined : { status: String(api.provisioning_status) };
}

/** Octavia refuses an empty text where it wants an id or an address. */
function withoutEmpty(body: ApiObject): ApiObject {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => !isEmpty(value)));
}

/** The changed fields; what is no more given, or given as nothing, is reset: lists by an empty one (Octavia passes over null for tags), the rest by null. */
function resetting(properties: Properties, inputs: PropertyMap, changed: ReadonlySet<string>): ApiObject {
  const body = toApi(properties, inputs, changed);
  for (const name of changed) {
    const { field, shape } = properties[name] ?? {};
    const value = inputs[name];
    if (field === undefined || !(field in body) || !(value === undefined || isEmpty(value))) continue;
    body[field] = shape?.is === "list" || shape?.is === "set" ? [] : null;
  }
  return body;
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
