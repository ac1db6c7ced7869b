import type { Collection, Store } from "../store/store.ts";
import { host } from "./host.ts";

/** A group of hosts, of which this cloud has one. */
export interface Aggregate {
  /** Nova's number, as text. */
  id: string;
  uuid: string;
  name: string;
  hosts: string[];
  /** A group's availability zone is metadata of it: `availability_zone`. */
  metadata: Record<string, string>;
  createdAt: string;
  updatedAt: string | null;
}

/** The zone of hosts that are in no group with one. */
const defaultZone = "nova";

export function aggregateTable(store: Store): Collection<Aggregate> {
  return store.collection("aggregate");
}

/** The zone that the host is in: that of the first of its groups that has one. */
export function hostZone(store: Store): string {
  const zoned = aggregateTable(store).find(
    ({ hosts, metadata }) => hosts.includes(host.name) && metadata.availability_zone !== undefined,
  );
  return zoned?.metadata.availability_zone ?? defaultZone;
}
