import { codesIn, documentedRows } from "./documented.ts";
import type { ExpectedCredentials, Scenario } from "./scenario.ts";

/** What a documented setting does: on its own, with the other settings that a login needs beside it. */
interface SettingCase {
  value: unknown;
  /** Keys of an entry. */
  beside: Record<string, unknown>;
  expected: ExpectedCredentials;
  files?: Record<string, unknown>;
  /** See {@link Scenario}. */
  differs?: string;
}

const domains = { user_domain_id: "ud", project_domain_id: "pd" };
const login = { auth_url: "{keystone}", username: "demo", password: "pw", project_name: "demo", ...domains };
const byCredential = {
  auth_url: "{keystone}",
  auth_type: "v3applicationcredential",
  application_credential_id: "ac",
  application_credential_secret: "s",
};
const pem = (kind: string, rest = "") => `-----BEGIN ${kind}-----\nAAAA\n-----END ${kind}-----\n${rest}`;
const certificate = { "home/cert.pem": pem("CERTIFICATE"), "home/key.pem": pem("PRIVATE KEY") };

function without(settings: Record<string, unknown>, ...names: string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !names.includes(name)));
}

function userIn(domain: object): ExpectedCredentials {
  return { identity: { method: "password", user: { name: "demo", domain } } };
}

const projectIn = (domain: object) => ({ project: { name: "demo", domain } });

/** By the first cell of the table's rows. */
export const settingCases: Record<string, SettingCase> = {
  "Keystone's address": {
    value: "{keystone}/v3/",
    beside: without(login, "auth_url"),
    expected: { authUrl: "{keystone}/v3" },
  },
  method: {
    value: "v3applicationcredential",
    beside: { ...login, ...without(byCredential, "auth_type") },
    expected: { identity: { method: "application_credential", id: "ac" } },
    differs: "settings of another method in `auth`",
  },
  user: {
    value: "who",
    beside: without(login, "username"),
    expected: { identity: { user: { name: "who", domain: { id: "ud" } } } },
  },
  "user's id": { value: "77", beside: login, expected: { identity: { user: { id: "77" } } } },
  password: { value: "sesame", beside: without(login, "password"), expected: { identity: { password: "sesame" } } },
  token: {
    value: "gAAAA",
    beside: { ...without(login, "username", "password", "user_domain_id"), auth_type: "token" },
    expected: { identity: { method: "token", token: "gAAAA" } },
  },
  "application credential": {
    value: "other",
    beside: without(byCredential, "application_credential_id"),
    expected: { identity: { method: "application_credential", id: "other", secret: "s" } },
  },
  "application credential's name": {
    value: "ci",
    beside: { ...without(byCredential, "application_credential_id"), username: "demo", user_domain_id: "ud" },
    expected: { identity: { name: "ci", secret: "s", user: { name: "demo", domain: { id: "ud" } } } },
  },
  "application credential's secret": {
    value: "hush",
    beside: without(byCredential, "application_credential_secret"),
    expected: { identity: { method: "application_credential", id: "ac", secret: "hush" } },
  },
  "project's id": { value: "4711", beside: login, expected: { project: { id: "4711" } } },
  project: {
    value: "lab",
    beside: without(login, "project_name"),
    expected: { project: { name: "lab", domain: { id: "pd" } } },
  },
  "user's domain's id": {
    value: "x1",
    beside: { ...without(login, "user_domain_id"), user_domain_name: "Users" },
    expected: userIn({ id: "x1" }),
  },
  "user's domain": {
    value: "Users",
    beside: without(login, "user_domain_id"),
    expected: userIn({ name: "Users" }),
  },
  "project's domain's id": {
    value: "x2",
    beside: { ...without(login, "project_domain_id"), project_domain_name: "Projects" },
    expected: projectIn({ id: "x2" }),
  },
  "project's domain": {
    value: "Projects",
    beside: without(login, "project_domain_id"),
    expected: projectIn({ name: "Projects" }),
  },
  "both domains' id": {
    value: "x3",
    beside: without(login, "user_domain_id"),
    expected: { ...userIn({ id: "x3" }), ...projectIn({ id: "pd" }) },
  },
  "both domains": {
    value: "All",
    beside: without(login, "project_domain_id"),
    expected: { ...userIn({ id: "ud" }), ...projectIn({ name: "All" }) },
  },
  "the whole cloud": {
    value: "all",
    beside: without(login, "project_name", "project_domain_id"),
    expected: { system: true },
  },
  "domain's id by default": {
    value: "x4",
    beside: without(login, "user_domain_id"),
    expected: { ...userIn({ id: "x4" }), ...projectIn({ id: "pd" }) },
  },
  "domain by default": {
    value: "Home",
    beside: without(login, "user_domain_id"),
    expected: { ...userIn({ name: "Home" }), ...projectIn({ id: "pd" }) },
  },
  "domain for all that have none": {
    value: "x5",
    beside: without(login, "user_domain_id"),
    expected: { ...userIn({ id: "x5" }), ...projectIn({ id: "pd" }) },
    differs: "`default_domain`",
  },
  region: { value: "North", beside: login, expected: { region: "North" } },
  regions: {
    value: [{ name: "North", values: { interface: "internal", auth: { "project-name": "north" } } }, "South"],
    beside: login,
    expected: { region: "North", interface: "internal", project: { name: "north" } },
  },
  interface: { value: "internalURL", beside: login, expected: { interface: "internal" } },
  "certificate authority": {
    value: "~/ca.pem",
    beside: login,
    files: { "home/ca.pem": pem("CERTIFICATE") },
    expected: { tls: { verify: true, ca: pem("CERTIFICATE") } },
  },
  "client certificate": {
    value: "~/both.pem",
    beside: login,
    files: { "home/both.pem": pem("CERTIFICATE", pem("PRIVATE KEY")) },
    expected: {
      tls: { cert: pem("CERTIFICATE", pem("PRIVATE KEY")), key: pem("CERTIFICATE", pem("PRIVATE KEY")) },
    },
  },
  "client certificate's key": {
    value: "~/key.pem",
    beside: { ...login, cert: "~/cert.pem" },
    files: certificate,
    expected: { tls: { cert: pem("CERTIFICATE"), key: pem("PRIVATE KEY") } },
  },
  "unchecked certificate": { value: "true", beside: login, expected: { tls: { verify: false } } },
  "checked certificate": { value: false, beside: login, expected: { tls: { verify: false } } },
  "profile in `clouds-public.yaml`": {
    value: "hoster",
    beside: without(login, "auth_url", "password"),
    files: {
      "work/clouds-public.yaml": {
        "public-clouds": {
          hoster: { auth: { auth_url: "{keystone}/{region_name}", username: "x", password: "pp" }, regions: ["West"] },
        },
      },
    },
    expected: { authUrl: "{keystone}/West", region: "West", identity: { user: { name: "demo" }, password: "pp" } },
  },
  "identity version (not read)": {
    value: "2",
    beside: login,
    expected: { authUrl: "{keystone}", identity: { password: "pw" } },
  },
};

