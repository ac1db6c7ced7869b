import { ApiError } from "../http/api-error.ts";
import { pythonRepr, pythonText } from "../http/python-repr.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { neutron } from "./errors.ts";
import { type Converter, isObject, nonNegative, text, toInteger, type Validator } from "./validators.ts";

/** Who may set an attribute, by Neutron's default policy. */
export type Privilege = "anyone" | "admin" | "network owner" | "network owner or shared";

interface Rules {
  convert?: Converter;
  /** For filters that are not compared as they are kept. */
  convertFilter?: Converter;
  validate?: Validator;
  /** There where Neutron asks its policy for this attribute by name. */
  privilege?: Privilege | ((value: unknown) => Privilege);
  /** There where it takes more to change it than to give it. */
  changePrivilege?: Privilege;
  /** Policy of keys inside, e.g. `external_gateway_info:enable_snat`. */
  parts?: Record<string, Privilege>;
  /** Asking for what is there without asking needs no privilege. */
  default?: unknown;
}

/** What Neutron's API says of one attribute of a resource (neutron-lib's `RESOURCE_ATTRIBUTE_MAP`). */
export interface Attribute<T = unknown> extends Rules {
  flags: string;
  /** Never there: carries the type of the value. */
  readonly type?: T;
}

export type Attributes = Record<string, Attribute>;

/** The attributes of a request's body that were given, checked and converted. */
export type Values<A extends Attributes> = { [K in keyof A]?: A[K] extends Attribute<infer T> ? T | undefined : never };

/**
 * Declares an attribute.
 * @param flags what it is there for: `c` may be given at creation, `r` must be, `u` may be changed, `f` filters lists, `s` sorts them
 */
export function attribute<T>(flags: string, rules: Rules = {}): Attribute<T> {
  return { flags, ...rules };
}

const has = ({ flags }: Attribute, flag: "c" | "r" | "u" | "f" | "s") => flags.includes(flag);

/** Attributes that every resource with a project has. */
export const ownerAttributes = {
  id: attribute<string>("fs"),
  tenant_id: attribute<string>("cufs", { validate: text(255) }),
  project_id: attribute<string>("cufs", { validate: text(255) }),
};

/** Those of resources with Neutron's standard attributes besides. */
export const standardAttributes = {
  ...ownerAttributes,
  description: attribute<string>("cufs", { validate: text(255) }),
  tags: attribute<string[]>("f"),
  "tags-any": attribute<string[]>("f"),
  "not-tags": attribute<string[]>("f"),
  "not-tags-any": attribute<string[]>("f"),
  changed_since: attribute<string>("f"),
  created_at: attribute<string>("s"),
  updated_at: attribute<string>("s"),
  revision_number: attribute<number>("fs", { convertFilter: toInteger, validate: nonNegative }),
};

/** Neutron's own 400s, before a plugin sees the request. */
const refuse = (message: string) => new ApiError(400, message, "HTTPBadRequest");

/**
 * Reads a resource out of a request's body as Neutron does: ownership, unknown attributes, what may be given, then each value.
 * @throws ApiError 400 in neutron-lib's words
 */
export function readAttributes<A extends Attributes>(
  attributes: A,
  scope: Scope,
  input: unknown,
  use: "create" | "update",
): Values<A> {
  const body = withOwner(scope, { ...(input as Record<string, unknown>) }, use);
  const unknown = Object.keys(body).filter(
    (name) => !(name in attributes) || name.includes("-") || name === "changed_since",
  );
  if (unknown.length > 0) throw refuse(`Unrecognized attribute(s) '${unknown.join(", ")}'`);
  for (const [name, each] of Object.entries(attributes)) {
    if (use === "create" && has(each, "r") && !(name in body)) {
      throw refuse(`Failed to parse request. Required attribute '${name}' not specified`);
    }
    if (use === "create" && !has(each, "c") && name in body) throw refuse(`Attribute '${name}' not allowed in POST`);
    if (use === "update" && !has(each, "u") && name in body) throw refuse(`Cannot update read-only attribute ${name}`);
  }
  for (const [name, each] of Object.entries(attributes)) {
    if (!(name in body)) continue;
    if (each.convert !== undefined) body[name] = each.convert(body[name]);
    const reason = each.validate?.(body[name]);
    if (reason !== undefined) throw refuse(`Invalid input for ${name}. Reason: ${reason}.`);
  }
  return body as Values<A>;
}

