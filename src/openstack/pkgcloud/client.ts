import type { Client, ClientOptions } from "pkgcloud";
import type { Attempt } from "../session.ts";

/** The session renews its token itself: for pkgcloud one never expires. */
const never = new Date(8.64e15);

/** How a client is made that uses the session's login instead of one of its own. */
export function optionsOf({ endpoint, token, verify }: Attempt): ClientOptions {
  return {
    provider: "openstack",
    authUrl: endpoint, // a client must have one; this one never logs in
    strictSSL: verify,
    identity: class {
      token = { id: token, expires: never };
      on() {} // pkgcloud listens for a log that is not kept
      authorize(done: () => void) {
        done();
      }
      getServiceEndpointUrl() {
        return endpoint.replace(/\/v2\.0$/, ""); // pkgcloud adds Neutron's version itself
      }
    },
  };
}

/**
 * Makes a client send as the session does: over its connections, to nobody whom an answer names instead, lists as repeated
 * parameters. It is to judge no answer: it takes 429, 412, 502 and 504 for success, and calls every 409 "Build in progress".
 */
export function prime<C extends Client>(client: C, { agent }: Attempt): C {
  client.failCodes = {};
  client.before.push((request) => {
    Object.assign(request, { agent, proxy: null, followRedirect: false, useQuerystring: true });
  });
  client.auth(() => undefined);
  return client;
}
