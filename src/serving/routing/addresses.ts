import { runtimeSockets, type ServingConfig } from "../config.ts";
import { identityFor } from "../runtime/identity.ts";
import type { NetworkAddress, RuntimeAddress } from "./address.ts";

/**
 * Where all runtimes are asked that a configuration names: the host's own first, then those of others.
 * @throws SlipwayError E_CONFIG_INVALID for one of another host without TLS, or with files that cannot be read
 */
export async function runtimeAddresses(config: ServingConfig): Promise<RuntimeAddress[]> {
  const remote = config.remoteRuntimes.map(async ({ host, port, tls }): Promise<NetworkAddress> => {
    const identity = await identityFor(host, tls, "remoteRuntimes");
    return { host, port, ...(identity && { tls: identity }) };
  });
  return [...runtimeSockets(config), ...(await Promise.all(remote))];
}
