import { memberOf } from "../answer.ts";
import { orMissing } from "../missing.ts";
import { callNetwork } from "../pkgcloud/call.ts";
import type { Query, Session } from "../session.ts";
import { listMembers } from "./collections.ts";

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
  const found = await orMissing(() => callNetwork(session, (network, callback) => network.getPort(id, callback)));
  return found && memberOf<Port>(found, "port");
}

/** Ports by Neutron's filters: `device_id`, `network_id`, `tags`, … */
export function listPorts(session: Session, filters: Query = {}): Promise<Port[]> {
  return listMembers<Port>(session, "ports", filters);
}

/** Replaces a port's security groups. */
export async function updatePort(session: Session, id: string, change: { security_groups: string[] }): Promise<Port> {
  const answer = await callNetwork(session, (network, callback) => network.updatePort({ id, ...change }, callback));
  return memberOf<Port>(answer, "port");
}
