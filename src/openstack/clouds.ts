import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { SlipwayError } from "../common/errors.ts";
import { type CloudEntry, type CloudsFileSearch, cloudsFileCandidates, findCloud } from "./clouds-file.ts";
import type {
  Credentials,
  DomainReference,
  Identity,
  ProjectReference,
  TlsSettings,
  UserReference,
} from "./credentials.ts";

/** Where credentials come from, in falling precedence: `cloud` entry, else `variables`, else OS_* of the environment. */
export interface CredentialsQuery extends CloudsFileSearch {
  /** An entry of clouds.yaml; OS_CLOUD unless given. */
  cloud?: string;
  /** Configuration of the Pulumi provider, by its own names (`authUrl`, `userName`, …). */
  variables?: Record<string, string>;
}

/** Flat settings with the names that clouds.yaml uses inside `auth`. */
type AuthSettings = Record<string, string | undefined>;

/**
 * Finds credentials as openstacksdk does: with a named cloud its entry alone decides (only region and TLS files may be
 * overridden by the provider's configuration); without one, the provider's configuration and OS_* variables.
 * @throws SlipwayError E_CREDENTIALS_MISSING that names the missing piece
 */
export async function findCredentials(query: CredentialsQuery = {}): Promise<Credentials> {
  const env = query.env ?? process.env;
  const variables = query.variables ?? {};
  const asked = query.cloud ?? variables.cloud;
  const name = asked ?? (variables.authUrl === undefined ? env.OS_CLOUD : undefined);
  if (name === undefined) {
    const settings = settingsFromVariables(variables, env);
    if (settings.auth_url !== undefined) {
      return complete(settings, { where: "the OS_* variables", variables, env });
    }
  }
  const found = await findCloud(name, query);
  if (found === undefined) throw noCloud(name, query);
  return complete(settingsFromEntry(found.entry), {
    where: `cloud ${name ?? "(the only one)"} in ${found.file}`,
    variables,
    env: {},
    entry: found.entry,
    ...(name === undefined ? {} : { cloud: name }),
  });
}

interface Origin {
  where: string;
  variables: Record<string, string>;
  env: NodeJS.ProcessEnv;
  entry?: CloudEntry;
  cloud?: string;
}

async function complete(settings: AuthSettings, origin: Origin): Promise<Credentials> {
  const { variables, env, entry = {} } = origin;
  const authUrl = settings.auth_url ?? missing("auth_url", origin);
  const region = variables.region ?? env.OS_REGION_NAME ?? text(entry.region_name);
  const project = projectOf(settings);
  return {
    authUrl: authUrl.replace(/\/+$/, ""),
    identity: identityOf(settings, text(entry.auth_type) ?? env.OS_AUTH_TYPE, origin),
    interface: interfaceOf(variables.endpointType ?? text(entry.interface) ?? env.OS_INTERFACE ?? env.OS_ENDPOINT_TYPE),
    tls: await tlsOf(variables, env, entry),
    ...(project === undefined ? {} : { project }),
    ...(region === undefined || region === "" ? {} : { region }),
    ...(origin.cloud === undefined ? {} : { cloud: origin.cloud }),
  };
}

/** The method: `auth_type` if told, else what is there, a password before a token before an application credential. */
function identityOf(settings: AuthSettings, authType: string | undefined, origin: Origin): Identity {
  const wants = (kind: string) => authType?.replace(/^v3/, "").replace(/[_-]/g, "") === kind;
  const free = authType === undefined || wants("");
  if (wants("applicationcredential") || (free && !settings.password && !settings.token && credentialNamed(settings))) {
    const secret = settings.application_credential_secret ?? missing("application_credential_secret", origin);
    if (settings.application_credential_id !== undefined) {
      return { method: "application_credential", id: settings.application_credential_id, secret };
    }
    const name = settings.application_credential_name ?? missing("application_credential_id", origin);
    return { method: "application_credential", name, user: userOf(settings, origin), secret };
  }
  if (wants("token") || (free && !settings.password && settings.token)) {
    return { method: "token", token: settings.token ?? missing("token", origin) };
  }
  if (!free && !wants("password")) {
    throw new SlipwayError("E_CREDENTIALS_MISSING", `${origin.where}: auth_type ${authType} is not supported`, {
      hint: "Use password, token or v3applicationcredential.",
    });
  }
  const user = userOf(settings, origin);
  return { method: "password", user, password: settings.password ?? missing("password", origin) };
}

function credentialNamed(settings: AuthSettings): boolean {
  return Boolean(settings.application_credential_id ?? settings.application_credential_name);
}

function userOf(settings: AuthSettings, origin: Origin): UserReference {
  if (settings.user_id) return { id: settings.user_id };
  const name = settings.username ?? missing("username", origin);
  return { name, domain: domainOf(settings, "user") };
}

function projectOf(settings: AuthSettings): ProjectReference | undefined {
  const id = settings.project_id ?? settings.tenant_id;
  if (id) return { id };
  const name = settings.project_name ?? settings.tenant_name;
  return name ? { name, domain: domainOf(settings, "project") } : undefined;
}

