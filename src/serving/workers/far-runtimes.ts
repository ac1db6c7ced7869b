import type { NetworkAddress } from "../routing/address.ts";
import { type AskingIdentity, isLoopback } from "../runtime/identity.ts";
import type { RuntimeWorker } from "./registration.ts";

/** Where a runtime is asked that registered itself, or why it is not asked. */
export type FarRuntime = { address: NetworkAddress } | { obstacle: string };

/** How a frontend with this identity, or without one, asks a runtime that registered itself. */
export function farRuntime({ address }: RuntimeWorker, identity: AskingIdentity | undefined): FarRuntime {
  const { host, port, tls } = address;
  if (tls && identity) return { address: { host, port, tls: identity } };
  if (tls) return { obstacle: "it speaks TLS, and this frontend has no workers.runtimeTls" };
  if (isLoopback(host)) return { address: { host, port } };
  return { obstacle: "it is on another host and speaks no TLS" };
}
