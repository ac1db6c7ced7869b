import type { ExpectedCredentials, Scenario } from "./scenario.ts";

/** A scenario and what is found there; the user's name tells where it is from. Or a refusal's words. */
export interface PlaceCase extends Scenario {
  expected: ExpectedCredentials | RegExp;
}

const user = (name: string): ExpectedCredentials => ({ identity: { user: { name } } });

const entry = (username: string, rest: object = {}) => ({
  ...rest,
  auth: {
    auth_url: "{keystone}",
    username,
    password: "pw",
    project_name: "demo",
    user_domain_id: "default",
    project_domain_id: "default",
  },
});
const clouds = (entries: Record<string, string>) => ({
  clouds: Object.fromEntries(Object.entries(entries).map(([name, username]) => [name, entry(username)])),
});
const variables = {
  OS_AUTH_URL: "{keystone}",
  OS_USERNAME: "environment",
  OS_PASSWORD: "pw",
  OS_PROJECT_NAME: "demo",
  OS_USER_DOMAIN_NAME: "Default",
  OS_PROJECT_DOMAIN_NAME: "Default",
};
const stackFile = {
  authUrl: "{keystone}",
  userName: "stack",
  password: "pw",
  tenantName: "demo",
  domainName: "Default",
};
const three = { "work/clouds.yaml": clouds({ one: "first", two: "second", three: "third" }) };

/** By the first cell of the table "Which cloud". */
export const choiceCases: Record<string, PlaceCase[]> = {
  "`--os-cloud NAME`": [
    {
      files: three,
      env: { ...variables, OS_CLOUD: "two" },
      variables: { cloud: "three" },
      cloud: "one",
      expected: user("first"),
    },
    { files: three, env: variables, cloud: "envvars", expected: user("environment") },
    { files: three, env: { ...variables, OS_CLOUD_NAME: "mine" }, cloud: "mine", expected: user("environment") },
  ],
  "`openstack:cloud` in the stack's file": [
    {
      files: three,
      env: { ...variables, OS_CLOUD: "two" },
      variables: { ...stackFile, cloud: "three" },
      expected: user("third"),
    },
  ],
  "`OS_CLOUD`": [
    { files: three, env: { ...variables, OS_CLOUD: "two" }, expected: user("second") },
    { files: three, env: { ...variables, OS_CLOUD: "two" }, variables: stackFile, expected: user("second") },
    { files: three, env: { ...variables, OS_CLOUD: "" }, expected: user("environment") },
  ],
  "`OS_AUTH_URL`, another variable to log in with, or `openstack:authUrl`": [
    { files: { "work/clouds.yaml": clouds({ one: "first" }) }, env: variables, expected: user("environment") },
    { env: variables, variables: stackFile, expected: user("stack") },
    {
      files: { "work/clouds.yaml": clouds({ one: "first" }) },
      env: { OS_PASSWORD: "pw" },
      expected: /the environment lacks OS_AUTH_URL/,
    },
  ],
  "none of these": [
    {
      files: { "work/clouds.yaml": clouds({ one: "first" }) },
      env: { OS_REGION_NAME: "North" },
      expected: user("first"),
    },
    { files: three, expected: /neither OS_CLOUD nor OS_AUTH_URL is set/ },
  ],
};

/** Two places, of which the first one counts. */
const before = (first: string, second: string, env: Record<string, string> = {}): PlaceCase => ({
  files: { [first]: clouds({ one: "first" }), [second]: clouds({ one: "second" }) },
  env,
  cloud: "one",
  expected: user("first"),
});

