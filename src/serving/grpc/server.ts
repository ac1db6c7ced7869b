import { createServer, type Server as NetServer } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Access } from "../frontend/auth.ts";
import { frontendSettingsOf } from "../frontend/config.ts";
import type { FrontendContext } from "../frontend/context.ts";
import type { Hub } from "../frontend/processes/hub.ts";
import { inheritedSocket } from "../listening/inherited.ts";
import type { ServerCertificates } from "../tls/files.ts";
import { Calls } from "./calls.ts";
import { followingCredentials } from "./credentials.ts";
import { healthHandlers, healthService } from "./health.ts";
import { inferenceHandlers, inferenceService } from "./inference-service.ts";

/** What the gRPC server works with. */
export interface GrpcOptions {
  context: FrontendContext;
  hub: Pick<Hub, "figures" | "hit">;
  access: Pick<Access, "tokens">;
  /** With them only TLS is spoken. */
  certificates?: ServerCertificates | undefined;
  log: Logger;
}

/** A gRPC server that listens. */
export interface GrpcServer {
  port: number;
  /** Answers the calls that are under way, and ends those that take longer than the frontend's drain. */
  close: () => Promise<void>;
}

/** A connection that says nothing for so long is asked whether it is still there. */
const KEEPALIVE_MS = 60_000;

/** Serves the Open Inference Protocol over gRPC (docs/reference/inference-protocol.md), over TLS where HTTP is, too. */
export async function serveGrpc(
  { context, hub, access, certificates, log }: GrpcOptions,
  { host, port, maxStreams }: { host: string; port: number; maxStreams: number },
): Promise<GrpcServer> {
  const settings = frontendSettingsOf(context.config);
  const server = new Server({
    "grpc.max_receive_message_length": settings.inferBodyBytes,
    "grpc.max_send_message_length": -1,
    "grpc.max_concurrent_streams": maxStreams,
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
  });
  const calls = new Calls({
    access,
    settings,
    hit: (key, windowMs) => hub.hit(key, windowMs),
    onDefect: (method, error) => log.error({ method, err: error }, "call failed"),
  });
  server.addService(inferenceService, inferenceHandlers(context, hub, calls));
  const health = healthHandlers(context, calls);
  server.addService(healthService, health.handlers);
  const credentials = certificates ? followingCredentials(certificates) : ServerCredentials.createInsecure();
  const fd = inheritedSocket("grpc");
  const inherited = fd === undefined ? undefined : await acceptFor(server.createConnectionInjector(credentials), fd);
  return {
    port: inherited ? port : await bind(server, `${host.includes(":") ? `[${host}]` : host}:${port}`, credentials),
    close: () =>
      new Promise((resolve) => {
        inherited?.close();
        const late = setTimeout(() => server.forceShutdown(), settings.drainMs - DRAIN_MARGIN_MS);
        health.close();
        server.tryShutdown(() => {
          clearTimeout(late);
          resolve();
        });
      }),
  };
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

/** The library takes connections of a socket that was handed over, but not the socket. */
function acceptFor(injector: ReturnType<Server["createConnectionInjector"]>, fd: number): Promise<NetServer> {
  const listener = createServer((connection) => injector.injectConnection(connection.setNoDelay(true)));
  return new Promise((resolve, reject) => {
    listener.once("error", reject).listen({ fd }, () => resolve(listener));
  });
}

/** Before whoever stops the process loses patience. */
const DRAIN_MARGIN_MS = 500;
