import type { PropertyMap, PropertyValue } from "../../engine/resource-provider.ts";
import { orMissing } from "../../openstack/missing.ts";
import { deleteUnlessGone } from "../../openstack/waiting.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { anObject, aString, flag, set, text } from "../schema/property.ts";
import { mapsOf, textOf, textsOf } from "../schema/values.ts";

const accessRule = anObject({
  id: text({ output: true, computed: true }),
  path: text({ required: true, replaces: true }),
  method: text({ required: true, replaces: true, allowed: ["POST", "GET", "HEAD", "PATCH", "PUT", "DELETE"] }),
  service: text({ required: true, replaces: true }),
});

interface Credential {
  id: string;
  name: string;
  description: string | null;
  unrestricted: boolean | null;
  roles: { name: string }[];
  access_rules?: { id: string; path: string; method: string; service: string }[];
  project_id: string;
  /** UTC, without a zone. */
  expires_at: string | null;
  /** In the answer to the create call only. */
  secret?: string;
}

/** `openstack_identity_application_credential_v3`: of the user who is logged in; every change replaces. */
export const applicationCredential: ResourceKind = {
  type: "openstack:identity/applicationCredential:ApplicationCredential",
  autoName: true,
  timeouts: {},
  properties: {
    region: text({ computed: true, replaces: true }),
    name: text({ replaces: true }),
    description: text({ replaces: true }),
    unrestricted: flag({ replaces: true, default: false }),
    secret: text({ computed: true, replaces: true, secret: true, once: true }),
    roles: set(aString, { computed: true, replaces: true }),
    accessRules: set(accessRule, { replaces: true, same: sameRules }),
    expiresAt: text({ replaces: true, refuse: refuseUnlessTime, same: sameTime }),
    projectId: text({ output: true, computed: true, replaces: true }),
  },

  async create(context, inputs) {
    const roles = textsOf(inputs, "roles");
    const rules = mapsOf(inputs, "accessRules");
    const [secret, expiresAt] = [textOf(inputs, "secret"), textOf(inputs, "expiresAt")];
    const made = await context.session.request<{ application_credential: Credential }>(
      "identity",
      "POST",
      await pathOf(context),
      {
        body: {
          application_credential: {
            name: inputs.name,
            description: textOf(inputs, "description") ?? "",
            unrestricted: inputs.unrestricted === true,
            ...(secret === undefined ? {} : { secret }),
            ...(expiresAt === undefined ? {} : { expires_at: new Date(expiresAt).toISOString().replace("Z", "000Z") }),
            ...(roles.length === 0 ? {} : { roles: roles.map((name) => ({ name })) }),
            ...(rules.length === 0
              ? {}
              : { access_rules: rules.map(({ path, method, service }) => ({ path, method, service })) }),
          },
        },
        expect: [201],
      },
    );
    const credential = made.body.application_credential;
    return { id: credential.id, outputs: { secret: credential.secret ?? "" }, requestId: made.requestId };
  },

  async read(context, id) {
    const path = await pathOf(context, id);
    const found = await orMissing(() =>
      context.session.request<{ application_credential: Credential }>("identity", "GET", path),
    );
    return found === undefined ? undefined : stateOf(found.body.application_credential);
  },

  /** The rules are the user's; those that no other credential has go too. */
  async delete(context, id, olds) {
    const path = await pathOf(context, id);
    await deleteUnlessGone(context, () => context.session.request("identity", "DELETE", path));
    const userId = await context.session.userId();
    for (const rule of mapsOf(olds, "accessRules").flatMap((one) => textOf(one, "id") ?? [])) {
      const rulePath = `/users/${userId}/access_rules/${rule}`;
      await context.session.request("identity", "DELETE", rulePath, { expect: [204, 403, 404] });
    }
  },
};

async function pathOf({ session }: Context, id?: string): Promise<string> {
  return `/users/${await session.userId()}/application_credentials${id === undefined ? "" : `/${id}`}`;
}

function stateOf(found: Credential): PropertyMap {
  return {
    name: found.name,
    description: found.description ?? "",
    unrestricted: found.unrestricted === true,
    roles: found.roles.map(({ name }) => name).sort(),
    accessRules: (found.access_rules ?? []).map(({ id, path, method, service }) => ({ id, path, method, service })),
    projectId: found.project_id,
    expiresAt: found.expires_at === null ? "" : wholeSeconds(zoned(found.expires_at)),
  };
}

/** The ids are Keystone's. */
function sameRules(state: PropertyValue, input: PropertyValue): boolean {
  const key = (value: PropertyValue) =>
    mapsOf({ value }, "value")
      .map(({ path, method, service }) => JSON.stringify([path, method, service]))
      .sort()
      .join("\n");
  return key(state) === key(input);
}

/** Keystone writes UTC without saying so. */
function zoned(time: string): string {
  return /(Z|[+-]\d\d:?\d\d)$/.test(time) ? time : `${time}Z`;
}

function wholeSeconds(time: string): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}

/** The same second, however it is written. */
function sameTime(state: PropertyValue, input: PropertyValue): boolean {
  const second = (value: PropertyValue) => Math.floor(Date.parse(String(value)) / 1000);
  return second(state) === second(input);
}

function refuseUnlessTime(value: PropertyValue): string | undefined {
  const isTime = typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value);
  return isTime && !Number.isNaN(Date.parse(value)) ? undefined : "must be a time like 2026-01-02T03:04:05Z";
}