function withOwner(scope: Scope, body: Record<string, unknown>, use: "create" | "update"): Record<string, unknown> {
  const given = body.project_id ?? body.tenant_id;
  if (given === undefined) return body;
  if (body.project_id !== undefined && body.tenant_id !== undefined && body.project_id !== body.tenant_id) {
    throw refuse("'project_id' and 'tenant_id' do not match");
  }
  if (given !== scope.project?.id && !isAdmin(scope)) {
    throw refuse(
      "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin or advsvc privileges",
    );
  }
  if (use === "update") throw refuse("Cannot update read-only attribute tenant_id");
  return body;
}

/**
 * Refuses what the scope may not set.
 * @param action e.g. `create_network`
 * @param may whether the scope has a privilege towards the network that the resource lies in
 * @throws ApiError 403 with the rule that Neutron would name
 */
export function demandPrivileges(
  attributes: Attributes,
  action: string,
  body: Record<string, unknown>,
  may: (privilege: Privilege) => boolean,
): void {
  const rules: string[] = [];
  let allowed = true;
  for (const [name, each] of Object.entries(attributes)) {
    if (each.privilege === undefined || body[name] === undefined) continue;
    if (action.startsWith("create_") && body[name] === each.default) continue;
    allowed &&= may(privilegeOf(each, action, body[name]));
    const parts = partsGiven(each, body[name]);
    for (const part of parts) allowed &&= may(each.parts?.[part] ?? "anyone");
    const rule = `rule:${action}:${name}`;
    const inner = parts.map((part) => `${rule}:${part}`).join(" and ");
    rules.push(parts.length === 0 ? rule : `(${rule} and (${inner}))`);
  }
  if (!allowed) throw neutron.disallowed(rules.reduce((all, rule) => `(${all} and ${rule})`, `rule:${action}`));
}

function privilegeOf({ privilege = "anyone", changePrivilege }: Attribute, action: string, value: unknown): Privilege {
  if (changePrivilege !== undefined && action.startsWith("update_")) return changePrivilege;
  return typeof privilege === "function" ? privilege(value) : privilege;
}

function partsGiven({ parts }: Attribute, value: unknown): string[] {
  if (parts === undefined) return [];
  const items = Array.isArray(value) ? value : [value];
  return Object.keys(parts).filter((part) => items.some((item) => isObject(item) && part in item));
}

/** The values that a list is filtered by. @throws ApiError 400 for what is no filter or no value */
export function readFilters(attributes: Attributes, filters: [string, string[]][]): [string, unknown[]][] {
  const invalid = filters.map(([name]) => name).filter((name) => !has(ownOf(attributes, name), "f"));
  if (invalid.length > 0) throw refuse(`${pythonRepr(invalid)} is invalid attribute for filtering`);
  return filters.map(([name, values]) => {
    const { convertFilter, convert: plain } = ownOf(attributes, name);
    const convert = convertFilter ?? plain;
    return [name, convert === undefined ? values : values.map(convert)];
  });
}

/** The attribute of that name; one that allows nothing where there is none, also for names that every object has. */
function ownOf(attributes: Attributes, name: string) {
  return (Object.hasOwn(attributes, name) ? attributes[name] : undefined) ?? attribute("");
}

/** What a list is sorted by. @throws ApiError 400 for what is no sort key or direction */
export function readSorts(attributes: Attributes, keys: string[], directions: string[]): [string, "asc" | "desc"][] {
  if (keys.length !== directions.length) throw refuse("The number of sort_keys and sort_dirs must be same");
  const absent = keys.filter((key) => !has(ownOf(attributes, key), "s"));
  if (absent.length > 0) throw refuse(`${pythonRepr(absent)} is invalid attribute for sort_keys`);
  const invalid = directions.filter((direction) => direction !== "asc" && direction !== "desc");
  if (invalid.length > 0) {
    throw refuse(`${pythonRepr(invalid)} is invalid value for sort_dirs, valid value is 'asc' and 'desc'`);
  }
  return keys.map((key, index) => [key, directions[index] as "asc" | "desc"]);
}

/** A key-value filter: `fixed_ips=ip_address=10.0.0.5`. */
export const toKeyAndValue: Converter = (value) => {
  const given = pythonText(value);
  const at = given.indexOf("=");
  if (at < 1) throw neutron.invalidInput(`'${given}' is not of the form <key>=[value]`);
  return [given.slice(0, at).trim(), given.slice(at + 1).trim()];
};
