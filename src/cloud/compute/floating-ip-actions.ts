import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { owns } from "../identity/scope.ts";
import { associationTo, unassociated } from "../network/floatingip-association.ts";
import { versionOf } from "../network/ip.ts";
import type { FloatingIp } from "../network/records.ts";
import { revised } from "../network/resource.ts";
import { type Action, type Actions, accepted } from "./action.ts";
import { nova } from "./errors.ts";
import { ipAddress } from "./schema-types.ts";
import { portsOf } from "./server-ports.ts";

const addBody = z.strictObject({
  addFloatingIp: z.strictObject({ address: ipAddress, fixed_address: ipAddress.optional() }),
});
const removeBody = z.strictObject({ removeFloatingIp: z.strictObject({ address: ipAddress }) });

/** Nova's own ways to Neutron's floating IPs, gone since 2.44. */
export const floatingIpActions: Actions = {
  addFloatingIp: async (action) => {
    demandBefore44(action);
    const { context, scope, server, body } = action;
    const { address, fixed_address: wanted } = parseSchema(addBody, body).addFloatingIp;
    const ports = portsOf(context.tables, server);
    const fixed = ports.flatMap((port) => port.fixedIps.map(({ ipAddress: ip }) => ({ ip, portId: port.id })));
    if (ports.length === 0) throw nova.badRequest("Instance network is not ready yet");
    if (fixed.length === 0) throw nova.badRequest("No fixed IPs associated to instance");
    const target = fixed.find(({ ip }) => (wanted === undefined ? versionOf(ip) === 4 : ip === wanted));
    if (target === undefined) {
      throw nova.badRequest(
        wanted === undefined
          ? `Unable to associate floating IP ${address} to any fixed IPs for instance ${server.id}. Instance has no fixed IPv4 addresses to associate.`
          : "Specified fixed address not assigned to instance",
      );
    }
    context.store.transaction(() => {
      const floating = ownAddress(action, address);
      try {
        const association = associationTo(context.tables, scope, floating, target.portId, target.ip);
        context.tables.floatingIps.put(revised(floating, association));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        throw nova.badRequest(
          `Unable to associate floating IP ${address} to fixed IP ${target.ip} for instance ${server.id}. Error: ${error.message}`,
        );
      }
    });
    await context.reconcile();
    return accepted(action);
  },
  removeFloatingIp: async (action) => {
    demandBefore44(action);
    const { context, server, body } = action;
    const { address } = parseSchema(removeBody, body).removeFloatingIp;
    context.store.transaction(() => {
      const floating = ownAddress(action, address);
      if (!server.nics.some(({ portId }) => portId === floating.portId)) {
        throw new ApiError(409, `Floating IP ${address} is not associated with instance ${server.id}.`);
      }
      context.tables.floatingIps.put(revised(floating, unassociated));
    });
    await context.reconcile();
    return accepted(action);
  },
};

function demandBefore44({ microversion }: Action): void {
  if (microversion >= 44) throw nova.notFound();
}

function ownAddress({ context, scope }: Action, address: string): FloatingIp {
  const found = context.tables.floatingIps.find((item) => item.address === address && owns(scope, item.projectId));
  if (found === undefined) throw new ApiError(404, "floating IP not found");
  return found;
}
