import { SlipwayError } from "../common/errors.ts";
import { OpenStackError } from "../openstack/errors.ts";
import { externalNetworkId } from "../openstack/network/external-networks.ts";
import {
  createFloatingIp,
  deleteFloatingIp,
  describeFloatingIp,
  type FloatingIp,
  findFloatingIp,
  listFloatingIps,
  pointFloatingIp,
  setFloatingIpTags,
} from "../openstack/network/floating-ips.ts";
import { listPorts } from "../openstack/network/ports.ts";
import type { Session } from "../openstack/session.ts";

/** A stack's public address, as far as its program knows it. */
export interface StackAddress {
  /** What marks the stack's things. */
  tag: string;
  /** The address that the program owns. It may be gone: somebody can delete it without the program. */
  ownId: string;
  /** The host's port that it leads to. */
  portId: string;
  /** Name of the network that it is from. */
  externalNetwork: string;
}

/** What tells a stack's addresses from others; there is no `ownId` where the program's state is gone. */
export type StackMarks = { tag: string; ownId?: string | undefined };

/** An address that this run may use: as it was before, and how it was come by. */
export interface Claim {
  address: FloatingIp;
  /** `own`: the program's; `kept`: an earlier run took it; the others were taken by this run. */
  how: "own" | "kept" | "reused" | "allocated";
}

/** Set in the call that allocates, unlike tags: an address that was not tagged any more is found by it. */
const standInDescription = (tag: string) => `${tag} stand-in`;

/** Whether an address stands in for the stack's own. One with a second tag of Slipway's has another purpose. */
export function isStandIn({ id, tags, description }: FloatingIp, { tag, ownId }: StackMarks): boolean {
  if (id === ownId) return false;
  const others = tags.filter((other) => other !== tag && other.startsWith("slipway"));
  return others.length === 0 && (tags.includes(tag) || description === standInDescription(tag));
}

/** Whether a stand-in was allocated here: the stack's program knows nothing of it. */
export function isAllocated({ description }: FloatingIp, { tag }: Pick<StackAddress, "tag">): boolean {
  return description === standInDescription(tag);
}

/** Whether a stand-in was made for something else, and is only lent to the stack. */
export function isBorrowed({ description }: FloatingIp, { tag }: Pick<StackAddress, "tag">): boolean {
  return !description.startsWith(`${tag} `);
}

/** The ports that a stand-in may lead to; on any other it is somebody else's by now. */
export async function portsOf(session: Session, { tag }: Pick<StackAddress, "tag">): Promise<Set<string>> {
  return new Set((await listPorts(session, { tags: tag, project_id: await session.projectId() })).map(({ id }) => id));
}

/** The project's floating IPs; an administrator sees everybody's. */
export async function projectAddresses(session: Session): Promise<FloatingIp[]> {
  return listFloatingIps(session, { project_id: await session.projectId() });
}

/**
 * Finds the address for a stack, or makes one: what leads to its host already; else the program's own; else one that an earlier run
 * took; else a free one of the project on the same network that nobody has tagged; else a new one.
 * @param options.reuse whether a free address may be taken
 * @param options.except addresses that were lost to others already
 * @throws SlipwayError E_FLOATING_IP with the project's addresses, when no new one can be had; E_LOOKUP
 */
export async function claimAddress(
  session: Session,
  stack: StackAddress,
  { reuse, except }: { reuse: boolean; except: ReadonlySet<string> },
): Promise<Claim> {
  const addresses = (await projectAddresses(session)).filter(({ id }) => !except.has(id));
  const ofStack = addresses.filter((one) => one.id === stack.ownId || isStandIn(one, stack));
  const known =
    ofStack.find(({ port_id }) => port_id === stack.portId) ??
    ofStack.find(({ id }) => id === stack.ownId) ??
    (await firstNotLost(session, ofStack, stack));
  if (known !== undefined) return { address: known, how: known.id === stack.ownId ? "own" : "kept" };
  const networkId = await externalNetworkId(session, stack.externalNetwork);
  for (const address of reuse ? addresses : []) {
    if (isFree(address, networkId) && (await take(session, address, stack))) return { address, how: "reused" };
  }
  return { address: await allocate(session, networkId, stack), how: "allocated" };
}

