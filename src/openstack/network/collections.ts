import { listAll } from "../pages.ts";
import type { Query, Session } from "../session.ts";

/** Neutron's collections whose members carry tags, by their path. */
export type TaggedCollection = "floatingips" | "ports" | "routers" | "subnets" | "networks" | "security-groups";

/** The members of a collection by Neutron's filters. */
export function listMembers<T>(session: Session, collection: TaggedCollection, filters: Query): Promise<T[]> {
  return listAll<T>(session, "network", `/${collection}`, collection.replaceAll("-", "_"), filters);
}
