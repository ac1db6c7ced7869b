import { SlipwayError } from "../../common/errors.ts";
import { listAll } from "../pages.ts";
import type { Session } from "../session.ts";

/** A network that floating IPs come from. */
export interface ExternalNetwork {
  id: string;
  name: string;
}

/** The external networks that the project sees: all, or those with this name. */
export function listExternalNetworks(session: Session, filters: { name?: string } = {}): Promise<ExternalNetwork[]> {
  return listAll(session, "network", "/networks", "networks", { ...filters, "router:external": true });
}

/**
 * The id of the external network with this name.
 * @throws SlipwayError E_LOOKUP when there is none, or more than one
 */
export async function externalNetworkId(session: Session, name: string): Promise<string> {
  const found = await listExternalNetworks(session, { name });
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first.id;
  const problem =
    first === undefined
      ? `there is no external network ${name}`
      : `${found.length} external networks are called ${name}`;
  throw new SlipwayError("E_LOOKUP", problem, {
    hint: "Set externalNetwork in the stack's configuration to one that the cloud has once.",
  });
}

/** The IPv4 ranges of a network; none where the cloud hides its subnets from the project. */
export async function rangesOf(session: Session, networkId: string): Promise<string[]> {
  const filters = { network_id: networkId, ip_version: 4 };
  const subnets = await listAll<{ cidr: string }>(session, "network", "/subnets", "subnets", filters);
  return subnets.map(({ cidr }) => cidr);
}
