import type { PropertyMap } from "../../engine/resource-provider.ts";
import { orMissing } from "../../openstack/missing.ts";
import { deleteUnlessGone } from "../../openstack/waiting.ts";
import type { Context, ResourceChange, ResourceKind } from "../kind.ts";
import { type ApiObject, fromApi, toApi } from "../schema/api-form.ts";
import type { Properties } from "../schema/property.ts";

/** A kind of Keystone's that administrators make: its table and the few places where it differs from the others. */
export interface KeystoneKind {
  type: string;
  /** Path and key of one, e.g. `projects` and `project`. */
  path: string;
  member: string;
  properties: Properties;
  /** Adds to a create's or an update's body what the table cannot say; `changed` is undefined for a create. */
  moreBody?: (inputs: PropertyMap, changed?: ReadonlySet<string>) => ApiObject;
  readMore?: (api: ApiObject) => PropertyMap;
}

/** The calls of a Keystone kind, by its table. */
export function keystoneKind({ type, path, member, properties, moreBody, readMore }: KeystoneKind): ResourceKind {
  const pathOf = (id: string) => `/${path}/${id}`;
  return {
    type,
    properties,
    autoName: true,
    timeouts: {},

    async create({ session }: Context, inputs) {
      const made = await session.request<Record<string, { id: string }>>("identity", "POST", `/${path}`, {
        body: { [member]: { ...toApi(properties, inputs), ...moreBody?.(inputs) } },
        expect: [201],
      });
      return { id: made.body[member]?.id ?? "", requestId: made.requestId };
    },

    async read({ session }, id) {
      const found = await orMissing(() => session.request<Record<string, ApiObject>>("identity", "GET", pathOf(id)));
      const api = found?.body[member];
      return api === undefined ? undefined : { ...fromApi(properties, api), ...readMore?.(api) };
    },

    async update({ session }, id, { inputs, changed }: ResourceChange) {
      const body = { ...toApi(properties, inputs, changed), ...moreBody?.(inputs, changed) };
      if (Object.keys(body).length === 0) return;
      await session.request("identity", "PATCH", pathOf(id), { body: { [member]: body } });
    },

    delete: (context, id) => deleteUnlessGone(context, () => context.session.request("identity", "DELETE", pathOf(id))),
  };
}
