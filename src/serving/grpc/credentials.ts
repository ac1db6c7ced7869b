import { experimental, type ServerCredentials } from "@grpc/grpc-js";
import type { TlsTexts } from "../tls/certificates.ts";
import type { ServerCertificates } from "../tls/files.ts";

type Provider = experimental.CertificateProvider;
type Follower<T> = (update: T | null) => void;

/** Credentials of a server whose new connections get what the certificates are by then; clients are asked for theirs where authorities are named. */
export function followingCredentials(certificates: ServerCertificates): ServerCredentials {
  const own = followed(certificates, ({ cert, key }) => ({
    certificate: Buffer.from(cert),
    privateKey: Buffer.from(key),
  }));
  const clients = followed(certificates, ({ ca = "" }) => ({ caCertificate: Buffer.from(ca) }));
  const provider: Provider = {
    addIdentityCertificateListener: own.add,
    removeIdentityCertificateListener: own.remove,
    addCaCertificateListener: clients.add,
    removeCaCertificateListener: clients.remove,
  };
  const asks = certificates.texts.ca !== undefined;
  // the library's own names of the first two are the other way round; both are this one
  return experimental.createCertificateProviderServerCredentials(provider, asks ? provider : null, asks);
}

/** Tells each follower what there is now, and again when it changes. */
function followed<T>(certificates: ServerCertificates, part: (texts: TlsTexts) => T) {
  const followers = new Set<Follower<T>>();
  certificates.follow((texts) => {
    for (const follower of followers) follower(part(texts));
  });
  return {
    add: (follower: Follower<T>) => {
      followers.add(follower);
      // not at once: the library takes note of nothing before it has returned
      queueMicrotask(() => follower(part(certificates.texts)));
    },
    remove: (follower: Follower<T>) => void followers.delete(follower),
  };
}
