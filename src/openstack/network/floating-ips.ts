import { SlipwayError } from "../../common/errors.ts";
import { waitFor } from "../../common/wait.ts";
import { memberOf } from "../answer.ts";
import { OpenStackError } from "../errors.ts";
import { orMissing } from "../missing.ts";
import { requestNetwork } from "../pkgcloud/call.ts";
import type { Query, Session } from "../session.ts";
import { listMembers } from "./collections.ts";
import { findPort } from "./ports.ts";
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

/** Deadlines in milliseconds. */
export interface AssociationOptions {
  /** For the whole association; 60 000 unless told otherwise. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Floating IPs by Neutron's filters: `floating_ip_address`, `port_id`, `tags`, `description`, … */
export function listFloatingIps(session: Session, filters: Query = {}): Promise<FloatingIp[]> {
  return listMembers<FloatingIp>(session, "floatingips", filters);
}

/** The floating IP; undefined where there is none. */
export async function findFloatingIp(session: Session, id: string): Promise<FloatingIp | undefined> {
  const found = await orMissing(() => requestNetwork(session, { method: "GET", path: `floatingips/${id}` }));
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

/** Replaces the floating IP's tags. */
export async function setFloatingIpTags(session: Session, id: string, tags: string[]): Promise<void> {
  await session.request("network", "PUT", `/floatingips/${id}/tags`, { body: { tags } });
}

/** Gives an address back; one that is gone already is success. */
export async function deleteFloatingIp(session: Session, id: string): Promise<void> {
  await requestNetwork(session, { method: "DELETE", path: `floatingips/${id}` }, { expect: [204, 202, 200, 404] });
}

/**
 * Points the floating IP at a port and returns when the cloud shows it ACTIVE there. The port must be ACTIVE first: Neutron
 * accepts it earlier, but the address then answers late. An association that exists already is success.
 * @throws SlipwayError E_FLOATING_IP with the cloud's words, when the floating IP or the port is gone or the cloud refuses
 */
export async function associateFloatingIp(
  session: Session,
  id: string,
  portId: string,
  { timeoutMs = 60_000, signal }: AssociationOptions = {},
): Promise<FloatingIp> {
  const limits = { timeoutMs, intervalMs: 50, maxIntervalMs: 1000, ...(signal === undefined ? {} : { signal }) };
  await waitFor(`port ${portId} to become ACTIVE`, () => portIfActive(session, portId), limits);
  const existing = await findFloatingIp(session, id);
  if (existing?.port_id !== portId) await pointAt(session, id, portId);
  return waitFor(
    `floating IP ${id} to become ACTIVE on port ${portId}`,
    async () => {
      const now = await findFloatingIp(session, id);
      if (now === undefined) throw refused(`floating IP ${id} is gone`);
      return now.port_id === portId && now.status === "ACTIVE" ? now : undefined;
    },
    limits,
  );
}

/** Takes the floating IP off its port; one that is gone or free already is success. */
export async function disassociateFloatingIp(session: Session, id: string): Promise<void> {
  const existing = await findFloatingIp(session, id);
  if (existing !== undefined && existing.port_id !== null) await pointAt(session, id, null);
}

async function portIfActive(session: Session, portId: string): Promise<true | undefined> {
  const port = await findPort(session, portId);
  if (port === undefined) throw refused(`port ${portId} is gone`);
  return port.status === "ACTIVE" ? true : undefined;
}

async function pointAt(session: Session, id: string, portId: string | null): Promise<void> {
  try {
    await requestNetwork(session, {
      method: "PUT",
      path: `floatingips/${id}`,
      body: { floatingip: { port_id: portId } },
    });
  } catch (error) {
    if (error instanceof OpenStackError && error.status < 500) throw refused(error.message, error);
    throw error;
  }
}

function refused(message: string, cause?: OpenStackError): SlipwayError {
  return new SlipwayError("E_FLOATING_IP", message, {
    hint: "Run `slipway up` again; it finishes what is missing.",
    ...(cause === undefined ? {} : { cause }),
    ...(cause?.requestId === undefined ? {} : { requestId: cause.requestId }),
  });
}
