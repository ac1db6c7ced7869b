import type { RuntimeGroup } from "../serving/config.ts";
import type { HostConfig } from "./host-config.ts";

/** The services of a host. `queue` … `worker` follow the host's roles; every host has an agent. */
export type Service = "queue" | "runtime" | "frontend" | "worker" | "agent";

/** Those that serve; the agent sees to them. */
export type ServingService = Exclude<Service, "agent">;

/** The services that run a payload's code. The queue's server is the distribution's. */
export const payloadServices: Service[] = ["runtime", "frontend", "worker"];

export const SERVICE_USER = "slipway";

/** One of the frontend's two instances: one serves, and the other takes over where something about it changes. */
export type FrontendInstance = "a" | "b";

/** The name of a service's unit file; runtimes, frontends and workers are instances of one. */
export function unitFile(service: Service): string {
  const single = service === "queue" || service === "agent";
  return single ? `slipway-${service}.service` : `slipway-${service}@.service`;
}

/** The instance that takes over from this one. */
export function otherThan(instance: FrontendInstance): FrontendInstance {
  return instance === "a" ? "b" : "a";
}

export function frontendUnit(instance: FrontendInstance): string {
  return `slipway-frontend@${instance}.service`;
}

/** Groups of runtimes, as far as units are concerned. */
type Runtimes = Pick<RuntimeGroup, "name" | "replicas">[];

/** Which instances of its services a host has. */
export interface Instances {
  runtimes: Runtimes;
  /** The one that serves. */
  frontend: FrontendInstance;
  /** How many. */
  workers: number;
}

/** The names of a service's units. */
export function unitNames(service: Service, { runtimes, frontend, workers }: Instances): string[] {
  if (service === "runtime") return runtimeUnits(runtimes);
  if (service === "worker") return Array.from({ length: workers }, (_, index) => workerUnit(index + 1));
  return [service === "frontend" ? frontendUnit(frontend) : unitFile(service)];
}

/** @param number workers are counted from 1 */
function workerUnit(number: number): string {
  return `slipway-worker@${number}.service`;
}

/** The host's runtimes, each by its group and its number in it. */
export function runtimeInstances(runtimes: Runtimes): string[] {
  return runtimes.flatMap(({ name, replicas }) =>
    Array.from({ length: replicas }, (_, replica) => `${name}-${replica}`),
  );
}

export function runtimeUnits(runtimes: Runtimes): string[] {
  return runtimeInstances(runtimes).map(runtimeUnit);
}

/** @param instance a runtime's group and its number in it, as in the name of its socket */
export function runtimeUnit(instance: string): string {
  return `slipway-runtime@${instance}.service`;
}

export function isRuntimeUnit(unit: string): boolean {
  return unit.startsWith("slipway-runtime@");
}

/** The services that serve on a host of these roles, in the order in which they start. */
export function servingServices(host: HostConfig): ServingService[] {
  return (["queue", "runtime", "frontend", "worker"] as const).filter((role) => host.roles[role] !== undefined);
}
