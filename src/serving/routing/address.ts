import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { AskingIdentity } from "../runtime/identity.ts";

/** A place on the network. */
export interface NetworkAddress {
  host: string;
  port: number;
  /** Who the caller is, and whose word for the runtime counts; without it the connection is plain. */
  tls?: AskingIdentity;
}

/** Where a runtime is asked: a unix socket's path, or a place on the network. */
export type RuntimeAddress = string | NetworkAddress;

/** Begins a connection. One whose certificate is not the runtime's, or not signed by the authority, ends with an error. */
export function openSocket(address: RuntimeAddress): Socket {
  if (typeof address === "string") return connect(address);
  const { host, port, tls } = address;
  if (!tls) return connect({ host, port, noDelay: true });
  const { serverName, ...identity } = tls;
  const name = serverName ?? (isIP(host) === 0 ? host : undefined);
  const socket = connectTls({
    ...identity,
    host,
    port,
    minVersion: "TLSv1.3",
    ...(name !== undefined && { servername: name }),
  });
  return socket.setNoDelay(true);
}
