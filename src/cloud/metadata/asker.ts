import type { Server } from "../compute/records.ts";
import type { Port } from "../network/records.ts";
import type { Collection } from "../store/store.ts";
import type { Asker } from "./answer.ts";
import { type InstanceParts, instanceFor } from "./instance.ts";

export interface AskerParts extends InstanceParts {
  servers: Collection<Server>;
}

/**
 * The server whose port has this address in this network: that alone says who asks, since a network lets each port send from its own
 * addresses only, and none that is down sends at all. As with Nova, a server of another project than its port's is not told of.
 */
export function askerAt(parts: AskerParts, networkId: string, address: string): Asker | undefined {
  const { tables, servers } = parts;
  const has = (port: Port) => port.fixedIps.some(({ ipAddress }) => ipAddress === address);
  const port = tables.ports.find((one) => one.adminStateUp && one.networkId === networkId && has(one));
  const server = port?.device?.kind === "server" ? servers.get(port.device.id) : undefined;
  if (port === undefined || server === undefined || server.projectId !== port.projectId) return undefined;
  return {
    instance: instanceFor(parts, server),
    keepPassword: (encryptedPassword) => {
      servers.patch(server.id, { encryptedPassword });
    },
  };
}
