import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../../common/errors.ts";
import { waitFor } from "../../common/wait.ts";
import { OpenStackError } from "../errors.ts";
import type { Session } from "../session.ts";
import { type FloatingIp, findFloatingIp, listFloatingIps, pointFloatingIp } from "./floating-ips.ts";
import { findPort } from "./ports.ts";

/** How patient an association is; times in milliseconds. */
interface AssociationLimits {
  /** For each wait: the port to become ACTIVE, the address to become ACTIVE. */
  timeoutMs: number;
  /** How often the cloud is asked to associate at most. */
  attempts: number;
  /** After the first refusal; doubles with each. */
  firstPauseMs: number;
  /** How long the port may be invisible: clouds answer from replicas. */
  invisibleMs: number;
}

/** What differs from the usual patience. */
export type AssociationOptions = Partial<AssociationLimits> & { signal?: AbortSignal };

const defaultLimits: AssociationLimits = { timeoutMs: 60_000, attempts: 5, firstPauseMs: 300, invisibleMs: 10_000 };

/**
 * Points a floating IP at a port and returns when the cloud shows it ACTIVE there. The port is waited for first: Neutron may accept
 * the association earlier, but the address then answers late. A refusal that may pass is tried again; after each the cloud is looked
 * at, since a slow success reads as a failure.
 * @returns the address as it is now; undefined when somebody else has pointed it elsewhere meanwhile
 * @throws SlipwayError E_FLOATING_IP with the cloud's words, when address or port is gone or the cloud keeps refusing; E_TIMEOUT
 */
export async function ensureAssociated(
  session: Session,
  id: string,
  portId: string,
  options: AssociationOptions = {},
): Promise<FloatingIp | undefined> {
  const { signal, ...limits } = { ...defaultLimits, ...options };
  const pace = { timeoutMs: limits.timeoutMs, intervalMs: 50, maxIntervalMs: 1000, ...(signal ? { signal } : {}) };
  const started = performance.now();
  await waitFor(
    `port ${portId} to become ACTIVE`,
    async () => {
      const port = await findPort(session, portId);
      if (port === undefined && performance.now() - started > limits.invisibleMs)
        throw refused(`port ${portId} is gone`);
      return port?.status === "ACTIVE" ? true : undefined;
    },
    pace,
  );
  await ensurePointed(session, id, portId, limits, signal);
  const settled = await waitFor(
    `floating IP ${id} to become ACTIVE on port ${portId}`,
    async () => {
      const now = await requireFloatingIp(session, id);
      if (now.port_id !== null && now.port_id !== portId) return "taken";
      return now.port_id === portId && now.status === "ACTIVE" ? now : undefined;
    },
    pace,
  );
  return settled === "taken" ? undefined : settled;
}

async function ensurePointed(
  session: Session,
  id: string,
  portId: string,
  { attempts, firstPauseMs }: AssociationLimits,
  signal: AbortSignal | undefined,
): Promise<void> {
  let refusal: unknown;
  for (let made = 0; ; made++) {
    if ((await requireFloatingIp(session, id)).port_id === portId) return;
    if (made === attempts) throw refusal;
    try {
      return await pointFloatingIp(session, id, portId);
    } catch (error) {
      await refuseRival(session, id, portId, error);
      refusal = error instanceof OpenStackError ? refused(error.message, error) : error;
      if (!mayPass(error)) throw refusal;
    }
    await sleep(firstPauseMs * 2 ** made, undefined, signal === undefined ? undefined : { signal });
  }
}

/** A port that has another address keeps it: whose it is, is not known here. */
async function refuseRival(session: Session, id: string, portId: string, error: unknown): Promise<void> {
  if (!(error instanceof OpenStackError) || error.status !== 409) return;
  const rival = (await listFloatingIps(session, { port_id: portId })).find((other) => other.id !== id);
  if (rival === undefined) return;
  const { floating_ip_address: address } = rival;
  throw refused(
    `port ${portId} has the floating IP ${address} already: ${error.message}`,
    error,
    `Take that address off with \`openstack floating ip unset --port ${address}\`.`,
  );
}

/** By class: what is not visible or not ready yet, conflicts, too many calls, and the cloud's own failures. */
function mayPass(error: unknown): boolean {
  if (error instanceof SlipwayError) return error.code === "E_CLOUD_UNREACHABLE";
  if (!(error instanceof OpenStackError)) return false;
  return [400, 404, 409, 429].includes(error.status) || (error.status >= 500 && error.status !== 501);
}

async function requireFloatingIp(session: Session, id: string): Promise<FloatingIp> {
  const found = await findFloatingIp(session, id);
  if (found === undefined) throw refused(`floating IP ${id} is gone`);
  return found;
}

function refused(
  message: string,
  cause?: OpenStackError,
  hint = "Run the command again: it goes on from what is there.",
): SlipwayError {
  return new SlipwayError("E_FLOATING_IP", message, {
    hint,
    ...(cause === undefined ? {} : { cause }),
    ...(cause?.requestId === undefined ? {} : { requestId: cause.requestId }),
  });
}
