import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TlsOptions } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { findServer } from "../../src/openstack/compute/servers.ts";
import type { TlsSettings } from "../../src/openstack/credentials.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { ScriptedCloud } from "./scripted-cloud.ts";

const openssl = spawnSync("openssl", ["version"]).status === 0;

describe.skipIf(!openssl)("TLS (needs openssl to make certificates)", () => {
  test("a certificate that nobody vouches for is refused", async () => {
    const nova = await startNova(selfSigned());
    await expect(ask(nova, { verify: true })).rejects.toMatchObject({ code: "E_CLOUD_UNREACHABLE" });
    expect(nova.asked).toEqual([]);
  });

  test("cacert vouches for it; insecure does without", async () => {
    const own = selfSigned();
    const nova = await startNova(own);
    expect(await ask(nova, { verify: true, ca: own.cert })).toEqual({ id: "s1" });
    expect(await ask(nova, { verify: false })).toEqual({ id: "s1" });
  });

  test("the client's certificate is shown to a cloud that wants one", async () => {
    const [own, client] = [selfSigned(), selfSigned()];
    const nova = await startNova({ ...own, ca: client.cert, requestCert: true, rejectUnauthorized: true });
    const tls = { verify: true, ca: own.cert };
    expect(await ask(nova, { ...tls, ...client })).toEqual({ id: "s1" });
    await expect(ask(nova, tls)).rejects.toMatchObject({ code: "E_CLOUD_UNREACHABLE" });
  });
});

async function startNova(tls: TlsOptions): Promise<ScriptedCloud> {
  const nova = await ScriptedCloud.start(tls);
  onTestFinished(() => nova.stop());
  nova.replies = [{ body: { server: { id: "s1" } } }];
  return nova;
}

/** Asks a Nova behind a Keystone of plain HTTP, so that the first TLS connection is the one that pkgcloud makes. */
async function ask(nova: ScriptedCloud, tls: TlsSettings) {
  const keystone = await ScriptedCloud.start();
  onTestFinished(() => keystone.stop());
  keystone.serviceUrl = nova.url;
  const session = keystone.open({}, { tls });
  onTestFinished(() => session.close());
  return findServer(session, "s1");
}

function selfSigned(): { key: string; cert: string } {
  const folder = temporaryFolder();
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const made = ["-keyout", key, "-out", cert, "-days", "2"];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  execFileSync("openssl", ["req", ...kind, ...names, ...made], { stdio: "ignore" });
  return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
}
