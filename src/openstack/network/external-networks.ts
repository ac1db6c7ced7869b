import { listAll } from "../pages.ts";
import type { Session } from "../session.ts";

/** A network that floating IPs come from. */
export interface ExternalNetwork {
  id: string;
  name: string;
}

/** All external networks that the project sees. */
export function listExternalNetworks(session: Session): Promise<ExternalNetwork[]> {
  return listAll<ExternalNetwork>(session, "network", "/networks", "networks", { "router:external": true });
}

/** The IPv4 ranges of a network; none where the cloud hides its subnets from the project. */
export async function rangesOf(session: Session, networkId: string): Promise<string[]> {
  const filters = { network_id: networkId, ip_version: 4 };
  const subnets = await listAll<{ cidr: string }>(session, "network", "/subnets", "subnets", filters);
  return subnets.map(({ cidr }) => cidr);
}
