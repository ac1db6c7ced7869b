import type { Collection, Store } from "../store/store.ts";

/** What an administrator has set: of a project, by its id, or of the class `default`, by `class/default`. */
export interface QuotaLimits {
  id: string;
  limits: Record<string, number>;
}

export function quotaLimitTable(store: Store): Collection<QuotaLimits> {
  return store.collection("volume-quota");
}
