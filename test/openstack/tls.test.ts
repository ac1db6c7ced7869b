import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { findCredentials } from "../../src/openstack/clouds.ts";
import { openSession } from "../../src/openstack/session.ts";

// Real TLS on 127.0.0.1, with an authority that no system trusts.

const folder = mkdtempSync(join(tmpdir(), "slipway-tls-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string) => join(folder, name);
const pem = (name: string) => readFileSync(path(name), "utf8");

const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

function makeAuthority(): void {
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    path("ca.key"),
    "-out",
    path("ca.pem"),
    "-subj",
    "/CN=Test CA",
    "-days",
    "2",
  );
}

function makeCertificate(name: string, commonName: string): void {
  const subject = ["-subj", `/CN=${commonName}`, "-addext", "subjectAltName=IP:127.0.0.1"];
  const signedBy = ["-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-days", "2"];
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    path(`${name}.key`),
    "-out",
    path(`${name}.pem`),
    ...subject,
    ...signedBy,
  );
}

/** Why there are no certificates to test with. */
function reasonAgainst(): string | undefined {
  try {
    makeAuthority();
    makeCertificate("server", "keystone");
    makeCertificate("client", "demo");
    return undefined;
  } catch (error) {
    return `openssl: ${String((error as { stderr?: unknown }).stderr ?? error).split("\n")[0]}`;
  }
}

const reason = reasonAgainst();

/** A Keystone behind TLS that tells in the user's id whose certificate it was shown. */
async function startKeystone(options: ServerOptions = {}): Promise<string> {
  const server = createServer({ key: pem("server.key"), cert: pem("server.pem"), ...options }, (request, response) => {
    const shown = (request.socket as TLSSocket).getPeerCertificate().subject?.CN ?? "nobody";
    const token = { project: { id: "p" }, user: { id: shown }, catalog: [] };
    response
      .writeHead(201, { "content-type": "application/json", "x-subject-token": "t" })
      .end(JSON.stringify({ token }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/v3`;
}

/** Logs in with OS_* variables and answers the user's id. */
async function logIn(authUrl: string, env: Record<string, string>): Promise<string> {
  const login = { OS_AUTH_URL: authUrl, OS_USERNAME: "demo", OS_PASSWORD: "pw", OS_PROJECT_ID: "p" };
  const session = openSession(await findCredentials({ env: { ...login, ...env }, cwd: folder }), { timeoutMs: 5000 });
  onTestFinished(() => session.close());
  return session.userId();
}

describe.skipIf(reason !== undefined)(
  `a cloud behind TLS${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    test("is refused while nobody vouches for it, and says what to do", async () => {
      await expect(logIn(await startKeystone(), {})).rejects.toMatchObject({
        code: "E_CLOUD_UNREACHABLE",
        message: expect.stringMatching(/certificate/),
        hint: expect.stringContaining("OS_CACERT"),
      });
    });

    test.each([
      ["a file", () => path("ca.pem")],
      ["a file below the working directory", () => "ca.pem"],
      ["text", () => pem("ca.pem")],
    ])("is trusted with its authority: %s", async (_, authority) => {
      expect(await logIn(await startKeystone(), { OS_CACERT: authority() })).toBe("nobody");
    });

    test("is not trusted with another authority", async () => {
      await expect(logIn(await startKeystone(), { OS_CACERT: "client.pem" })).rejects.toMatchObject({
        code: "E_CLOUD_UNREACHABLE",
      });
    });

    test("is taken unseen where the user says so", async () => {
      expect(await logIn(await startKeystone(), { OS_INSECURE: "true" })).toBe("nobody");
    });

    test("that wants a certificate is shown it", async () => {
      const strict = { requestCert: true, rejectUnauthorized: true, ca: pem("ca.pem") };
      const trust = { OS_CACERT: "ca.pem" };
      const url = await startKeystone(strict);
      expect(await logIn(url, { ...trust, OS_CERT: "client.pem", OS_KEY: "client.key" })).toBe("demo");
      expect(await logIn(url, { ...trust, OS_CERT: pem("client.pem") + pem("client.key") })).toBe("demo");
      await expect(logIn(url, trust)).rejects.toMatchObject({
        code: "E_CLOUD_UNREACHABLE",
        hint: expect.stringContaining("OS_CERT"),
      });
    });
  },
);
