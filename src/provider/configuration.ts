import { SlipwayError } from "../common/errors.ts";
import type { ServiceType } from "../openstack/catalogue.ts";
import type { SessionOptions } from "../openstack/session.ts";

/** How a value of the provider's configuration is written: all are text, as Pulumi's bridge passes them; numbers and maps are JSON. */
type Form = "text" | "flag" | "count" | "map";

/** The provider's configuration: every key of `@pulumi/openstack` 3.15.2. What text means is read with the credentials. */
const keys: Record<string, Form> = {
  allowReauth: "flag",
  applicationCredentialId: "text",
  applicationCredentialName: "text",
  applicationCredentialSecret: "text",
  authUrl: "text",
  cacertFile: "text",
  cert: "text",
  cloud: "text",
  defaultDomain: "text",
  delayedAuth: "flag",
  disableNoCacheHeader: "flag",
  domainId: "text",
  domainName: "text",
  enableLogging: "flag",
  endpointOverrides: "map",
  endpointType: "text",
  insecure: "flag",
  key: "text",
  maxRetries: "count",
  password: "text",
  projectDomainId: "text",
  projectDomainName: "text",
  region: "text",
  swauth: "flag",
  systemScope: "flag",
  tenantId: "text",
  tenantName: "text",
  token: "text",
  useOctavia: "flag",
  userDomainId: "text",
  userDomainName: "text",
  userId: "text",
  userName: "text",
};

/** Variables that stand in for keys that belong to no cloud's entry. */
const variables: Record<string, string> = {
  allowReauth: "OS_ALLOW_REAUTH",
  delayedAuth: "OS_DELAYED_AUTH",
  swauth: "OS_SWAUTH",
  useOctavia: "OS_USE_OCTAVIA",
};

/** Keys of `endpointOverrides` for services that the provider speaks to. */
const overridable: Record<string, ServiceType> = {
  compute: "compute",
  network: "network",
  image: "image",
  identity: "identity",
  volumev3: "volumev3",
  "object-store": "object-store",
  dns: "dns",
  "key-manager": "key-manager",
  octavia: "load-balancer",
};

/** Keys that the official provider takes for services that ours has no resources of. */
const unused = new Set(["volume", "volumev2", "message", "orchestration", "database", "container-infra", "sharev2"]);

/** How the provider speaks with its cloud, beside who logs in where. */
export interface Conduct {
  /** Whether `configure` logs in, instead of the first call. */
  loginFirst: boolean;
  session: SessionOptions;
}

/**
 * What the configuration says of how the cloud is spoken with.
 * @param given values by key, as text
 * @throws SlipwayError E_CONFIG_INVALID for an unknown key, a value of another form, and what Slipway does not do
 */
export function conductOf(given: Record<string, string>, env: NodeJS.ProcessEnv, log: (line: string) => void): Conduct {
  for (const key of Object.keys(given)) if (keys[key] === undefined) throw unknownKey(key);
  const valueFor = (key: string) => given[key] || env[variables[key] ?? ""] || undefined;
  const flag = (key: string, otherwise: boolean) => readFlag(key, valueFor(key)) ?? otherwise;
  for (const key of Object.keys(keys)) if (keys[key] === "flag") flag(key, false);
  if (flag("swauth", false)) {
    throw invalid(
      "openstack:swauth asks for a login to Swift itself, which is not done",
      "Log in with Keystone instead.",
    );
  }
  const retries = readCount("maxRetries", given.maxRetries) ?? 0;
  return {
    loginFirst: !flag("delayedAuth", true),
    session: {
      reauthenticate: flag("allowReauth", true),
      noCache: !flag("disableNoCacheHeader", false),
      endpoints: readOverrides(given.endpointOverrides),
      ...(flag("useOctavia", true) ? {} : { servedBy: { "load-balancer": "network" } }),
      ...(flag("enableLogging", false) ? { log } : {}),
      ...(retries > 0 ? { retries: { attempts: retries + 1 } } : {}),
    },
  };
}

/** Go's words for yes and no. */
function readFlag(key: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalid(`openstack:${key} must be true or false, not ${JSON.stringify(value)}`);
}

function readCount(key: string, value: string | undefined): number | undefined {
  if (!value) return undefined;
  if (/^\d+$/.test(value)) return Number(value);
  throw invalid(`openstack:${key} must be a whole number, not ${JSON.stringify(value)}`);
}

function readOverrides(value: string | undefined): Partial<Record<ServiceType, string>> {
  if (!value) return {};
  const overrides = parsed(value);
  if (typeof overrides !== "object" || overrides === null || Array.isArray(overrides)) throw noOverrides(value);
  const endpoints: Partial<Record<ServiceType, string>> = {};
  for (const [key, address] of Object.entries(overrides as Record<string, unknown>)) {
    const service = overridable[key];
    if (service === undefined && !unused.has(key)) {
      throw invalid(
        `openstack:endpointOverrides has no service ${key}`,
        `Choose from ${[...Object.keys(overridable), ...unused].join(", ")}.`,
      );
    }
    if (typeof address !== "string" || !URL.canParse(address)) {
      throw invalid(
        `openstack:endpointOverrides: ${key} must be an address with its version, not ${JSON.stringify(address)}`,
      );
    }
    if (service !== undefined) endpoints[service] = address;
  }
  return endpoints;
}

function parsed(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    throw noOverrides(value);
  }
}

function noOverrides(value: string): SlipwayError {
  return invalid(`openstack:endpointOverrides must be a map of services to addresses, not ${value}`);
}

function unknownKey(key: string): SlipwayError {
  return invalid(
    `the OpenStack provider has no setting openstack:${key}`,
    `Choose from ${Object.keys(keys).join(", ")}.`,
  );
}

function invalid(message: string, hint = "Correct it in the stack's file."): SlipwayError {
  return new SlipwayError("E_CONFIG_INVALID", message, { hint });
}
