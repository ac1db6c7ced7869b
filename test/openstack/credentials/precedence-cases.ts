import type { PlaceCase } from "./place-cases.ts";
import type { ExpectedCredentials } from "./scenario.ts";

/** What one entry of clouds.yaml makes: of `auth`, where undefined takes a setting of the login away, and of what stands beside it. */
const entry = (
  auth: Record<string, unknown>,
  beside: Record<string, unknown>,
  expected: PlaceCase["expected"],
  rest: Partial<PlaceCase> = {},
): PlaceCase => ({
  ...rest,
  cloud: "mine",
  files: { ...rest.files, "work/clouds.yaml": { clouds: { mine: { auth: { ...login, ...auth }, ...beside } } } },
  expected,
});

const login = {
  auth_url: "{keystone}",
  username: "demo",
  password: "pw",
  project_name: "demo",
  user_domain_name: "Default",
  project_domain_name: "Default",
};
const noUser = { username: undefined, password: undefined, user_domain_name: undefined };
const byCredential = { auth_type: "v3applicationcredential" };
const credential = {
  application_credential_id: "ac",
  application_credential_name: "ci",
  application_credential_secret: "s",
};
const none = { user_domain_name: undefined, project_domain_name: undefined };
const user = (domain: object): ExpectedCredentials => ({ identity: { user: { name: "demo", domain } } });
const project = (domain: object): ExpectedCredentials => ({ project: { name: "demo", domain } });
const certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
const strangers = { differs: "settings of another method in `auth`" };
const incomplete = { differs: "a user that is missing" };
const twoScopes = { differs: "two scopes, as a project beside a domain or the whole cloud" };
const noProject = { project_name: undefined, project_domain_name: undefined };
const asText = { differs: "PEM text in `cacert`, `cert` and `key`" };
const regions = ["North", { name: "South", values: { interface: "internal" } }];

