import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { isErrno, SlipwayError } from "../../common/errors.ts";

/** Something that listens. */
export interface Listener {
  port: number;
  close(): Promise<void>;
}

/**
 * Serves the application on one more address and port.
 * @param accept which paths are served here; everything else is refused, as on a host that does not have them
 * @throws SlipwayError E_PORT_IN_USE
 */
export async function listen(
  app: FastifyInstance,
  host: string,
  port: number,
  accept: (url: string) => boolean = () => true,
): Promise<Listener> {
  const server = createServer((request, response) => {
    if (accept(request.url ?? "/")) return app.routing(request, response);
    response.writeHead(404, { "content-type": "text/plain" }).end("Not found\n");
  });
  // uploads may take long; a client that stalls is cut by the socket's own time-out
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(isErrno(error, "EADDRINUSE") ? inUse(host, port) : error));
    server.listen({ host, port }, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) };
}

function inUse(host: string, port: number): SlipwayError {
  return new SlipwayError("E_PORT_IN_USE", `port ${port} on ${host} is already in use`, {
    hint: "Stop what listens there, or choose another port.",
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    server.closeAllConnections();
  });
}
