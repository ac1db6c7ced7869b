import type { HostContext } from "../../src/contextualization/render.ts";

/** A host of each role, for tests. */
export const hostContext: HostContext = {
  stack: "production",
  host: "server",
  generation: "g1",
  roles: ["frontend", "queue", "worker", "runtime"],
  sourceUrl: "http://172.24.64.1:8080/v1/AUTH_p/slipway-production-0123456789abcdef",
  publicKey: "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
  frontendPort: 5100,
};
