import type { Server } from "node:http";
import type { Socket } from "node:net";
import { UnderWay } from "../../common/under-way.ts";

const IDLE_MS = 5000;

/** How long a connection that has nothing to ask is kept while its process ends, within `drainMs`. */
export function idleMsOf(drainMs: number): number {
  return Math.min(IDLE_MS, drainMs / 2);
}

/**
 * Has a server that is closed part from its clients without cutting any off: one whose connection is idle at that moment may be sending its
 * next request already. Its connections are ended with their next answer (the framework says `Connection: close`), or after a while. To be
 * called before it listens.
 * @returns to be called just before the server is closed, with how many milliseconds idle connections are kept
 */
export function partingServer(server: Server): (idleMs: number) => void {
  const sockets = new UnderWay<Socket>();
  server.on("connection", (socket) => {
    const place = sockets.add(socket);
    socket.on("close", () => sockets.leave(place));
  });
  return (idleMs) => {
    // Node ends idle connections in `close`, and the framework does before it
    server.closeIdleConnections = () => undefined;
    const end = () => {
      Reflect.deleteProperty(server, "closeIdleConnections");
      server.closeIdleConnections();
      // those that never brought a request are not idle ones for Node
      for (const { item: socket } of sockets.places()) if (socket.bytesRead === 0) socket.destroy();
    };
    // after what has arrived meanwhile was read
    setTimeout(() => setImmediate(end), idleMs);
  };
}
