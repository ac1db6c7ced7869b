import { promisify } from "node:util";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import engineServices from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import { messageOf } from "../../common/errors.ts";
import { channelOptions } from "../embedded/monitor/channel.ts";
import { engineHandlers, type ProgramLog } from "../embedded/monitor/engine-handlers.ts";
import type { Unary } from "../embedded/monitor/unary.ts";

/** The Engine service that plugins log to. It is not the program's: plugins outlive that, and some runs have no program. */
export interface EngineServer {
  /** `127.0.0.1:<port>` */
  address: string;
  close(): void;
}

const unary: Unary = (handle) => async (call, callback) => {
  try {
    callback(null, await handle(call.request));
  } catch (error) {
    callback({ code: status.UNKNOWN, details: messageOf(error) });
  }
};

/** Serves Engine (pulumi/pulumi, proto/pulumi/engine.proto) on 127.0.0.1. */
export async function startEngineServer(log: ProgramLog): Promise<EngineServer> {
  const server = new Server(channelOptions);
  server.addService(engineServices.EngineService, engineHandlers(log, unary));
  const bind = promisify(server.bindAsync.bind(server));
  const port = await bind("127.0.0.1:0", ServerCredentials.createInsecure());
  return { address: `127.0.0.1:${port}`, close: () => server.forceShutdown() };
}