async function firstNotLost(
  session: Session,
  standIns: FloatingIp[],
  stack: StackAddress,
): Promise<FloatingIp | undefined> {
  if (standIns.length === 0) return undefined;
  const ports = await portsOf(session, stack);
  return standIns.find(({ port_id }) => port_id === null || ports.has(port_id));
}

function isFree({ port_id, tags, floating_network_id }: FloatingIp, networkId: string): boolean {
  return port_id === null && tags.length === 0 && floating_network_id === networkId;
}

/**
 * Tags a free address and looks again. Neutron has no way to tag only what nobody else has tagged: of two runs at once the last one
 * has it, and the other sees that here, or when it has associated it.
 */
async function take(
  session: Session,
  { id, floating_network_id }: FloatingIp,
  { tag }: StackAddress,
): Promise<boolean> {
  const before = await findFloatingIp(session, id);
  if (before === undefined || !isFree(before, floating_network_id)) return false;
  await setFloatingIpTags(session, id, [tag]);
  const now = await findFloatingIp(session, id);
  const ours = now?.tags.includes(tag) === true;
  if (ours && now.port_id !== null) await removeTag(session, now, tag);
  return ours && now.port_id === null;
}

async function allocate(session: Session, networkId: string, { tag }: StackAddress): Promise<FloatingIp> {
  const description = standInDescription(tag);
  try {
    return await createFloatingIp(session, { networkId, description });
  } catch (error) {
    const addresses = await projectAddresses(session);
    const made = addresses.find((address) => address.description === description && address.port_id === null);
    if (made !== undefined) return made; // its answer was lost
    throw await noneToBeHad(session, error);
  }
}

/**
 * Makes a claim undone: the address leads where it led before, what was reused is free and untagged again, what was allocated is gone.
 * One that somebody else has pointed elsewhere or tagged by now is left to them.
 */
export async function giveBack(session: Session, { address: before, how }: Claim, stack: StackAddress): Promise<void> {
  const now = await findFloatingIp(session, before.id);
  if (now === undefined || (how === "reused" && !now.tags.includes(stack.tag))) return;
  const lost = now.port_id !== null && now.port_id !== stack.portId;
  if (how === "allocated" && !lost) return deleteFloatingIp(session, now.id);
  if (!lost && now.port_id !== before.port_id) await pointFloatingIp(session, now.id, before.port_id);
  if (how === "reused" || (lost && how !== "own")) await letGo(session, now, stack);
}

/** Marks an address that was allocated here as the stack's; the program tags its own, and what is reused was tagged to take it. */
export async function ensureTagged(session: Session, { address }: Claim, stack: StackAddress): Promise<void> {
  if (!isAllocated(address, stack) || address.tags.includes(stack.tag)) return;
  await setFloatingIpTags(session, address.id, [...address.tags, stack.tag]);
}

/** Takes off an address what makes it a stand-in of the stack, and leaves it where it is. */
export async function letGo(session: Session, address: FloatingIp, stack: Pick<StackAddress, "tag">): Promise<void> {
  if (isAllocated(address, stack)) await describeFloatingIp(session, address.id, "");
  await removeTag(session, address, stack.tag);
}

/** Takes the stack's tag off an address and leaves the others. */
async function removeTag(session: Session, { id, tags }: FloatingIp, tag: string): Promise<void> {
  await setFloatingIpTags(
    session,
    id,
    tags.filter((other) => other !== tag),
  );
}

/** A refusal to allocate an address, told with those that the project has where its quota is met; any other failure as it is. */
export async function noneToBeHad(session: Session, cause: unknown): Promise<unknown> {
  if (!(cause instanceof OpenStackError) || cause.status !== 409) return cause;
  const { requestId } = cause;
  const addresses = await projectAddresses(session);
  return new SlipwayError("E_FLOATING_IP", `no floating IP can be had: ${cause.message}`, {
    cause,
    ...(requestId === undefined ? {} : { requestId }),
    hint: "Release one that nobody needs with `openstack floating ip delete`, or ask for a larger quota.",
    details: addresses.map(({ floating_ip_address, port_id, tags, description }) =>
      `${floating_ip_address} ${port_id === null ? "free" : `on port ${port_id}`} ${[...tags, description].join(" ")}`.trim(),
    ),
  });
}
