import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { isAllowed, namesOf } from "../../../src/serving/aiengine/caller.ts";
import { judgeCertificates } from "../../../src/serving/tls/certificates.ts";
import { makeCertificate } from "../../support/certificates.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const DAY_MS = 24 * 3600 * 1000;
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);
const san = "IP:127.0.0.1";

function made({ caDays = 400, days = 300, named = true } = {}) {
  const folder = temporaryFolder();
  const { cert: ca } = makeCertificate(folder, "ca", { days: caDays });
  const { cert, key } = makeCertificate(folder, "server", { days, issuer: "ca", ...(named && { san }) });
  return { folder, ca, cert, key };
}

describe("a server's certificates", () => {
  it("are used without a word where nothing is wrong, and warned of 30 days before their end", () => {
    const texts = made();
    expect(judgeCertificates(texts)).toEqual({ refusals: [], warnings: [] });
    expect(judgeCertificates(texts, inDays(269)).warnings).toEqual([]);
    const { refusals, warnings } = judgeCertificates(texts, inDays(280));
    expect(refusals).toEqual([]);
    expect(warnings).toEqual([expect.stringMatching(/^the certificate ends on \d{4}-\d\d-\d\d, in (19|20) days$/)]);
  });

  it("are refused when they are the source's: an authority of one year, a leaf of ten, no alternative names", () => {
    const { refusals } = judgeCertificates(made({ caDays: 365, days: 3650, named: false }));
    expect(refusals).toEqual([
      expect.stringContaining("no alternative name (SAN)"),
      expect.stringMatching(/^its authority "CN=ca" ends before it, on \d{4}-/),
    ]);
  });

  it("are refused when they have expired, or are not valid yet", () => {
    const texts = made();
    expect(judgeCertificates(texts, inDays(301)).refusals).toEqual([
      expect.stringMatching(/^the certificate has expired on/),
    ]);
    expect(judgeCertificates(texts, inDays(401)).refusals).toHaveLength(2); // the authority, too
    expect(judgeCertificates(texts, inDays(-1)).refusals[0]).toContain("the certificate is not valid before");
  });

  it("are refused with another's key, with a file that is none, with an authority that is none", () => {
    const texts = made();
    const { key } = makeCertificate(texts.folder, "other", { issuer: "ca", san });
    expect(judgeCertificates({ ...texts, key }).refusals).toEqual(["the key is not the certificate's"]);
    expect(judgeCertificates({ ...texts, key: "" }).refusals[0]).toContain("no private key");
    expect(judgeCertificates({ ...texts, cert: "nothing" }).refusals[0]).toContain("cert: there is no certificate");
    const broken = texts.cert.replace(/\n[^\n]{64}\n/, "\n");
    expect(judgeCertificates({ ...texts, cert: broken }).refusals[0]).toContain("cert: a certificate cannot be read");
    const { refusals, warnings } = judgeCertificates({ ...texts, ca: texts.cert });
    expect(refusals).toEqual([expect.stringContaining("is no authority (CA:TRUE is missing)")]);
    expect(warnings).toEqual([expect.stringContaining("authority is in neither file")]);
  });
});

it("a server with the source's certificate is refused by Node's client, one with alternative names is not", async () => {
  const folder = temporaryFolder();
  const { cert: ca } = makeCertificate(folder, "ca");
  const codeFor = async (options: { san?: string }) => {
    const server = createServer(makeCertificate(folder, "server", { issuer: "ca", cn: "127.0.0.1", ...options }));
    onTestFinished(() => void server.close());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    const client = connect({ host: "127.0.0.1", port, ca });
    const [error] = await Promise.race([once(client, "secureConnect"), once(client, "error")]).catch((e) => [e]);
    client.destroy();
    return (error as NodeJS.ErrnoException | undefined)?.code;
  };
  expect(await codeFor({})).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
  expect(await codeFor({ san })).toBeUndefined();
});

describe("a client's names", () => {
  it("are its common name and its alternative ones, and nothing that a name contains", () => {
    const subject = "C=CN\nCN=database";
    expect(namesOf({ subject, subjectAltName: "DNS:db.example, IP Address:10.0.0.5" })).toEqual([
      "database",
      "db.example",
      "10.0.0.5",
    ]);
    expect(namesOf({ subject: "CN=x", subjectAltName: 'URI:"http://a, DNS:admin", DNS:b' })).toEqual(["x", "b"]);
    expect(namesOf({ subject: "O=nobody", subjectAltName: undefined })).toEqual([]);
  });

  it("decide who is let in", () => {
    const caller = { id: "1", names: ["database", "10.0.0.5"] };
    expect(isAllowed(caller, undefined)).toBe(true);
    expect(isAllowed(caller, ["10.0.0.5"])).toBe(true);
    expect(isAllowed(caller, ["data", "10.0.0"])).toBe(false);
    expect(isAllowed(caller, [])).toBe(false);
  });
});