/** A user's or project's own domain, else the common one, else Keystone's `default`. */
function domainOf(settings: AuthSettings, kind: "user" | "project"): DomainReference {
  const id = settings[`${kind}_domain_id`];
  const name = settings[`${kind}_domain_name`];
  if (id) return { id };
  if (name) return { name };
  if (settings.domain_id) return { id: settings.domain_id };
  if (settings.domain_name) return { name: settings.domain_name };
  return { id: settings.default_domain ?? "default" };
}

function settingsFromEntry(entry: CloudEntry): AuthSettings {
  const settings: AuthSettings = {};
  for (const [key, value] of Object.entries(entry.auth ?? {})) settings[key] = text(value);
  settings.default_domain ??= text(entry.default_domain);
  return settings;
}

/** Name inside `auth` → the provider's configuration variable and the environment's. */
const sources: Record<string, { variable: string; env: string[] }> = {
  auth_url: { variable: "authUrl", env: ["OS_AUTH_URL"] },
  username: { variable: "userName", env: ["OS_USERNAME"] },
  user_id: { variable: "userId", env: ["OS_USER_ID"] },
  password: { variable: "password", env: ["OS_PASSWORD"] },
  token: { variable: "token", env: ["OS_TOKEN", "OS_AUTH_TOKEN"] },
  project_id: { variable: "tenantId", env: ["OS_TENANT_ID", "OS_PROJECT_ID"] },
  project_name: { variable: "tenantName", env: ["OS_TENANT_NAME", "OS_PROJECT_NAME"] },
  user_domain_id: { variable: "userDomainId", env: ["OS_USER_DOMAIN_ID"] },
  user_domain_name: { variable: "userDomainName", env: ["OS_USER_DOMAIN_NAME"] },
  project_domain_id: { variable: "projectDomainId", env: ["OS_PROJECT_DOMAIN_ID"] },
  project_domain_name: { variable: "projectDomainName", env: ["OS_PROJECT_DOMAIN_NAME"] },
  domain_id: { variable: "domainId", env: ["OS_DOMAIN_ID"] },
  domain_name: { variable: "domainName", env: ["OS_DOMAIN_NAME"] },
  default_domain: { variable: "defaultDomain", env: ["OS_DEFAULT_DOMAIN"] },
  application_credential_id: { variable: "applicationCredentialId", env: ["OS_APPLICATION_CREDENTIAL_ID"] },
  application_credential_name: { variable: "applicationCredentialName", env: ["OS_APPLICATION_CREDENTIAL_NAME"] },
  application_credential_secret: {
    variable: "applicationCredentialSecret",
    env: ["OS_APPLICATION_CREDENTIAL_SECRET"],
  },
};

function settingsFromVariables(variables: Record<string, string>, env: NodeJS.ProcessEnv): AuthSettings {
  return Object.fromEntries(
    Object.entries(sources).map(([setting, source]) => [
      setting,
      [variables[source.variable], ...source.env.map((name) => env[name])].find((value) => value),
    ]),
  );
}

async function tlsOf(
  variables: Record<string, string>,
  env: NodeJS.ProcessEnv,
  entry: CloudEntry,
): Promise<TlsSettings> {
  const insecure = (variables.insecure ?? env.OS_INSECURE ?? "").toLowerCase();
  const ca = await pem(variables.cacertFile ?? env.OS_CACERT ?? text(entry.cacert));
  const cert = await pem(variables.cert ?? env.OS_CERT ?? text(entry.cert));
  const key = await pem(variables.key ?? env.OS_KEY ?? text(entry.key));
  return {
    verify: insecure === "" ? entry.verify !== false : insecure !== "true" && insecure !== "1",
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** PEM text as given, or the content of the file it names (`~` is the home folder). */
async function pem(value: string | undefined): Promise<string | undefined> {
  if (value === undefined || value === "") return undefined;
  if (value.includes("-----BEGIN")) return value;
  return readFile(
    value.replace(/^~(?=\/)/, () => join(homedir())),
    "utf8",
  );
}

function interfaceOf(value: string | undefined): Credentials["interface"] {
  const plain = value?.replace(/URL$/, "");
  return plain === "internal" || plain === "admin" ? plain : "public";
}

function text(value: unknown): string | undefined {
  return value === undefined || value === null || value === "" ? undefined : String(value);
}

function missing(piece: string, { where }: Origin): never {
  const variable = sources[piece]?.env[0] ?? piece;
  throw new SlipwayError("E_CREDENTIALS_MISSING", `${where}: ${piece} is missing`, {
    hint: `Add auth.${piece} to the entry of clouds.yaml (or secure.yaml), or set ${variable}.`,
  });
}

function noCloud(name: string | undefined, query: CredentialsQuery): SlipwayError {
  const searched = [...cloudsFileCandidates(query), ...(query.extraFiles ?? [])];
  const message =
    name === undefined
      ? "neither OS_CLOUD nor OS_AUTH_URL is set and no clouds.yaml with a single entry was found"
      : `there is no cloud ${name} in clouds.yaml`;
  return new SlipwayError("E_CREDENTIALS_MISSING", message, {
    hint: "Start the embedded cloud with `slipway cloud start`, or name an entry of your clouds.yaml with --os-cloud or OS_CLOUD.",
    details: searched.map((path) => `searched: ${path}`),
  });
}
