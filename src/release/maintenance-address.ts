import { SlipwayError } from "../common/errors.ts";
import { undone } from "../common/undo.ts";
import { ensureAssociated } from "../openstack/network/association.ts";
import { createFloatingIp, deleteFloatingIp } from "../openstack/network/floating-ips.ts";
import type { Session } from "../openstack/session.ts";
import { noneToBeHad, projectAddresses } from "./address-claim.ts";

/** A host that must be reached before it has an address of its own. */
export interface Unattached {
  portId: string;
  externalNetworkId: string;
  /** Of the stack. */
  tag: string;
}

/**
 * Gives a host a second, tagged floating IP for the time of an action. What may come in is what the host's security group lets in: SSH
 * from the configured range, and the frontend's port, on which nothing listens before the first release has been pushed. The address is
 * given back whatever the action's end; one that a killed run left is given back first.
 * @throws SlipwayError E_FLOATING_IP, E_TIMEOUT; OpenStackError, a quota's for one; whatever the action throws
 */
export async function withMaintenanceAddress<T>(
  session: Session,
  { portId, externalNetworkId, tag }: Unattached,
  signal: AbortSignal,
  action: (address: string) => Promise<T>,
): Promise<T> {
  await endMaintenance(session, tag);
  let result: T;
  try {
    // the second tag tells that it does not stand in for the stack's own address
    const tags = [tag, "slipway-maintenance"];
    const wanted = { networkId: externalNetworkId, description: descriptionOf(tag), tags };
    const { id, floating_ip_address } = await createFloatingIp(session, wanted).catch(async (error: unknown) => {
      throw await noneToBeHad(session, error);
    });
    if ((await ensureAssociated(session, id, portId, { signal })) === undefined) throw taken(floating_ip_address);
    result = await action(floating_ip_address);
  } catch (error) {
    throw await undone(
      error,
      () => endMaintenance(session, tag),
      "the address for maintenance could not be given back",
    );
  }
  await endMaintenance(session, tag);
  return result;
}

/** Gives back the addresses for maintenance that a stack has. They are known by their description: a killed run may not have tagged one. */
export async function endMaintenance(session: Session, tag: string): Promise<void> {
  const addresses = (await projectAddresses(session)).filter(({ description }) => description === descriptionOf(tag));
  await Promise.all(addresses.map(({ id }) => deleteFloatingIp(session, id)));
}

function taken(address: string): SlipwayError {
  return new SlipwayError("E_FLOATING_IP", `somebody else has pointed ${address} elsewhere while it was attached`, {
    hint: "Run the command again: it takes another address.",
  });
}

function descriptionOf(tag: string): string {
  return `${tag} maintenance`;
}
