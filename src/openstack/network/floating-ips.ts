import { memberOf } from "../answer.ts";
import { orMissing } from "../missing.ts";
import { requestNetwork } from "../pkgcloud/call.ts";
import type { Query, Session } from "../session.ts";
import { listMembers } from "./collections.ts";
import { tagOrRemove } from "./tags.ts";

/** A Neutron floating IP. */
export interface FloatingIp {
  id: string;
  floating_ip_address: string;
  floating_network_id: string;
  fixed_ip_address: string | null;
  port_id: string | null;
  /** `ACTIVE` with a port, `DOWN` without. */
  status: string;
  description: string;
  tags: string[];
  created_at: string;
}

/** Floating IPs by Neutron's filters: `floating_ip_address`, `port_id`, `tags`, `description`, … */
export function listFloatingIps(session: Session, filters: Query = {}): Promise<FloatingIp[]> {
  return listMembers<FloatingIp>(session, "floatingips", filters);
}

/** The floating IP; undefined where there is none. */
export async function findFloatingIp(session: Session, id: string): Promise<FloatingIp | undefined> {
  const found = await orMissing(() => session.request("network", "GET", `/floatingips/${id}`));
  return found && memberOf<FloatingIp>(found, "floatingip");
}

/** Takes an address from an external network; one that cannot be tagged is given back. */
export async function createFloatingIp(
  session: Session,
  wanted: { networkId: string; description: string; tags?: string[] },
): Promise<FloatingIp> {
  const body = { floatingip: { floating_network_id: wanted.networkId, description: wanted.description } };
  const answer = await requestNetwork(session, { method: "POST", path: "floatingips", body });
  const made = memberOf<FloatingIp>(answer, "floatingip");
  const tags = await tagOrRemove(session, "floatingips", made.id, deleteFloatingIp, wanted.tags);
  return { ...made, tags };
}

/** Points the floating IP at a port, away from the one that it led to before; null takes it off. One call, no wait. */
export async function pointFloatingIp(session: Session, id: string, portId: string | null): Promise<void> {
  await session.request("network", "PUT", `/floatingips/${id}`, { body: { floatingip: { port_id: portId } } });
}

/** Replaces the floating IP's description. */
export async function describeFloatingIp(session: Session, id: string, description: string): Promise<void> {
  await session.request("network", "PUT", `/floatingips/${id}`, { body: { floatingip: { description } } });
}

/** Replaces the floating IP's tags. */
export async function setFloatingIpTags(session: Session, id: string, tags: string[]): Promise<void> {
  await session.request("network", "PUT", `/floatingips/${id}/tags`, { body: { tags } });
}

/** Gives an address back; one that is gone already is success. */
export async function deleteFloatingIp(session: Session, id: string): Promise<void> {
  await requestNetwork(session, { method: "DELETE", path: `floatingips/${id}` }, { expect: [204, 202, 200, 404] });
}
