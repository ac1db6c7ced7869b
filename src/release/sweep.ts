import { messageOf, SlipwayError } from "../common/errors.ts";
import { findServer } from "../openstack/compute/servers.ts";
import { OpenStackError } from "../openstack/errors.ts";
import { orMissing } from "../openstack/missing.ts";
import { listPorts } from "../openstack/network/ports.ts";
import type { Session } from "../openstack/session.ts";
import { findVolume } from "../openstack/volume/volumes.ts";
import { deleteUnlessGone, type Patience, untilGone } from "../openstack/waiting.ts";
import { collectionOf, type Leftover, leftoverKinds } from "./leftovers.ts";

/** How long one thing may take to go, milliseconds: Nova and Cinder answer before they have done it. */
const GOING_MS = 120_000;
/** How long "in use" is taken for something that passes, milliseconds: what used it was just deleted. */
const IN_USE_MS = 15_000;

/** How it went with one thing. */
export interface Swept {
  leftover: Leftover;
  /** Why it could not be deleted, in the cloud's words; undefined where it is gone. */
  refusal?: string;
}

/**
 * Deletes what a stack has left, kind by kind in the order of dependence; things of a kind go at once. Each deletion is bounded by itself
 * and tried again where the cloud says that it is busy or still in use; one that is refused holds up nothing else. What is gone already is
 * success, so that a sweep that was killed is finished by the next.
 */
export async function sweep(
  session: Session,
  leftovers: readonly Leftover[],
  { signal, inUseMs = IN_USE_MS }: { signal?: AbortSignal; inUseMs?: number } = {},
): Promise<Swept[]> {
  const swept: Swept[] = [];
  const patience = { timeoutMs: GOING_MS, inUseMs, ...(signal === undefined ? {} : { signal }) };
  for (const kind of leftoverKinds) {
    const ofKind = leftovers.filter((one) => one.kind === kind);
    swept.push(...(await Promise.all(ofKind.map((leftover) => removal(session, leftover, patience)))));
    signal?.throwIfAborted();
  }
  return swept;
}

async function removal(session: Session, leftover: Leftover, patience: SweepPatience): Promise<Swept> {
  try {
    await remove(session, leftover, patience);
    return { leftover };
  } catch (error) {
    if (!(error instanceof OpenStackError || error instanceof SlipwayError)) throw error;
    return { leftover, refusal: messageOf(error) };
  }
}

interface SweepPatience extends Patience {
  inUseMs: number;
}

async function remove(session: Session, { kind, id }: Leftover, patience: SweepPatience): Promise<void> {
  const brief = { ...patience, timeoutMs: patience.inUseMs };
  const drop = (service: "compute" | "network" | "image", path: string) =>
    deleteUnlessGone(brief, () => session.request(service, "DELETE", path, { expect: [200, 202, 204] }));
  const collection = collectionOf(kind);
  if (kind === "router") await emptyRouter(session, id, brief);
  if (collection !== undefined) return drop("network", `/${collection}/${id}`);
  switch (kind) {
    case "server": {
      await drop("compute", `/servers/${id}`);
      return untilGone(patience, `server ${id}`, async () => {
        const status = (await findServer(session, id))?.status;
        return status === undefined || /^(SOFT_)?DELETED$/.test(status) ? undefined : { status };
      });
    }
    case "volume": {
      // 400: Cinder's word for 409. One in a server that is not the stack's stays: that server lives on
      await deleteUnlessGone(brief, () => session.request("volumev3", "DELETE", `/volumes/${id}`), [400, 409]);
      return untilGone(patience, `volume ${id}`, () => findVolume(session, id));
    }
    case "key pair":
      return drop("compute", `/os-keypairs/${encodeURIComponent(id)}`);
    default:
      return drop("image", `/images/${id}`);
  }
}

/** A router goes without routes and without a way into a subnet. */
async function emptyRouter(session: Session, id: string, patience: Patience): Promise<void> {
  const path = `/routers/${id}`;
  const interfaces = (await listPorts(session, { device_id: id })).filter(({ device_owner }) =>
    device_owner.startsWith("network:router_interface"),
  );
  if (interfaces.length === 0) return;
  // a route holds the interface that it leads through
  await orMissing(() => session.request("network", "PUT", path, { body: { router: { routes: [] } } }));
  for (const port of interfaces) {
    const body = { port_id: port.id };
    await deleteUnlessGone(patience, () =>
      session.request("network", "PUT", `${path}/remove_router_interface`, { body }),
    );
  }
}
