import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { ensureCertificates, keyFileName } from "../../src/guest/certificates.ts";
import { type GuestPaths, guestPaths } from "../../src/guest/paths.ts";
import { type Certificate, makeCertificate } from "../support/certificates.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let paths: GuestPaths;
const commands: string[] = [];
const run = async (command: string, args: string[]) => {
  commands.push([command, ...args].join(" "));
  return { stdout: "", stderr: "" };
};
let pair: Certificate;
let other: Certificate;
beforeEach(() => {
  const folder = temporaryFolder();
  paths = guestPaths(temporaryFolder());
  pair = makeCertificate(folder, "one", { san: "DNS:x" });
  other = makeCertificate(folder, "other", { san: "DNS:x" });
  mkdirSync(paths.keys, { recursive: true });
  commands.length = 0;
});
const arrive = (cert: string, key: string) => writeFileSync(`${paths.keys}/${keyFileName(cert)}`, key);
const ensure = ({ cert }: Certificate, timeoutMs = 5000) =>
  ensureCertificates({ paths, run }, { cert, ca: other.cert, settings: {} }, timeoutMs);

describe("AIEngine's certificates on a host", () => {
  it("wait for the key, and are then the service user's to read and nobody else's", async () => {
    const ensured = ensure(pair);
    arrive(pair.cert, pair.key);
    await ensured;
    const { cert, key, ca } = paths.aiengine;
    expect([cert, key, ca].map((file) => readFileSync(file, "utf8"))).toEqual([pair.cert, pair.key, other.cert]);
    for (const file of [cert, key, ca]) expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(commands).toEqual([`chown root:slipway ${key} ${cert} ${ca}`]);
    expect(dirname(key)).toBe(dirname(cert));
  });

  it("stay as they are while another certificate's key is there alone", async () => {
    arrive(pair.cert, pair.key);
    await ensure(pair);
    await expect(ensure(other, 200)).rejects.toThrow("the key of AIEngine's certificate, which `slipway up`");
    expect(readFileSync(paths.aiengine.cert, "utf8")).toBe(pair.cert);
  });

  it("refuse a key that is not the certificate's", async () => {
    arrive(pair.cert, other.key);
    await expect(ensure(pair)).rejects.toThrow("is not the key of AIEngine's certificate");
  });
});
