import cluster from "node:cluster";
import type { ListenOptions } from "node:net";

/** The first file descriptor that systemd hands over (sd_listen_fds(3)). */
const FIRST_FD = 3;

/** What a service listens for, by the names that its socket units give the descriptors (FileDescriptorName=). */
export type Listener = "http" | "grpc" | "aiengine";

/**
 * The descriptor of a socket that systemd holds for this service and listens already; undefined where there is none, and whoever wants to
 * listen binds an address. In a process of a cluster the number is that of the process that started it, which is who listens.
 */
export function inheritedSocket(
  name: Listener,
  env: NodeJS.ProcessEnv = process.env,
  listener: number = cluster.isWorker ? process.ppid : process.pid,
): number | undefined {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = "" } = env;
  if (Number(LISTEN_PID) !== listener) return undefined;
  const at = LISTEN_FDNAMES.split(":").indexOf(name);
  return at === -1 || at >= Number(LISTEN_FDS) ? undefined : FIRST_FD + at;
}

/** Where a server listens: on what systemd holds for it, else at this address. */
export function listenOn<T extends Pick<ListenOptions, "host" | "port">>(name: Listener, address: T): T {
  const fd = inheritedSocket(name);
  return fd === undefined ? address : { ...address, fd };
}
