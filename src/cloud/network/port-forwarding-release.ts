import { unassociated } from "./floatingip-association.ts";
import type { NetworkTables, PortForwarding } from "./records.ts";
import { revised } from "./resource.ts";

/** Takes away every forwarding to a port that goes. */
export function removeForwardingsTo(tables: NetworkTables, portId: string): void {
  for (const forwarding of tables.portForwardings.list((item) => item.internalPortId === portId)) {
    removeForwarding(tables, forwarding);
  }
}

/** Deletes a forwarding; with its last one a floating IP leaves its router. */
export function removeForwarding(tables: NetworkTables, forwarding: PortForwarding): void {
  tables.portForwardings.delete(forwarding.id);
  const { floatingIpId } = forwarding;
  if (tables.portForwardings.find((other) => other.floatingIpId === floatingIpId) !== undefined) return;
  const floating = tables.floatingIps.get(floatingIpId);
  if (floating !== undefined) tables.floatingIps.put(revised(floating, unassociated));
}
