import { textOf } from "./cloud-entry.ts";
import type { CloudEntry } from "./clouds-file.ts";
import type { Credentials, DomainReference, ProjectReference } from "./credentials.ts";

/** How each setting may be spelled, the strongest first: a tenant is what a project was called. */
const spellings = {
  auth_url: ["auth_url"],
  username: ["username", "user_name"],
  user_id: ["user_id"],
  password: ["password"],
  token: ["token", "auth_token"],
  project_id: ["project_id", "tenant_id"],
  project_name: ["project_name", "tenant_name"],
  user_domain_id: ["user_domain_id"],
  user_domain_name: ["user_domain_name"],
  project_domain_id: ["project_domain_id"],
  project_domain_name: ["project_domain_name"],
  domain_id: ["domain_id"],
  domain_name: ["domain_name"],
  default_domain_id: ["default_domain_id"],
  default_domain_name: ["default_domain_name"],
  default_domain: ["default_domain"],
  application_credential_id: ["application_credential_id"],
  application_credential_name: ["application_credential_name"],
  application_credential_secret: ["application_credential_secret"],
  system_scope: ["system_scope"],
} as const;

/** A setting of who logs in, where and to what. */
export type AuthSetting = keyof typeof spellings;

/** Those that are set. */
export type AuthSettings = Partial<Record<AuthSetting, string>>;

/** Where both have them, openstacksdk takes these from the entry itself and the others from its `auth`. */
const entryFirst = /^(token|project_(id|name)|((user|project)_)?domain_(id|name))$/;

/** An entry's settings, from its `auth` and from itself. */
export function authSettings(entry: CloudEntry): AuthSettings {
  const auth = typeof entry.auth === "object" ? (entry.auth ?? {}) : {};
  const found = Object.entries(spellings).map(([setting, names]) => {
    const places = entryFirst.test(setting)
      ? names.flatMap((name) => [entry[name], auth[name]])
      : [auth, entry].flatMap((place) => names.map((name) => place[name]));
    return [setting, places.map(textOf).find((value) => value !== undefined)];
  });
  return Object.fromEntries(found.filter(([, value]) => value !== undefined)) as AuthSettings;
}

/** The project to work in; undefined where none is named. */
export function projectOf(settings: AuthSettings): ProjectReference | undefined {
  if (settings.project_id) return { id: settings.project_id };
  const name = settings.project_name;
  return name ? { name, domain: domainOf(settings, "project") } : undefined;
}

/** What is worked in where no project is named: a domain, or the whole cloud; nothing where neither is named. */
export function scopeOf(settings: AuthSettings): Pick<Credentials, "domain" | "system"> {
  if (settings.domain_id !== undefined) return { domain: { id: settings.domain_id } };
  if (settings.domain_name !== undefined) return { domain: { name: settings.domain_name } };
  return /^(all|true|t|1)$/i.test(settings.system_scope ?? "") ? { system: true } : {};
}

/** A user's or project's own domain, else the common one, else Keystone's `default`. An id counts more than a name, wherever it is from. */
export function domainOf(settings: AuthSettings, kind: "user" | "project"): DomainReference {
  const id = settings[`${kind}_domain_id`] ?? settings.domain_id ?? settings.default_domain_id;
  if (id !== undefined) return { id };
  const name = settings[`${kind}_domain_name`] ?? settings.domain_name ?? settings.default_domain_name;
  return name === undefined ? { id: settings.default_domain ?? "default" } : { name };
}
