import type { Collection, Store } from "../store/store.ts";

/** A size of servers. */
export interface Flavor {
  id: string;
  name: string;
  vcpus: number;
  /** MiB. */
  ram: number;
  /** GiB; 0 means as large as the image. */
  disk: number;
  /** MiB. Told, as the rest below: no guest of this cloud has swap or a second disk by its flavor. */
  swap?: number;
  /** GiB. */
  ephemeral?: number;
  rxtxFactor?: number;
  /** False: for administrators, and projects that are given access. */
  isPublic?: boolean;
  /** Those projects. */
  access?: string[];
  description?: string | null;
  extraSpecs?: Record<string, string>;
  createdAt?: string;
}

/** The flavors that administrators made. */
export function flavorTable(store: Store): Collection<Flavor> {
  return store.collection("flavor");
}
