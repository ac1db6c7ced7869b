import type { PropertyMap, PropertyValue } from "../../engine/resource-provider.ts";
import { OpenStackError } from "../../openstack/errors.ts";
import { orMissing } from "../../openstack/missing.ts";
import { listAll } from "../../openstack/pages.ts";
import { deleteUnlessGone, untilStatus } from "../../openstack/waiting.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { type ApiObject, fromApi, toApi } from "../schema/api-form.ts";
import { aString, flag, integer, map, object, type Properties, set, text } from "../schema/property.ts";
import { isMap, textOf } from "../schema/values.ts";
import { aclBody, aclState } from "./acl.ts";
import { ensureMetadata, metadataOf } from "./metadata.ts";

const types = ["symmetric", "public", "private", "passphrase", "certificate", "opaque"];
const contentTypes = [
  "text/plain",
  "text/plain;charset=utf-8",
  "text/plain; charset=utf-8",
  "application/octet-stream",
  "application/pkcs8",
];

const properties: Properties = {
  region: text({ computed: true, replaces: true }),
  name: text({ field: "name", replaces: true }),
  secretType: text({ field: "secret_type", computed: true, replaces: true, allowed: types }),
  algorithm: text({ field: "algorithm", computed: true, replaces: true }),
  bitLength: integer({ field: "bit_length", computed: true, replaces: true }),
  mode: text({ field: "mode", computed: true, replaces: true }),
  expiration: text({ field: "expiration", replaces: true, refuse: refuseUnlessTime, same: sameTime }),
  payload: text({ secret: true, replaces: true, same: samePayload }),
  payloadContentType: text({ replaces: true, allowed: contentTypes, same: sameMediaType }),
  payloadContentEncoding: text({ kept: true, replaces: true, allowed: ["base64", "binary"] }),
  metadata: map({ kept: true }),
  allMetadata: map({ output: true, computed: true }),
  acl: object(
    {
      read: object(
        {
          projectAccess: flag({ default: true }),
          users: set(aString),
          createdAt: text({ output: true, computed: true }),
          updatedAt: text({ output: true, computed: true }),
        },
        { computed: true },
      ),
    },
    { computed: true },
  ),
  status: text({ field: "status", output: true, computed: true }),
  secretRef: text({ field: "secret_ref", output: true, computed: true }),
  creatorId: text({ field: "creator_id", output: true, computed: true }),
  contentTypes: map({ field: "content_types", output: true, computed: true }),
  createdAt: text({ output: true, computed: true }),
  updatedAt: text({ output: true, computed: true }),
};

/** `openstack_keymanager_secret_v1`: made without its content, which follows when the access to it is settled. */
export const secret: ResourceKind = {
  type: "openstack:keymanager/secretV1:SecretV1",
  autoName: true,
  timeouts: { create: 1800, update: 1800, delete: 1800 },
  properties,

  async create({ session }, inputs) {
    const given = Object.entries(toApi(properties, inputs)).filter(([, value]) => value !== "" && value !== 0);
    const made = await session.request<{ secret_ref: string }>("key-manager", "POST", "/secrets", {
      body: Object.fromEntries(given),
      expect: [201],
    });
    return { id: idOf(made.body.secret_ref), requestId: made.requestId };
  },

  async settle(context, id, inputs, olds) {
    await untilStatus(context, `secret ${id}`, ["ACTIVE"], async () => {
      const api = await show(context, id);
      return api && { status: String(api.status) };
    });
    if (olds.status !== undefined) return; // read before: the create was finished
    if (isMap(inputs.acl)) await setAcl(context, "PUT", id, inputs.acl);
    await ensurePayload(context, id, inputs);
    await ensureMetadata(context, id, inputs, await metadataOf(context, id));
  },

  async read(context, id, inputs) {
    const api = await show(context, id);
    if (api === undefined) return undefined;
    const [metadata, acl, payload] = await Promise.all([
      metadataOf(context, id),
      aclState(context, id),
      payloadOf(context, id, api, inputs),
    ]);
    return {
      ...fromApi(properties, api),
      expiration: typeof api.expiration === "string" ? goTime(api.expiration) : "",
      createdAt: goTime(String(api.created)),
      updatedAt: goTime(String(api.updated)),
      // a program that gives a content without its type means text
      payloadContentType: textOf(inputs, "payload") && !inputs.payloadContentType ? "" : contentTypeOf(api),
      payload,
      allMetadata: metadata,
      acl,
    };
  },

  async update(context, id, { inputs, olds, changed }) {
    if (changed.has("acl") && isMap(inputs.acl)) await setAcl(context, "PATCH", id, inputs.acl);
    if (!changed.has("metadata")) return;
    const former = isMap(olds.metadata) ? Object.keys(olds.metadata) : [];
    await ensureMetadata(context, id, inputs, await metadataOf(context, id), former);
  },

  delete: (context, id) =>
    deleteUnlessGone(context, () => context.session.request("key-manager", "DELETE", `/secrets/${id}`)),

  async candidates({ session }, inputs) {
    const query = { name: textOf(inputs, "name") };
    const found = await listAll<ApiObject>(session, "key-manager", "/secrets", "secrets", query);
    return found.map((api) => ({ id: idOf(String(api.secret_ref)), createdAt: String(api.created) }));
  },
};

