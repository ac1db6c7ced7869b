import { orMissing } from "../missing.ts";
import { listAll } from "../pages.ts";
import type { Query, Session } from "../session.ts";

/** A Neutron port. */
export interface Port {
  id: string;
  name: string;
  description: string;
  network_id: string;
  mac_address: string;
  /** `ACTIVE`, `DOWN`, `BUILD`. */
  status: string;
  device_id: string;
  device_owner: string;
  fixed_ips: { subnet_id: string; ip_address: string }[];
  created_at: string;
  security_groups: string[];
  tags: string[];
}

/** The port; undefined where there is none. */
export async function findPort(session: Session, id: string): Promise<Port | undefined> {
  const found = await orMissing(() => session.request<{ port: Port }>("network", "GET", `/ports/${id}`));
  return found?.body.port;
}

/** Ports by Neutron's filters: `device_id`, `network_id`, `tags`, … */
export function listPorts(session: Session, filters: Query = {}): Promise<Port[]> {
  return listAll<Port>(session, "network", "/ports", "ports", filters);
}

/** Changes the named fields of a port; its security groups are replaced as a whole. */
export async function updatePort(
  session: Session,
  id: string,
  change: Partial<Pick<Port, "security_groups" | "name" | "description">>,
): Promise<Port> {
  const { body } = await session.request<{ port: Port }>("network", "PUT", `/ports/${id}`, { body: { port: change } });
  return body.port;
}
