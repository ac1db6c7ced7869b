import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { messageOf } from "../../../src/common/errors.ts";
import { findCredentials } from "../../../src/openstack/clouds.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { prepared, type Scenario } from "./scenario.ts";

const keystone = "http://keystone.test:5000";

/** The refusal of a scenario that lacks something. */
async function refusalOf(scenario: Scenario, folder = temporaryFolder()): Promise<unknown> {
  const refused = await findCredentials(prepared(scenario, folder, keystone)).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(refused).toMatchObject({ code: "E_CREDENTIALS_MISSING", exitCode: 3 });
  return refused;
}

/** What is told about a scenario that lacks something; `<folder>` stands for the scratch folder. */
async function told(scenario: Scenario): Promise<{ message: string; hint: string; details: string[] }> {
  const folder = temporaryFolder();
  const refused = await refusalOf(scenario, folder);
  const { message, hint, details } = refused as { message: string; hint: string; details: string[] };
  const plain = (text: string) => text.replaceAll(folder, "<folder>");
  return { message: plain(message), hint, details: details.map(plain) };
}

const user = { auth_url: keystone, username: "demo" };
const credential = { auth_url: keystone, application_credential_id: "ac" };

describe("what is missing is named as it is called where it was looked for", () => {
  test.each([
    ["auth.password", user],
    ["auth.user_id or auth.username", { auth_url: keystone, password: "pw" }],
    ["auth.auth_url", { username: "demo", password: "pw" }],
    ["auth.application_credential_secret", credential],
    [
      "auth.application_credential_id or auth.application_credential_name",
      { auth_url: keystone, application_credential_secret: "s" },
    ],
  ])("in files: %s", async (key, auth) => {
    const files = {
      "work/clouds.yaml": { clouds: { one: { auth } } },
      "home/.config/openstack/secure.yaml": { clouds: {} },
    };
    expect(await told({ files, cloud: "one" })).toEqual({
      message: `the cloud one lacks ${key}`,
      hint: "Add it to the entry in clouds.yaml, or to the same entry in a secure.yaml.",
      details: ["looked in <folder>/work/clouds.yaml", "looked in <folder>/home/.config/openstack/secure.yaml"],
    });
  });

  test.each([
    ["OS_PASSWORD", { OS_AUTH_URL: keystone, OS_USERNAME: "demo" }],
    ["OS_USER_ID or OS_USERNAME", { OS_AUTH_URL: keystone, OS_PASSWORD: "pw" }],
    ["OS_AUTH_URL", { OS_USERNAME: "demo", OS_PASSWORD: "pw" }],
    ["OS_TOKEN", { OS_AUTH_URL: keystone, OS_AUTH_TYPE: "token" }],
    ["OS_APPLICATION_CREDENTIAL_SECRET", { OS_AUTH_URL: keystone, OS_APPLICATION_CREDENTIAL_ID: "ac" }],
  ])("in the environment: %s", async (variable, env) => {
    expect(await told({ env: env as Record<string, string> })).toEqual({
      message: `the environment lacks ${variable}`,
      hint: expect.stringContaining("RC file"),
      details: [`set: ${Object.keys(env).join(", ")}`],
    });
  });

  test("in the stack's file", async () => {
    const variables = { authUrl: keystone, userName: "demo" };
    expect((await told({ variables })).message).toBe(
      "the stack's configuration with the environment lacks openstack:password or OS_PASSWORD",
    );
  });

  test("never with a value", async () => {
    const env = { OS_AUTH_URL: keystone, OS_PASSWORD: "sesame", OS_APPLICATION_CREDENTIAL_SECRET: "sesame" };
    expect(JSON.stringify(await told({ env }))).not.toContain("sesame");
  });

  test("a profile that nobody knows", async () => {
    const files = { "work/clouds.yaml": { clouds: { one: { profile: "hoster", auth: { username: "u" } } } } };
    expect((await told({ files })).details).toContain(
      "its profile hoster is in no clouds-public.yaml; profiles that openstacksdk brings are not known here",
    );
  });
});

