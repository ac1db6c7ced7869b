import type { Collection, Store } from "../store/store.ts";

/** What volumes of the types that it is associated with are promised: kept and shown; this cloud's backend promises nothing. */
export interface QosSpecs {
  id: string;
  name: string;
  consumer: "back-end" | "front-end" | "both";
  specs: Record<string, string>;
}

export function qosTable(store: Store): Collection<QosSpecs> {
  return store.collection("volume-qos");
}