/** `https://HOST/v1/secrets/ID` */
function idOf(reference: string): string {
  return reference.split("/").at(-1) ?? "";
}

async function show({ session }: Context, id: string): Promise<ApiObject | undefined> {
  return (await orMissing(() => session.request<ApiObject>("key-manager", "GET", `/secrets/${id}`)))?.body;
}

function contentTypeOf(api: ApiObject): string {
  return (api.content_types as { default?: string } | null | undefined)?.default ?? "";
}

function setAcl({ session }: Context, method: "PUT" | "PATCH", id: string, acl: PropertyMap): Promise<unknown> {
  return session.request("key-manager", method, `/secrets/${id}/acl`, { body: aclBody(acl) });
}

/** Barbican takes a content once: one that is there already is that of an interrupted create. */
async function ensurePayload(context: Context, id: string, inputs: PropertyMap): Promise<void> {
  const payload = textOf(inputs, "payload");
  if (payload === undefined || contentTypeOf((await show(context, id)) ?? {}) !== "") return;
  const encoding = textOf(inputs, "payloadContentEncoding");
  await context.session.request("key-manager", "PUT", `/secrets/${id}`, {
    body: payload,
    headers: {
      "content-type": textOf(inputs, "payloadContentType") ?? "text/plain",
      ...(encoding === undefined ? {} : { "content-encoding": encoding }),
    },
    expect: [204],
  });
}

/** Text as it is, anything else as base64; what the state has where the content may not be read: that is no difference. */
async function payloadOf({ session }: Context, id: string, api: ApiObject, inputs: PropertyMap): Promise<string> {
  const type = contentTypeOf(api);
  if (type === "") return "";
  try {
    const headers = { accept: type };
    const { bytes } = await session.request("key-manager", "GET", `/secrets/${id}/payload`, { headers });
    return bytes.toString(type.startsWith("text/") ? "utf8" : "base64");
  } catch (error) {
    if (error instanceof OpenStackError && error.status === 403) return textOf(inputs, "payload") ?? "";
    throw error;
  }
}

/** RFC 3339 as Go writes it: whole seconds; Barbican's times are UTC and say no zone. */
function goTime(time: string): string {
  const parsed = new Date(/Z$|[+-]\d\d:\d\d$/.test(time) ? time : `${time}Z`);
  return Number.isNaN(parsed.getTime()) ? time : `${parsed.toISOString().slice(0, 19)}Z`;
}

function refuseUnlessTime(value: PropertyValue): string | undefined {
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(String(value));
  return isTime && !Number.isNaN(Date.parse(String(value))) ? undefined : "must be a time like 2030-01-01T00:00:00Z";
}

function sameTime(state: PropertyValue, input: PropertyValue): boolean {
  return goTime(String(state)) === goTime(String(input));
}

function samePayload(state: PropertyValue, input: PropertyValue): boolean {
  return String(state).trim() === String(input).trim();
}

/** Barbican stores the type without its character set. */
function sameMediaType(state: PropertyValue, input: PropertyValue): boolean {
  const bare = (value: PropertyValue) => String(value).split(";")[0]?.trim().toLowerCase();
  return bare(state) === bare(input);
}
