import { SlipwayError } from "../common/errors.ts";
import { undone } from "../common/undo.ts";
import { awaitServerActive } from "../openstack/compute/servers.ts";
import { type AssociationOptions, ensureAssociated } from "../openstack/network/association.ts";
import {
  deleteFloatingIp,
  type FloatingIp,
  listFloatingIps,
  pointFloatingIp,
} from "../openstack/network/floating-ips.ts";
import type { Session } from "../openstack/session.ts";
import {
  type Claim,
  claimAddress,
  ensureTagged,
  giveBack,
  isAllocated,
  isBorrowed,
  isStandIn,
  letGo,
  portsOf,
  projectAddresses,
  type StackAddress,
  type StackMarks,
} from "./address-claim.ts";

/** How many addresses are tried when others take them away. */
const CLAIMS = 3;

/** An address that leads to the stack's host. */
interface Attached extends Claim {
  /** Undoes what this run did: for an address behind which nothing serves. */
  giveBack(): Promise<void>;
}

/** The stack's address on its host's port; undefined where there is none, or one that is not the stack's. */
export async function findAttached(
  session: Session,
  stack: Pick<StackAddress, "tag" | "ownId" | "portId">,
): Promise<FloatingIp | undefined> {
  const onPort = await listFloatingIps(session, { port_id: stack.portId });
  return onPort.find((address) => address.id === stack.ownId || isStandIn(address, stack));
}

/**
 * Makes an address lead to the stack's host; {@link claimAddress} says which. What this run took for it is given back when it fails
 * or is interrupted: no run leaves an address behind.
 * @throws SlipwayError E_FLOATING_IP; E_UPDATE_FAILED for a broken server, E_TIMEOUT, E_LOOKUP
 */
export async function ensureAttached(
  session: Session,
  stack: StackAddress & { serverId: string },
  { reuse = true, ...patience }: { reuse?: boolean } & AssociationOptions = {},
): Promise<Attached> {
  await awaitServerActive(session, stack.serverId, patience);
  const lost = new Set<string>();
  for (let tries = 1; ; tries++) {
    const claim = await claimAddress(session, stack, { reuse, except: lost });
    const undo = () => giveBack(session, claim, stack);
    let address: FloatingIp | undefined;
    try {
      await ensureTagged(session, claim, stack);
      address = await ensureAssociated(session, claim.address.id, stack.portId, patience);
    } catch (error) {
      throw await undone(error, undo, `the floating IP ${claim.address.floating_ip_address} could not be given back`);
    }
    const held = claim.how === "own" || address?.tags.includes(stack.tag);
    if (address !== undefined && held) return { how: claim.how, address, giveBack: undo };
    await undo();
    if (tries === CLAIMS) throw takenByOthers(claim.address);
    // the program's own is asked for again: nobody else has a right to it
    if (claim.how !== "own") lost.add(claim.address.id);
  }
}

/**
 * Takes every address of the stack off its port. What the program made stays with the stack; a stand-in goes: one that was allocated
 * is deleted, one that was borrowed is free and untagged again, one that somebody has pointed elsewhere is left to them.
 * @returns the addresses that led to a port
 */
export async function ensureDetached(session: Session, stack: StackMarks): Promise<FloatingIp[]> {
  const ofStack = (await projectAddresses(session)).filter((one) => one.id === stack.ownId || isStandIn(one, stack));
  const ports = await portsOf(session, stack);
  const isLost = ({ id, port_id }: FloatingIp) => id !== stack.ownId && port_id !== null && !ports.has(port_id);
  for (const address of ofStack.filter(isLost)) await letGo(session, address, stack);
  const addresses = ofStack.filter((address) => !isLost(address));
  for (const address of addresses) {
    if (isAllocated(address, stack)) {
      await deleteFloatingIp(session, address.id);
      continue;
    }
    if (address.port_id !== null) await pointFloatingIp(session, address.id, null);
    if (isBorrowed(address, stack)) await letGo(session, address, stack);
  }
  return addresses.filter(({ port_id }) => port_id !== null);
}

function takenByOthers({ floating_ip_address: address }: FloatingIp): SlipwayError {
  return new SlipwayError("E_FLOATING_IP", `others took ${CLAIMS} floating IPs away, ${address} the last`, {
    hint: "Find out who works on the project's addresses, and run the command again.",
  });
}
