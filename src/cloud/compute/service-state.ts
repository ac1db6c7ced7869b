import type { Collection, Store } from "../store/store.ts";

/** How the service that makes guests is switched. */
export interface ServiceState {
  id: "nova-compute";
  /** True: no new servers. */
  disabled: boolean;
  /** Why it is disabled. */
  reason: string | null;
  /** True: an administrator says that it is down. */
  forcedDown: boolean;
}

export function serviceTable(store: Store): Collection<ServiceState> {
  return store.collection("compute-service");
}

export function serviceState(store: Store): ServiceState {
  const id = "nova-compute";
  return serviceTable(store).get(id) ?? { id, disabled: false, reason: null, forcedDown: false };
}

/**
 * The scheduler's part: a host that is switched off takes no new server.
 * @throws Error with the server's fault
 */
export function demandHost(store: Store, launchedAt: string | null): void {
  const { disabled, forcedDown } = serviceState(store);
  if (launchedAt === null && (disabled || forcedDown)) {
    throw new Error("No valid host was found. There are not enough hosts available.");
  }
}
