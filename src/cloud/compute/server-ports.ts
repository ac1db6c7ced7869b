import type { NetworkTables, Port } from "../network/records.ts";
import type { Server } from "./records.ts";

/** A server's ports that are there, in the order of its interfaces. */
export function portsOf({ ports }: NetworkTables, { nics }: Pick<Server, "nics">): Port[] {
  return nics.flatMap(({ portId }) => ports.get(portId) ?? []);
}
