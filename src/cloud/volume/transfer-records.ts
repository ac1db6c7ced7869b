import type { Collection, Store } from "../store/store.ts";

/** A volume on its way to another project. */
export interface Transfer {
  id: string;
  /** The giver. */
  projectId: string;
  volumeId: string;
  name: string | null;
  salt: string;
  /** HMAC-SHA1 of the key that the receiver must know, hex; the key itself is told once. */
  keyHash: string;
  /** The volume goes without its snapshots. */
  noSnapshots: boolean;
  createdAt: string;
}

export function transferTable(store: Store): Collection<Transfer> {
  return store.collection("volume-transfer");
}