/** By the first cell of the table "Files". */
export const fileCases: Record<string, PlaceCase[]> = {
  "`OS_CLIENT_CONFIG_FILE`": [
    before("named.yaml", "work/clouds.yaml", { OS_CLIENT_CONFIG_FILE: "{folder}/named.yaml" }),
    before("named.json", "work/clouds.yaml", { OS_CLIENT_CONFIG_FILE: "../named.json" }),
    before("work/clouds.yaml", "other.yaml", { OS_CLIENT_CONFIG_FILE: "{folder}/gone.yaml" }),
  ],
  "`./clouds.yaml`": [
    before("work/clouds.yaml", "home/.config/openstack/clouds.yaml"),
    {
      files: { "work/clouds.yaml": "", "home/.config/openstack/clouds.yaml": clouds({ one: "second" }) },
      cloud: "one",
      expected: /no cloud one/,
    },
    {
      ...before("work/clouds.yaml", "home/.config/openstack/clouds.yaml"),
      cloud: "two",
      files: {
        "work/clouds.yaml": clouds({ one: "first" }),
        "home/.config/openstack/clouds.yaml": clouds({ two: "second" }),
      },
      expected: /no cloud two/,
    },
  ],
  "`$XDG_CONFIG_HOME/openstack/`": [
    before("xdg/openstack/clouds.yaml", "home/.config/openstack/clouds.yaml", { XDG_CONFIG_HOME: "{folder}/xdg" }),
    before("home/.config/openstack/clouds.yaml", "work/xdg/openstack/clouds.yaml", { XDG_CONFIG_HOME: "xdg" }),
  ],
  "`~/.config/openstack/`": [
    before("home/.config/openstack/clouds.yaml", "site/openstack/clouds.yaml", { XDG_CONFIG_DIRS: "{folder}/site" }),
    before("real/.config/openstack/clouds.yaml", "site/openstack/clouds.yaml", {
      SNAP_REAL_HOME: "{folder}/real",
      XDG_CONFIG_DIRS: "{folder}/site",
    }),
  ],
  "`$XDG_CONFIG_DIRS/openstack/`": [
    {
      files: { "site/openstack/clouds.yaml": clouds({ one: "first" }) },
      env: { XDG_CONFIG_DIRS: "{folder}/site" },
      cloud: "one",
      expected: user("first"),
    },
  ],
  "`clouds.yml`, `clouds.json`": [
    before("work/clouds.yaml", "work/clouds.yml"),
    before("work/clouds.yml", "work/clouds.json"),
    before("work/clouds.json", "home/.config/openstack/clouds.yaml"),
  ],
  "`OS_CLIENT_SECURE_FILE`": [
    {
      files: {
        "work/clouds.yaml": clouds({ one: "first" }),
        "named.yaml": { clouds: { one: { auth: { username: "named" } } } },
        "work/secure.yaml": { clouds: { one: { auth: { username: "beside" } } } },
      },
      env: { OS_CLIENT_SECURE_FILE: "{folder}/named.yaml" },
      cloud: "one",
      expected: user("named"),
    },
  ],
  "`secure.yaml`": [
    {
      files: {
        "work/clouds.yaml": clouds({ one: "first" }),
        "home/.config/openstack/secure.yml": { clouds: { one: { auth: { username: "secret" } } } },
      },
      cloud: "one",
      expected: user("secret"),
    },
    { files: { "work/secure.json": clouds({ one: "secret" }) }, expected: user("secret") },
  ],
  "`clouds-public.yaml`": [
    {
      files: {
        "work/clouds.yaml": { clouds: { one: { profile: "hoster", auth: { username: "first" } } } },
        "home/.config/openstack/clouds-public.yml": { "public-clouds": { hoster: entry("anyone") } },
      },
      cloud: "one",
      expected: user("first"),
    },
    {
      files: {
        "work/clouds.yaml": { clouds: { one: { profile: "hoster" } } },
        "work/clouds-public.yaml": { "public-clouds": { hoster: entry("anyone") } },
      },
      expected: user("anyone"),
    },
  ],
  "`.slipway/clouds.yaml`": [
    {
      files: {
        "work/clouds.yaml": clouds({ one: "first" }),
        "slipway.yaml": clouds({ slipway: "embedded", one: "embedded" }),
      },
      extra: ["slipway.yaml"],
      cloud: "slipway",
      expected: user("embedded"),
    },
    {
      files: {
        "work/clouds.yaml": clouds({ one: "first" }),
        "slipway.yaml": clouds({ slipway: "embedded", one: "embedded" }),
      },
      extra: ["slipway.yaml"],
      cloud: "one",
      expected: user("first"),
    },
  ],
};

/** Rows of the table "Files" that a test cannot make: only the paths are compared. */
export const pathsOnly = ["`/etc/openstack/`"];

const certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const single = { "work/clouds.yaml": clouds({ one: "first" }) };

