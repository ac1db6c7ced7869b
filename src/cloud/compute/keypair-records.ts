import type { Collection, Store } from "../store/store.ts";

/** A public key that servers are given. Names are unique per user. */
export interface Keypair {
  /** `<user id>/<name>` */
  id: string;
  number: number;
  userId: string;
  name: string;
  /** As it was sent, to the byte: clients compare it with what they gave. */
  publicKey: string;
  fingerprint: string;
  createdAt: string;
}

export function keypairTable(store: Store): Collection<Keypair> {
  return store.collection("keypair");
}

export function findKeypair(table: Collection<Keypair>, userId: string, name: string): Keypair | undefined {
  return table.get(`${userId}/${name}`);
}