/** One way to give one setting. */
export interface WayToSet extends Scenario {
  /** The documented spelling. */
  as: string;
}

/** Every documented way to give a setting, as the page's row has them, with `beside` given in the same way. */
export function waysToSet(row: string): WayToSet[] {
  const { value, beside, files = {}, differs } = settingCases[row] as SettingCase;
  const reason = differs === undefined ? {} : { differs };
  const [, inEntry, inEnvironment, inStack] = rowsBySetting.get(row) ?? [];
  const file = (key: string, entry: object): WayToSet => ({
    ...reason,
    as: key,
    cloud: "mine",
    files: { ...files, "work/clouds.yaml": { clouds: { mine: entry, other: {} } } },
  });
  return [
    ...codesIn(inEntry).flatMap((key) => {
      const name = key.replace(/^auth\./, "");
      const entry = entryOf(beside);
      if (!key.startsWith("auth.")) return [file(key, { ...entry, [key]: value })];
      const { auth, ...rest } = entry;
      const dashed = Object.fromEntries(Object.entries(auth).map(([one, text]) => [one.replaceAll("_", "-"), text]));
      return [
        file(key, { ...rest, auth: { ...auth, [name]: value } }),
        file(`${name} beside auth`, { ...entry, [name]: value }),
        file(`${key} with dashes`, { ...rest, auth: { ...dashed, [name.replaceAll("_", "-")]: value } }),
      ];
    }),
    ...codesIn(inEnvironment).map((variable) => ({
      ...reason,
      as: variable,
      files,
      env: { ...inCapitals(beside), [variable]: String(value) },
    })),
    ...codesIn(inStack).map((argument) => ({
      ...reason,
      as: argument,
      files,
      variables: { ...argumentsOf(beside), [bare(argument)]: String(value) },
    })),
  ];
}

const rowsBySetting = new Map(documentedRows("Settings").map((row) => [row[0] ?? "", row]));

/** The first documented spelling of each key, beside `auth` or in it. */
const places = new Map(
  [...rowsBySetting.values()].map((row) => {
    const [key = ""] = codesIn(row[1]);
    return [key.replace(/^auth\./, ""), { inAuth: key.startsWith("auth."), argument: codesIn(row[3])[0] }];
  }),
);

function entryOf(settings: Record<string, unknown>): { auth: Record<string, unknown> } & Record<string, unknown> {
  const isIn = (auth: boolean) => Object.entries(settings).filter(([key]) => places.get(key)?.inAuth === auth);
  return { ...Object.fromEntries(isIn(false)), auth: Object.fromEntries(isIn(true)) };
}

function inCapitals(settings: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [`OS_${key.toUpperCase()}`, String(value)]));
}

/** Settings that the stack's file has no word for are left out. */
function argumentsOf(settings: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([key, value]) => {
      const argument = places.get(key)?.argument;
      return argument === undefined ? [] : [[bare(argument), String(value)]];
    }),
  );
}

function bare(argument: string): string {
  return argument.replace(/^openstack:/, "");
}
