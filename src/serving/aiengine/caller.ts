import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";

/** Who asks: a client's certificate. */
export interface Caller {
  /** SHA-256 of the certificate, hex. */
  id: string;
  /** Its common name and alternative ones. */
  names: string[];
}

/** Who is at the other end; undefined where no certificate was shown. */
export function callerOf(socket: TLSSocket): Caller | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  return { id: certificate.fingerprint256.replaceAll(":", "").toLowerCase(), names: namesOf(certificate) };
}

/** The names that a certificate is issued for: its CN, and the names and addresses among its alternative ones. */
export function namesOf({ subject, subjectAltName }: Pick<X509Certificate, "subject" | "subjectAltName">): string[] {
  const common = [...(subject ?? "").matchAll(/^CN=(.+)$/gm)].map(([, name]) => name as string);
  // one after the other, so that nothing within a quoted name is taken for a name
  const alternative = [...(subjectAltName ?? "").matchAll(/(?:, )?([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/gy)]
    .filter(([, kind]) => kind === "DNS" || kind === "IP Address")
    .map(([, , name]) => name as string);
  return [...new Set([...common, ...alternative])];
}

/** Whether a caller is let in: all are where no list says who. */
export function isAllowed({ names }: Caller, clients: readonly string[] | undefined): boolean {
  return clients === undefined || names.some((name) => clients.includes(name));
}
