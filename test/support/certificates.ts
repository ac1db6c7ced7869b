import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** PEM texts of an authority that no system trusts, and of what it has signed. */
export interface Certificates {
  ca: string;
  server: { cert: string; key: string };
  client: { cert: string; key: string };
}

/** Makes certificates for 127.0.0.1 in a folder; undefined where there is no openssl that can. */
export function makeCertificates(folder: string): Certificates | undefined {
  const path = (name: string) => join(folder, name);
  const make = (name: string, ...more: string[]) => {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path(`${name}.key`)];
    const options = [
      "req",
      "-x509",
      ...key,
      "-out",
      path(`${name}.pem`),
      "-subj",
      `/CN=${name}`,
      "-days",
      "2",
      ...more,
    ];
    execFileSync("openssl", options, { stdio: "pipe" });
    return { cert: readFileSync(path(`${name}.pem`), "utf8"), key: readFileSync(path(`${name}.key`), "utf8") };
  };
  try {
    const { cert: ca } = make("ca");
    const signed = ["-addext", "subjectAltName=IP:127.0.0.1", "-CA", path("ca.pem"), "-CAkey", path("ca.key")];
    return { ca, server: make("server", ...signed), client: make("client", ...signed) };
  } catch {
    return undefined;
  }
}
