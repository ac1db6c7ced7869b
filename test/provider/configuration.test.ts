import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { ResourceProvider } from "../../src/engine/resource-provider.ts";
import { createOpenStackProvider } from "../../src/provider/provider.ts";
import { type Asked, ScriptedCloud } from "../openstack/scripted-cloud.ts";
import { makeCertificates } from "../support/certificates.ts";
import official from "./configuration-facts.json" with { type: "json" };
import { resource } from "./test-cloud.ts";

// Every key of the provider's configuration does what it says, by the key itself and by each variable that stands in for it.

const folder = mkdtempSync(join(tmpdir(), "slipway-configuration-"));
const certificates = makeCertificates(folder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let cloud: ScriptedCloud;
let secure: ScriptedCloud | undefined;
const opened: ResourceProvider[] = [];
beforeEach(async () => {
  cloud = await ScriptedCloud.start();
});
afterEach(async () => {
  for (const provider of opened.splice(0)) await provider.close();
  await cloud.stop();
  await secure?.stop();
  secure = undefined;
});

/** What was asked of the cloud, and what came of it. */
interface Outcome {
  asked: Asked[];
  /** What Keystone was asked for. */
  auth: Record<string, unknown>;
  failure: unknown;
  /** What `enableLogging` wrote. */
  log: string[];
}

interface Case {
  /** A value of the key, and of its variables. */
  value: string | (() => string);
  /** The other settings; a password login without it. */
  beside?: Record<string, string> | (() => Record<string, string>);
  /** Makes the cloud and asks something of it; a list of zones unless told otherwise. */
  ask?: (provider: ResourceProvider) => Promise<unknown>;
  prepare?: () => Promise<void> | void;
  /** What is seen with the value. */
  set(outcome: Outcome): void;
  /** What is seen without it. */
  unset?(outcome: Outcome): void;
  skip?: boolean;
}

const login = () => ({
  authUrl: cloud.url,
  userName: "demo",
  password: "secret",
  tenantName: "demo",
  region: "One",
});
const without = (...keys: string[]) =>
  Object.fromEntries(Object.entries(login()).filter(([key]) => !keys.includes(key)));
const credential = () => ({
  authUrl: cloud.url,
  applicationCredentialId: "id",
  applicationCredentialSecret: "sesame",
});
const zones = { body: { availabilityZoneInfo: [] } };
const method = ({ auth }: Outcome) => auth.identity as Record<string, Record<string, unknown>>;
const scope = ({ auth }: Outcome) => auth.scope;
const user = (outcome: Outcome) => method(outcome).password?.user as Record<string, unknown>;
const paths = ({ asked }: Outcome) => asked.map(({ path }) => path.replace(/\?.*/, ""));
const overTls =
  (over: Record<string, string> = {}) =>
  () => ({ ...login(), authUrl: secure?.url ?? "", ...over });
const startSecure =
  (strict = false) =>
  async () => {
    const { ca, server } = certificates ?? { ca: "", server: {} };
    secure = await ScriptedCloud.start({ ...server, ca, requestCert: strict, rejectUnauthorized: strict });
    secure.replies = [zones];
  };
const reached = ({ failure }: Outcome) => expect(failure).toBeUndefined();
const unreached = ({ failure }: Outcome) => expect(failure).toMatchObject({ code: "E_CLOUD_UNREACHABLE" });

const cases: Record<keyof typeof official, Case> = {
  allowReauth: {
    value: "false",
    prepare: () => {
      cloud.replies = [{ status: 401 }, zones];
    },
    set: (outcome) => {
      expect(outcome.failure).toMatchObject({ status: 401 });
      expect(paths(outcome).filter((path) => path === "/v3/auth/tokens")).toHaveLength(1);
    },
    unset: (outcome) => {
      reached(outcome);
      expect(paths(outcome).filter((path) => path === "/v3/auth/tokens")).toHaveLength(2);
    },
  },
  applicationCredentialId: {
    value: "other",
    beside: () => ({ ...credential(), applicationCredentialId: "" }),
    set: (outcome) => expect(method(outcome).application_credential).toEqual({ id: "other", secret: "sesame" }),
    unset: ({ failure }) => expect(failure).toMatchObject({ code: "E_CREDENTIALS_MISSING" }),
  },
  applicationCredentialName: {
    value: "ci",
    beside: () => ({ ...credential(), applicationCredentialId: "", userId: "u1" }),
    set: (outcome) =>
      expect(method(outcome).application_credential).toEqual({ name: "ci", user: { id: "u1" }, secret: "sesame" }),
  },
  applicationCredentialSecret: {
    value: "s3",
    beside: () => ({ ...credential(), applicationCredentialSecret: "" }),
    set: (outcome) => expect(method(outcome).application_credential).toEqual({ id: "id", secret: "s3" }),
  },
  authUrl: {
    value: () => `${cloud.url}/v3`,
    beside: () => without("authUrl"),
    set: reached,
    unset: ({ failure }) => expect(failure).toMatchObject({ code: "E_CREDENTIALS_MISSING" }),
  },
  cacertFile: {
    value: () => join(folder, "ca.pem"),
    prepare: startSecure(),
    beside: overTls(),
    set: reached,
    unset: unreached,
    skip: certificates === undefined,
  },
  cert: {
    value: () => join(folder, "client.pem"),
    prepare: startSecure(true),
    beside: () => overTls({ cacertFile: join(folder, "ca.pem"), key: join(folder, "client.key") })(),
    set: reached,
    skip: certificates === undefined,
  },
  key: {
    value: () => join(folder, "client.key"),
    prepare: startSecure(true),
    beside: () => overTls({ cacertFile: join(folder, "ca.pem"), cert: join(folder, "client.pem") })(),
    set: reached,
    skip: certificates === undefined,
  },
  insecure: {
    value: "true",
    prepare: startSecure(),
    beside: overTls(),
    set: reached,
    unset: unreached,
    skip: certificates === undefined,
  },
  cloud: {
    value: "mine",
    beside: {},
    prepare: () => {
      const auth = { auth_url: cloud.url, username: "of-file", password: "p", project_name: "demo" };
      writeFileSync(join(folder, "clouds.yaml"), stringify({ clouds: { mine: { auth }, other: { auth } } }));
    },
    set: (outcome) => expect(user(outcome).name).toBe("of-file"),
    unset: ({ failure }) => expect(failure).toMatchObject({ code: "E_CREDENTIALS_MISSING" }),
  },
  defaultDomain: {
    value: "dd",
    set: (outcome) => expect(user(outcome).domain).toEqual({ id: "dd" }),
    unset: (outcome) => expect(user(outcome).domain).toEqual({ id: "default" }),
  },
  delayedAuth: {
    value: "false",
    ask: async () => undefined,
    set: (outcome) => expect(paths(outcome)).toEqual(["/v3/auth/tokens"]),
    unset: (outcome) => expect(paths(outcome)).toEqual([]),
  },
  disableNoCacheHeader: {
    value: "true",
    set: ({ asked }) => expect(asked.at(-1)?.headers).not.toHaveProperty("cache-control"),
    unset: ({ asked }) => expect(asked.at(-1)?.headers["cache-control"]).toBe("no-cache"),
  },
  domainId: {
    value: "d1",
    beside: () => without("tenantName"),
    set: (outcome) => {
      expect(scope(outcome)).toEqual({ domain: { id: "d1" } });
      expect(user(outcome).domain).toEqual({ id: "d1" });
    },
    unset: (outcome) => expect(scope(outcome)).toBeUndefined(),
  },
  domainName: {
    value: "Home",
    beside: () => without("tenantName"),
    set: (outcome) => expect(scope(outcome)).toEqual({ domain: { name: "Home" } }),
  },
  enableLogging: {
    value: "true",
    prepare: () => {
      cloud.replies = [{ status: 503 }, { ...zones, headers: { "x-openstack-request-id": "req-1" } }];
    },
    set: ({ log }) => {
      expect(log).toHaveLength(2);
      expect(log[0]).toMatch(/^GET http:.*\/compute\/os-availability-zone 503 - \d+ ms$/);
      expect(log[1]).toMatch(/ 200 req-1 \d+ ms$/);
      expect(log.join()).not.toMatch(/secret|token-/);
    },
    unset: ({ log }) => expect(log).toEqual([]),
  },
  endpointOverrides: {
    value: () => JSON.stringify({ compute: `${cloud.url}/elsewhere/v2.1/`, orchestration: "http://heat.test/v1" }),
    set: (outcome) => expect(paths(outcome).at(-1)).toBe("/elsewhere/v2.1/os-availability-zone"),
    unset: (outcome) => expect(paths(outcome).at(-1)).toBe("/compute/os-availability-zone"),
  },
  endpointType: {
    value: "internalURL",
    set: (outcome) => expect(paths(outcome).at(-1)).toBe("/internal/os-availability-zone"),
  },
  maxRetries: {
    value: "1",
    prepare: () => {
      cloud.replies = [{ status: 503, headers: { "retry-after": "0" } }];
    },
    set: (outcome) => expect(paths(outcome).filter((path) => path.startsWith("/compute"))).toHaveLength(2),
    unset: (outcome) => expect(paths(outcome).filter((path) => path.startsWith("/compute"))).toHaveLength(5),
  },
  password: {
    value: "sesame",
    beside: () => without("password"),
    set: (outcome) => expect(user(outcome).password).toBe("sesame"),
  },
  projectDomainId: {
    value: "pd",
    set: (outcome) => expect(scope(outcome)).toEqual({ project: { name: "demo", domain: { id: "pd" } } }),
  },
  projectDomainName: {
    value: "Projects",
    set: (outcome) => expect(scope(outcome)).toEqual({ project: { name: "demo", domain: { name: "Projects" } } }),
  },
  region: {
    value: "Two",
    beside: () => without("region"),
    set: (outcome) => expect(paths(outcome).at(-1)).toBe("/two/os-availability-zone"),
    unset: (outcome) => expect(paths(outcome).at(-1)).toBe("/two/os-availability-zone"), // the catalogue's first
  },
  swauth: {
    value: "true",
    set: ({ failure }) =>
      expect(failure).toMatchObject({ code: "E_CONFIG_INVALID", message: expect.stringContaining("openstack:swauth") }),
    unset: reached,
  },
  systemScope: {
    value: "true",
    beside: () => without("tenantName"),
    set: (outcome) => expect(scope(outcome)).toEqual({ system: { all: true } }),
  },
  tenantId: {
    value: "p7",
    beside: () => without("tenantName"),
    set: (outcome) => expect(scope(outcome)).toEqual({ project: { id: "p7" } }),
  },
  tenantName: {
    value: "other",
    beside: () => without("tenantName"),
    set: (outcome) => expect(scope(outcome)).toEqual({ project: { name: "other", domain: { id: "default" } } }),
  },
  token: {
    value: "gAAAA",
    beside: () => without("password", "userName"),
    set: (outcome) => expect(method(outcome).token).toEqual({ id: "gAAAA" }),
  },
  useOctavia: {
    value: "false",
    ask: (provider) =>
      provider.read(resource("loadbalancer/loadBalancer:LoadBalancer", "lb"), "lb1", {}, { name: "lb" }, {}),
    prepare: () => {
      cloud.replies = [{ status: 404 }];
    },
    set: (outcome) => expect(paths(outcome).at(-1)).toBe("/network/v2.0/lbaas/loadbalancers/lb1"),
    unset: ({ failure }) =>
      expect(failure).toMatchObject({ message: expect.stringContaining("endpoint of type load-balancer") }),
  },
  userDomainId: { value: "ud", set: (outcome) => expect(user(outcome).domain).toEqual({ id: "ud" }) },
  userDomainName: { value: "Users", set: (outcome) => expect(user(outcome).domain).toEqual({ name: "Users" }) },
  userId: {
    value: "u7",
    beside: () => without("userName"),
    set: (outcome) => expect(user(outcome)).toEqual({ id: "u7", password: "secret" }),
  },
  userName: {
    value: "who",
    beside: () => without("userName"),
    set: (outcome) => expect(user(outcome).name).toBe("who"),
  },
};

async function outcomeOf(one: Case, given: Record<string, string>, env: Record<string, string>): Promise<Outcome> {
  const log: string[] = [];
  const provider = createOpenStackProvider({
    env: { HOME: folder, ...env },
    cwd: folder,
    session: { retries: { firstPauseMs: 1 } },
    log: (line) => log.push(line),
  });
  opened.push(provider);
  const beside = typeof one.beside === "function" ? one.beside() : (one.beside ?? login());
  const ask = one.ask ?? (() => provider.invoke("openstack:compute/getAvailabilityZones:getAvailabilityZones", {}));
  const failure = await provider
    .configure({ ...beside, ...given })
    .then(() => ask(provider))
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  const asked = [...cloud.asked, ...(secure?.asked ?? [])];
  const { body = "" } = asked.find(({ path }) => path === "/v3/auth/tokens") ?? {};
  const { auth = {} } = (body === "" ? {} : JSON.parse(body)) as { auth?: Record<string, unknown> };
  return { asked, auth, failure, log };
}

async function prepared(one: Case): Promise<string> {
  cloud.replies = [zones];
  await one.prepare?.();
  return typeof one.value === "function" ? one.value() : one.value;
}

const keys = Object.entries(official as Record<string, { type: string; env: string[] }>);
const caseOf = (key: string) => (cases as Record<string, Case>)[key] as Case;

describe.each(keys)("%s", (key, { env }) => {
  const one = caseOf(key);

  test.skipIf(one.skip)("does what it says", async () => {
    const value = await prepared(one);
    one.set(await outcomeOf(one, { [key]: value }, {}));
  });

  if (one.unset !== undefined) {
    test.skipIf(one.skip)("does not do it unless it is set", async () => {
      await prepared(one);
      one.unset?.(await outcomeOf(one, {}, {}));
    });
  }

  test.skipIf(one.skip).each(env)("by %s", async (variable) => {
    const value = await prepared(one);
    one.set(await outcomeOf(one, {}, { [variable]: value }));
  });
});

describe("what is written wrong", () => {
  test.each([
    ["allowReauth", "perhaps", /openstack:allowReauth must be true or false, not "perhaps"/],
    ["insecure", "sure", /openstack:insecure must be true or false/],
    ["maxRetries", "-1", /openstack:maxRetries must be a whole number/],
    ["endpointOverrides", "compute", /openstack:endpointOverrides must be a map/],
    ["endpointOverrides", '["a"]', /openstack:endpointOverrides must be a map/],
    ["endpointOverrides", '{"nova":"http://a/v2"}', /openstack:endpointOverrides has no service nova/],
    ["endpointOverrides", '{"compute":"a"}', /compute must be an address with its version, not "a"/],
    ["endpointOverride", "{}", /has no setting openstack:endpointOverride$/],
  ])("%s: %s", async (key, value, message) => {
    const { failure, asked } = await outcomeOf({ value, set: () => undefined }, { [key]: value }, {});
    expect(failure).toMatchObject({ code: "E_CONFIG_INVALID", message: expect.stringMatching(message) });
    expect(asked).toEqual([]);
  });
});

test("every key is in the reference", () => {
  const page = readFileSync(new URL("../../docs/reference/credentials.md", import.meta.url), "utf8");
  expect(keys.map(([key]) => key).filter((key) => !page.includes(`\`openstack:${key}\``))).toEqual([]);
});