describe("a cloud that is not there", () => {
  test("is told with those that are, and every file that was asked for", async () => {
    const files = { "work/clouds.yaml": { clouds: { one: {}, two: {} } }, "slipway.yaml": { clouds: { slipway: {} } } };
    const { message, details } = await told({ files, extra: ["slipway.yaml"], cloud: "three" });
    expect(message).toBe("there is no cloud three in clouds.yaml");
    expect(details).toContain("clouds: one, two, slipway");
    const searched = ["work/clouds.yaml", "home/.config/openstack/clouds.yaml", "slipway.yaml"];
    for (const path of searched) expect(details).toContain(`searched: ${join("<folder>", path)}`);
  });

  test("may be called as JavaScript calls something of its own", async () => {
    const files = { "work/clouds.yaml": { clouds: { one: {} } } };
    expect((await told({ files, cloud: "constructor" })).message).toBe("there is no cloud constructor in clouds.yaml");
  });

  test("nor is any other", async () => {
    const { message, hint } = await told({});
    expect(message).toMatch(/neither OS_CLOUD nor OS_AUTH_URL is set/);
    expect(hint).toContain("slipway cloud start");
  });

  test("while the variables are asked for by name", async () => {
    const { message, details } = await told({ cloud: "envvars" });
    expect([message, details]).toEqual(["the environment lacks OS_AUTH_URL", ["set: none of the OS_* variables"]]);
  });
});

describe("a file that is not what it should be", () => {
  test.each([
    ["work/clouds.yaml", "clouds: [\n", /^<folder>\/work\/clouds\.yaml cannot be read: /],
    ["work/clouds.json", "{", /^<folder>\/work\/clouds\.json cannot be read: /],
    ["work/clouds.yaml", "- one\n", /^<folder>\/work\/clouds\.yaml is not a mapping$/],
    ["work/clouds.yaml", "clouds: [one]\n", /^<folder>\/work\/clouds\.yaml has clouds that are not a mapping$/],
    ["work/clouds.yaml", "clouds: {one: two}\n", /^<folder>\/work\/clouds\.yaml has clouds one that is not a mapping$/],
    ["work/secure.yaml", "}", /^<folder>\/work\/secure\.yaml cannot be read: /],
  ])("%s: %j", async (path, content, message) => {
    expect((await told({ files: { [path]: content }, cloud: "one" })).message).toMatch(message);
  });
});

describe("a file that is wrong where it has a password", () => {
  test.each([
    ["work/clouds.yaml", "p: *Secret1", /an alias \(\*\) or a merge/],
    ["work/clouds.yaml", "p: 'Secret1", /MISSING_CHAR at line 1, column 12$/],
    ["work/clouds.yaml", "p: @Secret1", /BAD_SCALAR_START at line 1, column 4$/],
    ["work/clouds.json", '{"p": Secret1}', /it is not JSON$/],
    ["work/clouds.json", '{"p": "Secret1" 2}', /it is not JSON at line 1, column 17$/],
  ])("%s: %j: the place is told, and not the password", async (path, content, message) => {
    const refused = await refusalOf({ files: { [path]: content }, cloud: "one" });
    expect(messageOf(refused)).toMatch(message);
    expect(inspect(refused, { depth: null })).not.toContain("Secret");
  });

  test("a tag that is none is not warned of with the line that it is on", async () => {
    const warnings: string[] = [];
    const listen = (warning: Error) => warnings.push(warning.message);
    process.on("warning", listen);
    await told({ files: { "work/clouds.yaml": "p: !Secret1 x" }, cloud: "one" });
    await setImmediate();
    process.off("warning", listen);
    expect(warnings).toEqual([]);
  });
});

describe("YAML is read as Python reads it", () => {
  test.each([
    ["no is false", "verify: no", { tls: { verify: false } }],
    ["<< merges", "<<: {region_name: North}", { region: "North" }],
    [
      "an id of digits keeps them all",
      "project_id: 12345678901234567890123456789012",
      { project: { id: "12345678901234567890123456789012" } },
    ],
    ["an id with an e is no number", "project_id: 12345678e12", { project: { id: "12345678e12" } }],
    ["a name may look like a date", "project_id: 2026-01-02", { project: { id: "2026-01-02" } }],
  ])("%s", async (_, line, expected) => {
    const text = `clouds:\n  one:\n    auth: {auth_url: "${keystone}", username: u, password: p}\n    ${line}\n`;
    const query = prepared({ files: { "work/clouds.yaml": text }, cloud: "one" }, temporaryFolder(), keystone);
    expect(await findCredentials(query)).toMatchObject(expected);
  });
});
