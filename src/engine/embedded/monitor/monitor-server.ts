import { promisify } from "node:util";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import engineServices from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import resourceServices from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import { messageOf } from "../../../common/errors.ts";
import type { Deployment } from "../deployment/deployment.ts";
import { InvalidRequest, Stopped } from "../deployment/failures.ts";
import { channelOptions } from "./channel.ts";
import { engineHandlers, type ProgramLog } from "./engine-handlers.ts";
import { resourceHandlers } from "./resource-handlers.ts";
import { Transforms } from "./transforms.ts";
import type { Unary } from "./unary.ts";

/** The services that a running program talks to, on a loopback port. */
export interface MonitorServer {
  /** `127.0.0.1:<port>` */
  address: string;
  /** Resolves when no request is being handled. */
  idle(): Promise<void>;
  close(): void;
}

/**
 * Serves ResourceMonitor and Engine (pulumi/pulumi, proto/pulumi/{resource,engine}.proto) on 127.0.0.1.
 * @param deployment may still be in the making: the program loads meanwhile, and its first request waits
 * @param projectRoot what source positions are relative to
 */
export async function startMonitor(
  deployment: Promise<Deployment>,
  log: ProgramLog,
  projectRoot: string,
): Promise<MonitorServer> {
  const active = new Set<Promise<void>>();
  const unary: Unary = (handle) => (call, callback) => {
    const work = (async () => {
      try {
        callback(null, await handle(call.request));
      } catch (error) {
        callback(refusal(error));
      }
    })();
    active.add(work);
    void work.finally(() => active.delete(work));
  };
  const server = new Server(channelOptions);
  const transforms = new Transforms();
  const handlers = resourceHandlers(deployment, transforms, unary, projectRoot);
  server.addService(resourceServices.ResourceMonitorService, handlers);
  server.addService(engineServices.EngineService, engineHandlers(log, unary));
  const bind = promisify(server.bindAsync.bind(server));
  const port = await bind("127.0.0.1:0", ServerCredentials.createInsecure());
  return {
    address: `127.0.0.1:${port}`,
    idle: async () => {
      while (active.size > 0) await Promise.all(active);
    },
    close: () => {
      transforms.close();
      server.forceShutdown();
    },
  };
}

/** UNAVAILABLE makes the SDK stop quietly; any other status is reported by the program. */
function refusal(error: unknown) {
  const code =
    error instanceof Stopped
      ? status.UNAVAILABLE
      : error instanceof InvalidRequest
        ? status.INVALID_ARGUMENT
        : status.UNKNOWN;
  return { code, details: messageOf(error) };
}
