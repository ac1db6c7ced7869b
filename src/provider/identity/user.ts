import type { PropertyMap } from "../../engine/resource-provider.ts";
import type { ResourceKind } from "../kind.ts";
import type { ApiObject } from "../schema/api-form.ts";
import { anObject, aString, flag, list, map, text } from "../schema/property.ts";
import { isMap, mapsOf, textsOf } from "../schema/values.ts";
import { keystoneKind } from "./keystone.ts";

/** Options of a user, by property. */
const options: Record<string, string> = {
  ignoreChangePasswordUponFirstUse: "ignore_change_password_upon_first_use",
  ignoreLockoutFailureAttempts: "ignore_lockout_failure_attempts",
  ignorePasswordExpiry: "ignore_password_expiry",
  multiFactorAuthEnabled: "multi_factor_auth_enabled",
};

/** Keystone's own members of a user; everything else is what somebody has added. */
const ownMembers = new Set(
  "id name domain_id default_project_id description enabled links options password_expires_at federated".split(" "),
);

/** `openstack_identity_user_v3` */
export const user: ResourceKind = keystoneKind({
  type: "openstack:identity/user:User",
  path: "users",
  member: "user",
  properties: {
    region: text({ computed: true, replaces: true }),
    name: text({ field: "name" }),
    description: text({ field: "description" }),
    domainId: text({ field: "domain_id", computed: true }),
    defaultProjectId: text({ field: "default_project_id", computed: true }),
    enabled: flag({ field: "enabled", default: true }),
    password: text({ field: "password", kept: true, secret: true }),
    extra: map(),
    ...Object.fromEntries(Object.keys(options).map((name) => [name, flag({ kept: true })])),
    multiFactorAuthRules: list(anObject({ rules: list(aString, { required: true }) })),
  },
  moreBody: (inputs, changed) => ({
    ...(changed === undefined || changed.has("extra") ? extraOf(inputs) : {}),
    ...optionsField(inputs, changed),
  }),
  readMore: (api) => ({ extra: addedTo(api), multiFactorAuthRules: rulesOf(api) }),
});

function extraOf(inputs: PropertyMap): ApiObject {
  return isMap(inputs.extra) ? inputs.extra : {};
}

function optionsField(inputs: PropertyMap, changed?: ReadonlySet<string>): ApiObject {
  const named = Object.entries(options).filter(([name]) => changed?.has(name) ?? inputs[name] === true);
  const sent: ApiObject = Object.fromEntries(named.map(([name, option]) => [option, inputs[name] === true]));
  const rules = mapsOf(inputs, "multiFactorAuthRules").map((one) => textsOf(one, "rules"));
  if (changed?.has("multiFactorAuthRules") ?? rules.length > 0) sent.multi_factor_auth_rules = rules;
  return Object.keys(sent).length === 0 ? {} : { options: sent };
}

function rulesOf(api: ApiObject): PropertyMap[] {
  const told = (api.options as { multi_factor_auth_rules?: string[][] } | undefined)?.multi_factor_auth_rules ?? [];
  return told.map((rules) => ({ rules }));
}

function addedTo(api: ApiObject): PropertyMap {
  const added = Object.entries(api).filter(([name, value]) => !ownMembers.has(name) && typeof value === "string");
  return Object.fromEntries(added) as PropertyMap;
}
