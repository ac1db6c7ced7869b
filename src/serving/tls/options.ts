import type { SecureContextOptions, TlsOptions } from "node:tls";
import type { TlsTexts } from "./certificates.ts";

/** Within which a client must have shaken hands. */
const HANDSHAKE_MS = 10_000;

/** What is said to a server's connections from now on; also in place of what was said before. */
export function secureContextOf({ cert, key, ca }: TlsTexts): SecureContextOptions {
  return { minVersion: "TLSv1.2", cert, key, ca };
}

/** What a server over TLS begins with: clients show a certificate where there are authorities for them. */
export function tlsServerOptions(texts: TlsTexts): TlsOptions {
  const asks = texts.ca !== undefined;
  return { ...secureContextOf(texts), requestCert: asks, rejectUnauthorized: asks, handshakeTimeout: HANDSHAKE_MS };
}
