import { type AuthSetting, type AuthSettings, domainOf } from "./auth-settings.ts";
import type { Identity, UserReference } from "./credentials.ts";

type Method = Identity["method"];

/** keystoneauth's names of the methods that Slipway speaks. */
const methods = new Map<string, Method>([
  ["password", "password"],
  ["v3password", "password"],
  ["token", "token"],
  ["v3token", "token"],
  ["v3applicationcredential", "application_credential"],
]);

/** What `auth_type` may be. */
export const authTypes = [...methods.keys()];

/** Says that a setting is missing, and where it was looked for. The alternatives would do as well. */
export type Missing = (setting: AuthSetting, ...alternatives: AuthSetting[]) => Error;

/**
 * Who logs in and how: by the method that `auth_type` names; without it by what is there, a password before a token before an
 * application credential.
 * @param authType undefined where none is set
 * @throws what `missing` makes; undefined is returned for an `auth_type` that Slipway does not speak
 */
export function identityOf(
  settings: AuthSettings,
  authType: string | undefined,
  missing: Missing,
): Identity | undefined {
  const required = (setting: AuthSetting, ...alternatives: AuthSetting[]): string => {
    const value = [setting, ...alternatives].map((name) => settings[name]).find((found) => found !== undefined);
    if (value === undefined) throw missing(setting, ...alternatives);
    return value;
  };
  const user = (): UserReference => {
    const value = required("user_id", "username");
    return settings.user_id === undefined ? { name: value, domain: domainOf(settings, "user") } : { id: value };
  };
  const method = authType === undefined ? likelyMethod(settings) : methods.get(authType);
  switch (method) {
    case "password":
      return { method, user: user(), password: required("password") };
    case "token":
      return { method, token: required("token") };
    case "application_credential": {
      const value = required("application_credential_id", "application_credential_name");
      const secret = required("application_credential_secret");
      const byId = settings.application_credential_id !== undefined;
      return byId ? { method, id: value, secret } : { method, name: value, user: user(), secret };
    }
    case undefined:
      return undefined;
  }
}

function likelyMethod(settings: AuthSettings): Method {
  if (settings.password) return "password";
  if (settings.token) return "token";
  const { application_credential_id: id, application_credential_name: name } = settings;
  return id || name || settings.application_credential_secret ? "application_credential" : "password";
}
