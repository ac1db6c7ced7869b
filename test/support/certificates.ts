import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** PEM texts of a certificate and its key. */
export interface Certificate {
  cert: string;
  key: string;
}

/** PEM texts of an authority that no system trusts, and of what it has signed. */
export interface Certificates {
  ca: string;
  server: Certificate;
  client: Certificate;
}

/** How a certificate is made. */
export interface CertificateOptions {
  /** How long it is valid from now. */
  days?: number;
  /** Its subjectAltName; none without it. */
  san?: string;
  /** Its common name. */
  cn?: string;
  /** The authority that signs it, by its name in the folder; without it, it is an authority itself. */
  issuer?: string;
}

/** Makes a certificate `<name>.pem` with its key in a folder. Throws where there is no openssl that can. */
export function makeCertificate(
  folder: string,
  name: string,
  { days = 2, san, cn = name, issuer }: CertificateOptions = {},
): Certificate {
  const path = (file: string) => join(folder, file);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path(`${name}.key`)];
  const signed = issuer === undefined ? [] : ["-CA", path(`${issuer}.pem`), "-CAkey", path(`${issuer}.key`)];
  const options = [
    ...["req", "-config", "/dev/null", "-x509", ...key, "-out", path(`${name}.pem`), "-subj", `/CN=${cn}`],
    ...["-days", String(days), "-addext", `basicConstraints=critical,CA:${issuer === undefined ? "TRUE" : "FALSE"}`],
    ...(san === undefined ? [] : ["-addext", `subjectAltName=${san}`]),
    ...signed,
  ];
  execFileSync("openssl", options, { stdio: "pipe" });
  return { cert: readFileSync(path(`${name}.pem`), "utf8"), key: readFileSync(path(`${name}.key`), "utf8") };
}

/** Makes certificates for 127.0.0.1 in a folder; undefined where there is no openssl that can. */
export function makeCertificates(folder: string): Certificates | undefined {
  try {
    const { cert: ca } = makeCertificate(folder, "ca", { days: 3 });
    const signed = { san: "IP:127.0.0.1", issuer: "ca" };
    return { ca, server: makeCertificate(folder, "server", signed), client: makeCertificate(folder, "client", signed) };
  } catch {
    return undefined;
  }
}
