import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import type { GetRootResourceRequest, LogRequest, SetRootResourceRequest } from "@pulumi/pulumi/proto/engine_pb.js";
import engine from "@pulumi/pulumi/proto/engine_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import type { Severity } from "../../events.ts";
import type { Unary } from "./unary.ts";

/** Takes what the program logs through its SDK. */
export type ProgramLog = (severity: Severity, message: string, urn: string) => void;

/** The Engine service: log messages, and the stack's URN for SDKs that ask back. */
export function engineHandlers(log: ProgramLog, unary: Unary): UntypedServiceImplementation {
  const severities: Record<number, Severity> = {
    [engine.LogSeverity.INFO]: "info",
    [engine.LogSeverity.WARNING]: "warning",
    [engine.LogSeverity.ERROR]: "error",
  };
  let root = "";
  return {
    log: unary((request: LogRequest) => {
      const severity = severities[request.getSeverity()]; // debug is left out: the SDK floods
      if (severity !== undefined && !request.getEphemeral())
        log(severity, request.getMessage().trimEnd(), request.getUrn());
      return new empty.Empty();
    }),
    setRootResource: unary((request: SetRootResourceRequest) => {
      root = request.getUrn();
      return new engine.SetRootResourceResponse();
    }),
    getRootResource: unary((_: GetRootResourceRequest) => new engine.GetRootResourceResponse().setUrn(root)),
  };
}
