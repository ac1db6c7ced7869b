import type { CloudEntry } from "./clouds-file.ts";

/** Variables that choose a cloud and its files, and belong to none. */
const selectors = new Set(["OS_CLOUD", "OS_CLOUD_NAME", "OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE"]);

/** The OS_* variables as an entry of clouds.yaml: OS_AUTH_URL is `auth_url`. Empty ones are not set. */
export function environmentEntry(env: NodeJS.ProcessEnv): CloudEntry {
  return Object.fromEntries(
    Object.entries(env)
      .filter(([name, value]) => name.startsWith("OS_") && !selectors.has(name) && value)
      .map(([name, value]) => [name.slice("OS_".length).toLowerCase(), value]),
  );
}

/** Settings that nobody has set who does not want to log in with them. */
const ofLogins = /^(auth_url|user_?name|user_id|password|(auth_)?token|application_credential_(id|name|secret))$/;

/** Whether the environment is meant as a cloud. A stray OS_REGION_NAME or OS_DEBUG is not. */
export function logsIn(environment: CloudEntry): boolean {
  return Object.keys(environment).some((key) => ofLogins.test(key));
}

/** The name by which the environment's cloud can be asked for, openstacksdk's. */
export function environmentName(env: NodeJS.ProcessEnv): string {
  return env.OS_CLOUD_NAME || "envvars";
}

/** The Pulumi provider's configuration → keys of an entry: who logs in, and where. */
const loginArguments: Record<string, string> = {
  authUrl: "auth_url",
  userName: "username",
  userId: "user_id",
  password: "password",
  token: "token",
  tenantId: "project_id",
  tenantName: "project_name",
  userDomainId: "user_domain_id",
  userDomainName: "user_domain_name",
  projectDomainId: "project_domain_id",
  projectDomainName: "project_domain_name",
  domainId: "domain_id",
  domainName: "domain_name",
  defaultDomain: "default_domain",
  applicationCredentialId: "application_credential_id",
  applicationCredentialName: "application_credential_name",
  applicationCredentialSecret: "application_credential_secret",
  systemScope: "system_scope",
};

/** The rest: how the cloud is spoken with. These also count on top of an entry of clouds.yaml. */
const connectionArguments: Record<string, string> = {
  endpointType: "endpoint_type",
  cacertFile: "cacert",
  cert: "cert",
  key: "key",
  insecure: "insecure",
};

/** What the provider's configuration calls a setting of an entry. */
export function loginArgument(setting: string): string | undefined {
  return Object.keys(loginArguments).find((argument) => loginArguments[argument] === setting);
}

/** The provider's configuration as an entry. */
export function argumentsEntry(variables: Record<string, string>): CloudEntry {
  return { ...renamed(variables, loginArguments), ...connectionEntry(variables) };
}

/** What of the provider's configuration counts on top of a named cloud, as an entry; `insecure: false` beats the file's `verify`. */
export function connectionEntry(variables: Record<string, string>): CloudEntry {
  const entry = renamed(variables, connectionArguments);
  return "insecure" in entry ? { ...entry, verify: true } : entry;
}

function renamed(variables: Record<string, string>, keys: Record<string, string>): CloudEntry {
  return Object.fromEntries(
    Object.entries(keys).flatMap(([argument, key]) => (variables[argument] ? [[key, variables[argument]]] : [])),
  );
}
