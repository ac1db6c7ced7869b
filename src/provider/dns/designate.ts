import type { PropertyMap } from "../../engine/resource-provider.ts";
import { orMissing } from "../../openstack/missing.ts";
import { listAll } from "../../openstack/pages.ts";
import type { Query } from "../../openstack/session.ts";
import { untilGone, untilStatus } from "../../openstack/waiting.ts";
import { brokenByStatus, neverUsable } from "../broken.ts";
import type { Candidate, Context, ResourceKind } from "../kind.ts";
import { type ApiObject, fromApi, toApi } from "../schema/api-form.ts";
import { flag, map, type Properties, text } from "../schema/property.ts";
import { isMap, textOf } from "../schema/values.ts";

/** What every Designate kind has. */
export const commonProperties: Properties = {
  region: text({ computed: true, replaces: true }),
  projectId: text({ field: "project_id", computed: true, replaces: true }),
  name: text({ field: "name", replaces: true }),
  description: text({ field: "description" }),
  disableStatusCheck: flag({ kept: true, default: false }),
  valueSpecs: map({ kept: true, replaces: true }),
};

/** What was never served. */
const beforeUse = { pending: ["PENDING"], witness: "projectId" };

/** A Designate kind: its table and the few places where it differs from the others. */
export interface DesignateKind {
  type: string;
  /** Where new objects are made, and key of listings. */
  path: (inputs: PropertyMap) => string;
  collection: string;
  /** An object's path, by the resource's id. */
  pathOf: (id: string) => string;
  /** The resource's id of a new object. */
  idOf: (api: ApiObject, inputs: PropertyMap) => string;
  /** PATCH for zones, PUT for record sets. */
  updateMethod: "PATCH" | "PUT";
  properties: Properties;
  /** Filters that find what an interrupted create may have made. */
  identity: (inputs: PropertyMap) => Query;
  readMore?: (api: ApiObject, id: string, inputs: PropertyMap) => PropertyMap;
}

/** The calls of a Designate kind, by its table. Everything is taken at once and done later: 202, `PENDING`, then `ACTIVE`. */
export function designateKind(spec: DesignateKind): ResourceKind {
  const show = async (context: Context, values: PropertyMap, id: string): Promise<ApiObject | undefined> => {
    const headers = await sudoHeaders(context, values);
    const found = await orMissing(() => context.session.request<ApiObject>("dns", "GET", spec.pathOf(id), { headers }));
    return found?.body;
  };
  const observe = async (context: Context, values: PropertyMap, id: string) => {
    const api = await show(context, values, id);
    return api === undefined ? undefined : { status: String(api.status) };
  };

  return {
    type: spec.type,
    properties: spec.properties,
    autoName: true,
    timeouts: { create: 600, update: 600, delete: 600 },

    async create(context, inputs) {
      const { project_id: _, ...given } = toApi(spec.properties, inputs);
      const made = await context.session.request<ApiObject>("dns", "POST", spec.path(inputs), {
        body: { ...withoutEmpty(given), ...(isMap(inputs.valueSpecs) ? inputs.valueSpecs : {}) },
        headers: await sudoHeaders(context, inputs),
        expect: [201, 202],
      });
      return { id: spec.idOf(made.body, inputs), requestId: made.requestId };
    },

    async settle(context, id, inputs) {
      if (inputs.disableStatusCheck === true) return;
      await untilStatus(context, `${spec.collection.slice(0, -1)} ${id}`, ["ACTIVE"], () =>
        observe(context, inputs, id),
      );
    },

    async read(context, id, inputs, olds) {
      const api = await show(context, { ...olds, ...inputs }, id);
      if (api === undefined) return undefined;
      const unchecked = inputs.disableStatusCheck === true;
      return {
        ...fromApi(spec.properties, api),
        ...spec.readMore?.(api, id, inputs),
        ...(unchecked ? {} : neverUsable(beforeUse, String(api.status), inputs, olds)),
      };
    },

    async update(context, id, { inputs, changed }) {
      const body = toApi(spec.properties, inputs, changed);
      if (Object.keys(body).length === 0) return;
      const headers = await sudoHeaders(context, inputs);
      await context.session.request("dns", spec.updateMethod, spec.pathOf(id), { body, headers, expect: [200, 202] });
    },

    async delete(context, id, olds) {
      const headers = await sudoHeaders(context, olds);
      await context.session.request("dns", "DELETE", spec.pathOf(id), { headers, expect: [202, 204, 404] });
      if (olds.disableStatusCheck === true) return;
      await untilGone(context, `${spec.collection.slice(0, -1)} ${id}`, () => observe(context, olds, id));
    },

    async candidates(context, inputs): Promise<Candidate[]> {
      const found = await listAll<ApiObject>(
        context.session,
        "dns",
        spec.path(inputs),
        spec.collection,
        spec.identity(inputs),
      );
      return found.map((api) => ({ id: spec.idOf(api, inputs), createdAt: String(api.created_at ?? "") }));
    },

    brokenBy: brokenByStatus,
  };
}

/** Administrators act for another project by naming it. */
async function sudoHeaders({ session }: Context, values: PropertyMap): Promise<Record<string, string>> {
  const projectId = textOf(values, "projectId");
  if (projectId === undefined) return {};
  const { project } = await session.tokenBody();
  return project === undefined || project.id === projectId ? {} : { "x-auth-sudo-tenant-id": projectId };
}

function withoutEmpty(body: ApiObject): ApiObject {
  const isEmpty = (value: unknown) =>
    value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(body).filter(([, value]) => !isEmpty(value)));
}
