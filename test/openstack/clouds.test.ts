import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findCredentials } from "../../src/openstack/clouds.ts";
import { cloudsFileCandidates } from "../../src/openstack/clouds-file.ts";

let folder: string;
/** A home and a working directory that have nothing. */
let empty: { env: NodeJS.ProcessEnv; cwd: string };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-clouds-"));
  await mkdir(join(folder, "nothing"));
  empty = { env: { HOME: join(folder, "nothing") }, cwd: join(folder, "nothing") };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, content);
  return path;
}

const one = (url: string, rest = "") => `
clouds:
  one:
    region_name: RegionOne
    auth: {auth_url: ${url}, username: demo, password: pw, project_name: demo${rest}}
`;

describe("where clouds.yaml is looked for", () => {
  test("the order is openstacksdk's", () => {
    expect(cloudsFileCandidates({ env: { OS_CLIENT_CONFIG_FILE: "/x.yaml", HOME: "/h" }, cwd: "/w" })).toEqual([
      "/x.yaml",
      "/w/clouds.yaml",
      "/w/clouds.yml",
      "/h/.config/openstack/clouds.yaml",
      "/h/.config/openstack/clouds.yml",
      "/etc/openstack/clouds.yaml",
      "/etc/openstack/clouds.yml",
    ]);
  });

  test("the first file wins as a whole; an extra file is asked where it lacks the entry", async () => {
    const home = join(folder, "home1");
    await file("home1/.config/openstack/clouds.yaml", one("http://home"));
    await file("work1/clouds.yaml", one("http://work"));
    const extra = await file("extra.yaml", one("http://extra").replace("one:", "slipway:"));
    const search = { env: { HOME: home }, extraFiles: [extra] };
    expect((await findCredentials({ cloud: "one", cwd: join(folder, "work1"), ...search })).authUrl).toBe(
      "http://work",
    );
    expect((await findCredentials({ cloud: "one", cwd: empty.cwd, ...search })).authUrl).toBe("http://home");
    expect((await findCredentials({ cloud: "slipway", cwd: empty.cwd, ...search })).authUrl).toBe("http://extra");
  });

  test("secure.yaml adds the password", async () => {
    await file("secure/clouds.yaml", one("http://c").replace("password: pw, ", ""));
    await file("secure/secure.yaml", "clouds: {one: {auth: {password: hidden}}}");
    const found = await findCredentials({ cloud: "one", ...empty, cwd: join(folder, "secure") });
    expect(found).toMatchObject({
      cloud: "one",
      region: "RegionOne",
      identity: { password: "hidden", user: { name: "demo" } },
    });
  });

  test("OS_CLOUD names the entry, and the only entry needs no name", async () => {
    const cwd = join(folder, "work1");
    expect((await findCredentials({ env: { ...empty.env, OS_CLOUD: "one" }, cwd })).cloud).toBe("one");
    expect((await findCredentials({ ...empty, cwd })).authUrl).toBe("http://work");
  });

  test("a named cloud is not mixed with stray OS_* variables", async () => {
    const env = { ...empty.env, OS_PROJECT_NAME: "stray", OS_PASSWORD: "stray", OS_TOKEN: "stray" };
    const found = await findCredentials({ cloud: "one", env, cwd: join(folder, "work1") });
    expect(found).toMatchObject({ project: { name: "demo" }, identity: { method: "password", password: "pw" } });
  });
});

describe("methods", () => {
  const variables = { authUrl: "http://k/v3/", region: "R" };

  test("password by the provider's own configuration", async () => {
    const found = await findCredentials({
      ...empty,
      variables: { ...variables, userName: "u", password: "p", tenantName: "t", userDomainName: "D" },
    });
    expect(found).toEqual({
      authUrl: "http://k/v3",
      identity: { method: "password", user: { name: "u", domain: { name: "D" } }, password: "p" },
      project: { name: "t", domain: { id: "default" } },
      region: "R",
      interface: "public",
      tls: { verify: true },
    });
  });

  test("OS_* variables alone", async () => {
    const env = {
      ...empty.env,
      OS_AUTH_URL: "http://k",
      OS_USERNAME: "u",
      OS_PASSWORD: "p",
      OS_PROJECT_ID: "42",
      OS_INSECURE: "true",
      OS_INTERFACE: "internal",
    };
    expect(await findCredentials({ ...empty, env })).toMatchObject({
      project: { id: "42" },
      interface: "internal",
      tls: { verify: false },
    });
  });

  test("application credential and token", async () => {
    const secret = { applicationCredentialSecret: "s" };
    const byId = await findCredentials({
      ...empty,
      variables: { ...variables, ...secret, applicationCredentialId: "ac" },
    });
    expect(byId.identity).toEqual({ method: "application_credential", id: "ac", secret: "s" });
    const byName = await findCredentials({
      ...empty,
      variables: { ...variables, ...secret, applicationCredentialName: "n", userId: "u" },
    });
    expect(byName.identity).toEqual({ method: "application_credential", name: "n", user: { id: "u" }, secret: "s" });
    const byToken = await findCredentials({ ...empty, variables: { ...variables, token: "t" } });
    expect(byToken.identity).toEqual({ method: "token", token: "t" });
  });

  test("auth_type decides where there is more than one", async () => {
    const rest = ", application_credential_id: ac, application_credential_secret: s";
    const text = one("http://k", rest).replace("region_name", "auth_type: v3applicationcredential\n    region_name");
    await file("type/clouds.yaml", text);
    const found = await findCredentials({ ...empty, cloud: "one", cwd: join(folder, "type") });
    expect(found.identity).toEqual({ method: "application_credential", id: "ac", secret: "s" });
  });
});

describe("what is missing is named", () => {
  test.each([
    ["password", { userName: "u" }, /password is missing/, /OS_PASSWORD/],
    ["username", { password: "p" }, /username is missing/, /OS_USERNAME/],
    [
      "application_credential_secret",
      { applicationCredentialId: "a" },
      /application_credential_secret is missing/,
      /SECRET/,
    ],
  ])("%s", async (_, given, message, hint) => {
    const query = { ...empty, variables: { authUrl: "http://k", ...given } as Record<string, string> };
    await expect(findCredentials(query)).rejects.toMatchObject({
      code: "E_CREDENTIALS_MISSING",
      exitCode: 3,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });

  test("an unknown cloud, with the files that were searched", async () => {
    await expect(findCredentials({ ...empty, cloud: "none" })).rejects.toMatchObject({
      code: "E_CREDENTIALS_MISSING",
      message: "there is no cloud none in clouds.yaml",
      details: expect.arrayContaining([`searched: ${join(empty.cwd, "clouds.yaml")}`]),
    });
  });

  test("nothing at all", async () => {
    await expect(findCredentials(empty)).rejects.toThrow(/neither OS_CLOUD nor OS_AUTH_URL/);
  });

  test("a file that is not YAML", async () => {
    await file("bad/clouds.yaml", "clouds: [\n");
    await expect(findCredentials({ ...empty, cwd: join(folder, "bad"), cloud: "one" })).rejects.toThrow(
      /is not valid YAML/,
    );
  });
});
