import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Server as SocketServer } from "node:net";
import { isErrno, SlipwayError } from "../../common/errors.ts";
import { hasBody, type Patience, usualPatience, watchBody } from "./patience.ts";

/** A port that is taken. */
export interface Listener {
  port: number;
  /** From now on requests are answered by this; until then with 503. */
  serve(handler: RequestListener): void;
  close(): Promise<void>;
}

/** More at once are cut off: each costs memory. */
const mostConnections = 2048;

/**
 * Takes an address and port. The port is known, and refused to others, before there is anything to serve on it.
 * @param port 0 for any that is free
 * @param patience how slow clients may be; uploads may take as long as they go on
 * @throws SlipwayError E_PORT_IN_USE
 */
export async function listen(host: string, port: number, patience: Patience = usualPatience): Promise<Listener> {
  let handler: RequestListener = (_request, response) => {
    response.writeHead(503, { "retry-after": "1", "content-type": "text/plain" }).end("The cloud is starting.\n");
  };
  const server = patientServer((request, response) => handler(request, response), patience);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(isErrno(error, "EADDRINUSE") ? inUse(host, port) : error));
    server.listen({ host, port }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    serve(next) {
      handler = next;
    },
    close: () => closeServer(server),
  };
}

/** How many connections there may be at once; those beyond are cut off. */
export interface ConnectionLimits {
  inAll: number;
  /** From one address. */
  each: number;
}

/** Serves on a socket that listens already, made elsewhere; closing ends both. */
export async function serveOn(
  socket: SocketServer,
  handler: RequestListener,
  limits: ConnectionLimits,
): Promise<Pick<Listener, "close">> {
  const server = patientServer(handler, usualPatience);
  server.maxConnections = limits.inAll;
  limitEach(server, limits.each);
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(socket, resolve));
  return { close: () => closeServer(server) };
}

function limitEach(server: Server, most: number): void {
  const open = new Map<string, number>();
  server.on("connection", (connection) => {
    const { remoteAddress: address = "" } = connection;
    const count = (open.get(address) ?? 0) + 1;
    if (count > most) return void connection.destroy();
    open.set(address, count);
    connection.once("close", () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
}

function patientServer(handler: RequestListener, patience: Patience): Server {
  const { headersMs } = patience;
  const limits = { headersTimeout: headersMs, connectionsCheckingInterval: Math.max(headersMs / 4, 10) };
  const server = createServer({ ...limits, requestTimeout: 0 }, (request, response) => {
    if (hasBody(request)) watchBody(request, response, patience);
    handler(request, response);
  });
  server.maxConnections = mostConnections;
  return server;
}

/** Answers only what lies below a path prefix, as a host that has nothing else. */
export function onlyBelow(prefix: string, handler: RequestListener): RequestListener {
  return (request, response) => {
    if (request.url?.startsWith(prefix) === true) return handler(request, response);
    response.writeHead(404, { "content-type": "text/plain" }).end("Not found\n");
  };
}

/** Whether it is what `listen` throws for a port that is taken. */
export function isPortInUse(error: unknown): boolean {
  return error instanceof SlipwayError && error.code === "E_PORT_IN_USE";
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