/** By the first cell of the table "Where Slipway differs from openstacksdk": what Slipway does there, which openstacksdk does not. */
export const differences: Record<string, PlaceCase> = {
  "a file that is not YAML": {
    files: { "work/clouds.yaml": "clouds: [", "home/.config/openstack/clouds.yaml": clouds({ one: "other" }) },
    cloud: "one",
    expected: /work\/clouds\.yaml cannot be read: .*/,
  },
  "no domain anywhere": {
    env: { OS_AUTH_URL: "{keystone}", OS_USERNAME: "nobody's", OS_PASSWORD: "pw", OS_PROJECT_NAME: "demo" },
    expected: user("nobody's"),
  },
  "an application credential without `auth_type`": {
    env: {
      OS_AUTH_URL: "{keystone}",
      OS_APPLICATION_CREDENTIAL_ID: "ac",
      OS_APPLICATION_CREDENTIAL_SECRET: "s",
    },
    expected: { identity: { method: "application_credential", id: "ac", secret: "s" } },
  },
  "a token without `auth_type`": {
    env: { OS_AUTH_URL: "{keystone}", OS_TOKEN: "gAAAA", OS_PROJECT_ID: "4711" },
    expected: { identity: { method: "token", token: "gAAAA" } },
  },
  "`OS_INSECURE=1`": { env: { ...variables, OS_INSECURE: "1" }, expected: { tls: { verify: false } } },
  "another `OS_*` variable alone, beside a single entry": {
    files: single,
    env: { OS_DEBUG: "1" },
    expected: user("first"),
  },
  "several folders in `XDG_CONFIG_DIRS`": {
    files: { "b/openstack/clouds.yaml": clouds({ one: "first" }) },
    env: { XDG_CONFIG_DIRS: "{folder}/a:{folder}/b" },
    cloud: "one",
    expected: user("first"),
  },
  "`auth-type` and `endpoint-type` with dashes": {
    files: {
      "work/clouds.yaml": {
        clouds: {
          one: {
            "auth-type": "token",
            "endpoint-type": "internal",
            auth: { auth_url: "{keystone}", token: "gAAAA", project_id: "4711" },
          },
        },
      },
    },
    cloud: "one",
    expected: { identity: { method: "token", token: "gAAAA" }, interface: "internal" },
  },
  "PEM text in `cacert`, `cert` and `key`": {
    files: { "work/clouds.yaml": { clouds: { one: entry("first", { cacert: certificate }) } } },
    cloud: "one",
    expected: { tls: { ca: certificate } },
  },
  "a profile that openstacksdk brings": {
    files: {
      "work/clouds.yaml": {
        clouds: { one: { profile: "switchengines", auth: { username: "first", password: "pw" } } },
      },
    },
    cloud: "one",
    expected: /the cloud one lacks auth\.auth_url/,
  },
  "settings of another method in `auth`": {
    files: {
      "work/clouds.yaml": { clouds: { one: withSettings("first", { application_credential_id: "ac" }) } },
    },
    cloud: "one",
    expected: { identity: { method: "password", user: { name: "first" } } },
  },
  "a user that is missing": {
    files: { "work/clouds.yaml": { clouds: { one: withSettings("first", { username: undefined }) } } },
    cloud: "one",
    expected: /the cloud one lacks auth\.user_id or auth\.username/,
  },
  "two scopes, as a project beside a domain or the whole cloud": {
    env: { ...variables, OS_SYSTEM_SCOPE: "all" },
    expected: { project: { name: "demo" } },
  },
  "a domain as scope, and a user without one": {
    env: { OS_AUTH_URL: "{keystone}", OS_USERNAME: "demo", OS_PASSWORD: "pw", OS_DOMAIN_NAME: "D" },
    expected: { identity: { user: { name: "demo", domain: { name: "D" } } }, domain: { name: "D" } },
  },
  "a project beside an application credential": {
    env: {
      OS_AUTH_URL: "{keystone}",
      OS_AUTH_TYPE: "v3applicationcredential",
      OS_APPLICATION_CREDENTIAL_ID: "ac",
      OS_APPLICATION_CREDENTIAL_SECRET: "s",
      OS_PROJECT_ID: "4711",
    },
    expected: { identity: { method: "application_credential", id: "ac", secret: "s" } },
  },
  "`default_domain`": {
    env: { ...without(variables, "OS_USER_DOMAIN_NAME"), OS_DEFAULT_DOMAIN: "x5" },
    expected: { identity: { user: { name: "environment", domain: { id: "x5" } } } },
  },
  "several interfaces in a list": {
    files: { "work/clouds.yaml": { clouds: { one: entry("first", { interface: ["internal", "public"] }) } } },
    cloud: "one",
    expected: { interface: "internal" },
  },
  "an interface that there is not": {
    files: { "work/clouds.yaml": { clouds: { one: entry("first", { interface: "pubic" }) } } },
    cloud: "one",
    expected: /the cloud one has interface pubic, which is not supported/,
  },
  "a client certificate without its key": {
    files: {
      "work/clouds.yaml": { clouds: { one: entry("first", { cert: "cert.pem" }) } },
      "work/cert.pem": certificate,
    },
    cloud: "one",
    expected: /the cloud one has a cert and lacks its key/,
  },
  "a region that the entry does not name": {
    files: { "work/clouds.yaml": { clouds: { one: entry("first", { region_name: "North" }) } } },
    cloud: "one",
    variables: { region: "South" },
    expected: { region: "South" },
  },
};

function withSettings(username: string, settings: Record<string, unknown>) {
  const { auth, ...rest } = entry(username);
  return { ...rest, auth: { ...auth, ...settings } };
}

function without(values: Record<string, string>, name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([one]) => one !== name));
}
