import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { stringify } from "yaml";
import { findPassphrase } from "../../src/cli/passphrase.ts";
import { Vault } from "../../src/engine/embedded/secrets/vault.ts";
import { logIn, postJson } from "../e2e/openstack-http.ts";
import { consoleOf, PaperProject } from "./paper-project.ts";

// The real command line, logged in with an application credential of the embedded cloud in each way that there is.
vi.setConfig({ testTimeout: 120_000 });

let project: PaperProject;
let userId: string;
let token: Record<string, string>;

/** Guests are pretended and serve nothing: they say so, and `up` ends there, with everything made. */
function failing(): string {
  const failure = { step: "queue", reason: "it is on paper", lines: [] };
  return consoleOf([{ type: "verdict", at: new Date().toISOString(), sequence: 1, ok: false, failure, ms: 1 }]);
}

beforeAll(async () => {
  project = await PaperProject.create(failing);
  const login = await logIn(project.slipway);
  token = login.headers;
  const subject = { ...token, "x-subject-token": token["x-auth-token"] ?? "" };
  const shown = await fetch(`${project.cloud.authUrl}/auth/tokens`, { headers: subject });
  userId = ((await shown.json()) as { token: { user: { id: string } } }).token.user.id;
});
afterAll(() => project?.remove());

async function makeCredential(name: string): Promise<{ id: string; secret: string }> {
  const url = `${project.cloud.authUrl}/users/${userId}/application_credentials`;
  const made = await postJson(url, { application_credential: { name } }, token);
  return ((await made.json()) as { application_credential: { id: string; secret: string } }).application_credential;
}

/** A stack whose file names no cloud. */
function addStack(name: string, values: Record<string, unknown> = {}): Promise<void> {
  return project.addStack(name, { "openstack:cloud": undefined, ...values });
}

/** `up` makes everything and reads the guest's verdict; `down` leaves nothing. */
async function expectUpAndDown(stack: string, args: string[], env: Record<string, string>): Promise<void> {
  const up = await project.run(["up", stack, ...args], { env });
  expect(up.result, up.stderr).toMatchObject({ ok: false, error: { code: "E_BOOTSTRAP_FAILED" } });
  expect(await project.resourcesOf(stack)).toContain("servers/detail server-g1");
  const down = await project.run(["down", stack, "--yes", ...args], { env });
  expect(down.result, down.stderr).toMatchObject({ ok: true, leftovers: [] });
  expect(await project.resourcesOf(stack)).toEqual([]);
}

describe.concurrent("slipway up and down with an application credential", () => {
  it("of the OS_* variables alone", async () => {
    const { id, secret } = await makeCredential("variables");
    await addStack("variables");
    await expectUpAndDown("variables", [], {
      OS_AUTH_TYPE: "v3applicationcredential",
      OS_AUTH_URL: project.cloud.authUrl,
      OS_APPLICATION_CREDENTIAL_ID: id,
      OS_APPLICATION_CREDENTIAL_SECRET: secret,
    });
  });

  it("of clouds.yaml and secure.yaml, by name and user", async () => {
    const { secret } = await makeCredential("files");
    const file = (name: string) => join(project.slipway.projectRoot, name);
    const auth = { auth_url: project.cloud.authUrl, application_credential_name: "files", user_id: userId };
    const entry = { auth_type: "v3applicationcredential", auth, region_name: "RegionOne" };
    await writeFile(file("ci.yaml"), stringify({ clouds: { ci: entry } }));
    await writeFile(
      file("hidden.yaml"),
      stringify({ clouds: { ci: { auth: { application_credential_secret: secret } } } }),
    );
    await project.addStack("files"); // its own cloud is another
    await expectUpAndDown("files", ["--os-cloud", "ci"], {
      OS_CLIENT_CONFIG_FILE: file("ci.yaml"),
      OS_CLIENT_SECURE_FILE: file("hidden.yaml"),
    });
  });

  it("of the stack's file, its secret sealed", async () => {
    const { id, secret } = await makeCredential("sealed");
    const vault = await Vault.open(await findPassphrase(project.slipway.home, {}), undefined);
    await addStack("sealed", {
      "openstack:authUrl": project.cloud.authUrl,
      "openstack:applicationCredentialId": id,
      "openstack:applicationCredentialSecret": { secure: vault.encrypt(secret, "") },
    });
    const path = join(project.slipway.projectRoot, "stacks/Pulumi.sealed.yaml");
    await appendFile(path, `encryptionsalt: ${vault.salt}\n`);
    expect(await readFile(path, "utf8")).not.toContain(secret);
    await expectUpAndDown("sealed", [], {});
  });
});

describe.concurrent("slipway up is refused", () => {
  it("with a credential that was deleted", async () => {
    const { id, secret } = await makeCredential("deleted");
    await addStack("deleted");
    const url = `${project.cloud.authUrl}/users/${userId}/application_credentials/${id}`;
    expect((await fetch(url, { method: "DELETE", headers: token })).status).toBe(204);
    const { result, exitCode } = await project.run(["up", "deleted"], {
      env: {
        OS_AUTH_URL: project.cloud.authUrl,
        OS_APPLICATION_CREDENTIAL_ID: id,
        OS_APPLICATION_CREDENTIAL_SECRET: secret,
      },
    });
    expect(exitCode).toBe(3);
    expect(result.error).toMatchObject({
      code: "E_AUTH_FAILED",
      message: expect.stringContaining(`Could not find Application Credential: ${id}.`),
      hint: expect.stringContaining("deleted"),
    });
    expect(JSON.stringify(result)).not.toContain(secret);
  });

  it("without its secret, which is named", async () => {
    await addStack("secretless");
    const { result, exitCode } = await project.run(["up", "secretless"], {
      env: { OS_AUTH_URL: project.cloud.authUrl, OS_APPLICATION_CREDENTIAL_ID: "ac" },
    });
    expect(exitCode).toBe(3);
    expect(result.error).toMatchObject({
      code: "E_CREDENTIALS_MISSING",
      message: "the environment lacks OS_APPLICATION_CREDENTIAL_SECRET",
      details: ["set: OS_AUTH_URL, OS_APPLICATION_CREDENTIAL_ID"],
    });
  });
});
