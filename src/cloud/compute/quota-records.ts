import type { Collection, Store } from "../store/store.ts";

/** The limits that an administrator gave a project in place of Nova's defaults. */
export interface ProjectQuota {
  /** The project's id. */
  id: string;
  /** By Nova's names; -1 is no limit. */
  limits: Record<string, number>;
}

export function quotaTable(store: Store): Collection<ProjectQuota> {
  return store.collection("compute-quota");
}
