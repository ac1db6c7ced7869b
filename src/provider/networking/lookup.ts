import { listAll } from "../../openstack/pages.ts";
import type { Query, Session } from "../../openstack/session.ts";
import { exactlyOne } from "../lookup.ts";
import type { ApiObject } from "../schema/api-form.ts";

/** A network as far as look-ups need it. */
export interface NetworkRecord extends ApiObject {
  id: string;
  name: string;
}

/** Networks by Neutron's filters. */
export function listNetworks(session: Session, query: Query): Promise<NetworkRecord[]> {
  return listAll<NetworkRecord>(session, "network", "/networks", "networks", query);
}

/** Reduces what was found to exactly one. */
export function onlyNetwork(
  session: Session,
  asked: string,
  found: NetworkRecord[],
  others: Query = {},
): Promise<NetworkRecord> {
  return exactlyOne({
    what: others["router:external"] === true ? "external network" : "network",
    asked,
    found,
    describe: (network) => `${network.name} (${network.id})`,
    others: () => listNetworks(session, others),
  });
}

/** The network with exactly this name. @throws SlipwayError E_LOOKUP */
export async function networkNamed(session: Session, name: string, external = false): Promise<NetworkRecord> {
  const scope: Query = external ? { "router:external": true } : {};
  return onlyNetwork(session, name, await listNetworks(session, { name, ...scope }), scope);
}
