import { createPrivateKey, X509Certificate } from "node:crypto";
import { messageOf } from "../../common/errors.ts";

const DAY_MS = 24 * 3600 * 1000;
/** Whoever renews certificates wants to know so long before. */
const WARN_DAYS = 30;

/** PEM texts of a server. */
export interface TlsTexts {
  /** The server's certificate, intermediates after it. */
  cert: string;
  key: string;
  /** The authorities of the clients, where those are asked for certificates. */
  ca?: string | undefined;
}

/** What is to be said of certificates. */
export interface Findings {
  /** Why they cannot be used. */
  refusals: string[];
  /** What will go wrong, and when. */
  warnings: string[];
}

/**
 * Judges a server's certificates: what clients would refuse, and what ends before long. The mistakes are those of openGauss' own recipe,
 * whose authority lives for one year and its leaves for ten, without alternative names.
 */
export function judgeCertificates({ cert, key, ca }: TlsTexts, now = new Date()): Findings {
  let chain: X509Certificate[];
  let authorities: X509Certificate[];
  try {
    chain = certificatesIn(cert, "cert");
    authorities = ca === undefined ? [] : certificatesIn(ca, "ca");
  } catch (error) {
    return { refusals: [messageOf(error)], warnings: [] };
  }
  const [leaf, ...intermediates] = chain as [X509Certificate, ...X509Certificate[]];
  const issuers = issuersOf(leaf, [...intermediates, ...authorities]);
  const refusals = [
    ...keyProblems(leaf, key),
    ...timeProblems("the certificate", leaf, now),
    ...(leaf.subjectAltName ? [] : ["the certificate has no alternative name (SAN): clients go by it, not by the CN"]),
    ...issuers.flatMap((issuer) => [
      ...timeProblems(`its authority ${nameOf(issuer)}`, issuer, now),
      ...(endOf(issuer) < endOf(leaf)
        ? [
            `its authority ${nameOf(issuer)} ends before it, on ${dayOf(endOf(issuer))}; the certificate says ${dayOf(endOf(leaf))}`,
          ]
        : []),
    ]),
    ...authorities.flatMap((authority) => [
      ...(authority.ca ? [] : [`ca: ${nameOf(authority)} is no authority (CA:TRUE is missing)`]),
      ...(issuers.includes(authority) ? [] : timeProblems(`ca: ${nameOf(authority)}`, authority, now)),
    ]),
  ];
  const warnings = [
    ...(issuers.length === 0 && ca !== undefined
      ? ["the certificate's authority is in neither file: how long it lives is not known"]
      : []),
    ...[...new Set([leaf, ...issuers, ...authorities])].flatMap((one) => endingSoon(one, now)),
  ];
  return { refusals: [...new Set(refusals)], warnings };
}

/** All certificates of a PEM text. Throws for none, and for what is none. */
function certificatesIn(text: string, what: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error(`${what}: there is no certificate in the file`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw new Error(`${what}: a certificate cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** The certificate's issuer, the issuer's, and so on, as far as they are among these. */
function issuersOf(leaf: X509Certificate, pool: readonly X509Certificate[]): X509Certificate[] {
  const issuers: X509Certificate[] = [];
  for (let one = leaf; ; ) {
    const issuer = pool.find((other) => one.checkIssued(other) && one.verify(other.publicKey));
    if (issuer === undefined || issuers.includes(issuer)) return issuers;
    issuers.push(issuer);
    one = issuer;
  }
}

function keyProblems(leaf: X509Certificate, key: string): string[] {
  try {
    return leaf.checkPrivateKey(createPrivateKey(key)) ? [] : ["the key is not the certificate's"];
  } catch {
    return ["key: there is no private key in the file that can be read without a passphrase"];
  }
}

function timeProblems(what: string, certificate: X509Certificate, now: Date): string[] {
  if (endOf(certificate) <= now.getTime()) return [`${what} has expired on ${dayOf(endOf(certificate))}`];
  const begin = Date.parse(certificate.validFrom);
  return begin > now.getTime() ? [`${what} is not valid before ${new Date(begin).toISOString()}`] : [];
}

function endingSoon(certificate: X509Certificate, now: Date): string[] {
  const left = endOf(certificate) - now.getTime();
  if (left <= 0 || left > WARN_DAYS * DAY_MS) return [];
  const what = certificate.ca ? `the authority ${nameOf(certificate)}` : "the certificate";
  return [`${what} ends on ${dayOf(endOf(certificate))}, in ${Math.floor(left / DAY_MS)} days`];
}

const endOf = ({ validTo }: X509Certificate) => Date.parse(validTo);
const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
const nameOf = ({ subject }: X509Certificate) => JSON.stringify(subject.replaceAll("\n", ", "));