/** By the first cell of the table "Settings": what its last cell says. */
export const precedenceCases: Record<string, PlaceCase[]> = {
  "Keystone's address": [
    entry({ auth_url: "{keystone}/" }, {}, { authUrl: "{keystone}" }),
    entry({ auth_url: "{keystone}/{region_name}/v3" }, { region_name: "North" }, { authUrl: "{keystone}/North/v3" }),
    entry({}, { auth_url: "http://beside.test" }, { authUrl: "{keystone}" }),
  ],
  method: [
    entry({ token: "t", application_credential_id: "ac" }, {}, { identity: { method: "password" } }, strangers),
    entry({ ...noUser, token: "t" }, { auth_type: "v3token" }, { identity: { method: "token" } }),
    entry({}, { auth_type: "v3password" }, { identity: { method: "password" } }),
    entry(
      { ...noUser, token: "t", application_credential_id: "ac" },
      {},
      { identity: { method: "token" } },
      { differs: "a token without `auth_type`" },
    ),
    entry({}, { auth_type: "v3oidcpassword" }, /the cloud mine has auth_type v3oidcpassword, which is not supported/),
  ],
  user: [
    entry({ user_name: "old" }, { username: "beside" }, { identity: { user: { name: "demo" } } }),
    entry({ username: undefined }, {}, /the cloud mine lacks auth\.user_id or auth\.username/, incomplete),
  ],
  "user's id": [entry({ user_id: "77" }, {}, { identity: { user: { id: "77" } } })],
  token: [
    entry({ ...noUser, token: "t", auth_token: "old" }, { auth_type: "token" }, { identity: { token: "t" } }),
    entry({ ...noUser, token: "t" }, { auth_type: "token", token: "beside" }, { identity: { token: "beside" } }),
  ],
  "application credential": [
    entry({ ...noUser, project_name: undefined, ...credential }, byCredential, { identity: { id: "ac" } }),
    entry(
      { ...noUser, ...credential },
      byCredential,
      { identity: { id: "ac" } },
      {
        differs: "a project beside an application credential",
      },
    ),
  ],
  "application credential's name": [
    entry(
      { ...noUser, application_credential_name: "ci", application_credential_secret: "s" },
      byCredential,
      /the cloud mine lacks auth\.user_id or auth\.username/,
      incomplete,
    ),
  ],
  "project's id": [
    entry({ project_id: "1", tenant_id: "2" }, {}, { project: { id: "1" } }),
    entry({ project_id: "1" }, { project_id: "beside" }, { project: { id: "beside" } }),
  ],
  project: [entry({ project_name: "new", tenant_name: "old" }, {}, { project: { name: "new" } })],
  "user's domain's id": [
    entry({ user_domain_id: "u" }, {}, user({ id: "u" })),
    entry({ ...none, user_domain_id: "u", domain_id: "d", project_domain_id: "p" }, {}, user({ id: "u" })),
  ],
  "project's domain's id": [entry({ project_domain_id: "p" }, {}, project({ id: "p" }))],
  "both domains' id": [
    entry({ domain_id: "d" }, {}, { ...user({ id: "d" }), ...project({ id: "d" }) }),
    entry({ ...none, user_domain_id: "u", domain_id: "d" }, {}, { ...user({ id: "u" }), ...project({ id: "d" }) }),
  ],
  "both domains": [
    entry({ domain_name: "Both" }, {}, { ...user({ name: "Default" }), ...project({ name: "Default" }) }),
    entry({ ...none, domain_name: "Both" }, {}, { ...user({ name: "Both" }), ...project({ name: "Both" }) }),
  ],
  "the whole cloud": [
    entry({ system_scope: "all" }, {}, { project: { name: "demo" } }, twoScopes),
    entry({ ...noProject, domain_id: "d", system_scope: "all" }, {}, { domain: { id: "d" } }, twoScopes),
    entry({ ...noProject, system_scope: "all" }, {}, { system: true }),
    entry({ ...noProject, domain_name: "D" }, {}, { ...user({ name: "Default" }), domain: { name: "D" } }),
  ],
  "domain's id by default": [
    entry({ ...none, default_domain_id: "x", domain_id: "d" }, {}, { ...user({ id: "d" }), ...project({ id: "d" }) }),
  ],
  "domain by default": [
    entry(
      { ...none, default_domain_name: "X", domain_name: "D" },
      {},
      { ...user({ name: "D" }), ...project({ name: "D" }) },
    ),
  ],
  "domain for all that have none": [
    entry({ ...none, domain_id: "d" }, { default_domain: "z" }, { ...user({ id: "d" }), ...project({ id: "d" }) }),
  ],
  region: [
    entry(
      {},
      { region_name: "North" },
      { region: "South" },
      {
        variables: { region: "South" },
        differs: "a region that the entry does not name",
      },
    ),
    entry({}, { region_name: "North,South" }, { region: "North" }),
    entry({}, {}, { authUrl: "{keystone}" }),
  ],
  regions: [
    entry({}, { regions, interface: "admin" }, { region: "North", interface: "admin" }),
    entry(
      {},
      { regions, interface: "admin" },
      { region: "South", interface: "internal" },
      { variables: { region: "South" } },
    ),
  ],
  interface: [
    entry({}, { interface: "admin", endpoint_type: "internal" }, { interface: "internal" }),
    entry(
      {},
      { interface: ["internal", "public"] },
      { interface: "internal" },
      {
        differs: "several interfaces in a list",
      },
    ),
    entry({}, { interface: "internal" }, { interface: "admin" }, { variables: { endpointType: "admin" } }),
    entry({}, {}, { interface: "public" }),
    entry({}, { interface: "pubic" }, /the cloud mine has interface pubic, which is not supported/, {
      differs: "an interface that there is not",
    }),
  ],
  "certificate authority": [
    entry({}, { cacert: "ca.pem" }, { tls: { ca: certificate } }, { files: { "work/ca.pem": certificate } }),
    entry({}, { cacert: "~/gone.pem" }, /the cloud mine has a cacert that cannot be read: .*home\/gone\.pem/),
    entry({}, { cacert: "~/gone.pem" }, { tls: { ca: certificate } }, { variables: { cacertFile: certificate } }),
  ],
  "client certificate": [
    entry({}, { cert: certificate, key }, { tls: { cert: certificate, key } }, asText),
    entry({}, { cert: "~/cert.pem" }, /the cloud mine has a cert and lacks its key/, {
      files: { "home/cert.pem": certificate },
      differs: "a client certificate without its key",
    }),
  ],
  "client certificate's key": [
    entry({}, { cert: certificate + key }, { tls: { cert: certificate + key, key: certificate + key } }, asText),
  ],
  "unchecked certificate": [
    entry({}, { insecure: true, verify: true }, { tls: { verify: false } }),
    entry({}, { insecure: false }, { tls: { verify: true } }),
  ],
  "checked certificate": [
    entry({}, { verify: false }, { tls: { verify: true } }, { variables: { insecure: "false" } }),
    entry({}, { verify: true }, { tls: { verify: false } }, { variables: { insecure: "true" } }),
  ],
  "profile in `clouds-public.yaml`": [
    entry(
      {},
      { profile: "hoster", interface: "internal" },
      { interface: "internal", identity: { password: "pw" } },
      {
        files: {
          "work/clouds-public.yaml": {
            "public-clouds": { hoster: { interface: "admin", auth: { password: "theirs" }, regions: ["West"] } },
          },
        },
      },
    ),
  ],
};
