import { type ServiceError, status } from "@grpc/grpc-js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import rpc from "@pulumi/pulumi/proto/status_pb.js";
import any from "google-protobuf/google/protobuf/any_pb.js";
import { SlipwayError } from "../../common/errors.ts";
import { InitializationFailed, type PropertyMap } from "../resource-provider.ts";
import { fromPlugin, toPlugin } from "./plugin-values.ts";

/** gRPC's own header for structured errors. */
const detailsHeader = "grpc-status-details-bin";
const initFailed = "pulumirpc.ErrorResourceInitFailed";

/** A plugin that ended, or did not answer in time: what it was doing may be done or not. */
export class PluginLost extends SlipwayError {}

/** True for an error of gRPC itself, with a status. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && typeof (error as Partial<ServiceError>).code === "number";
}

/** True for a call that the plugin does not know. */
export function isUnimplemented(error: unknown): boolean {
  return isServiceError(error) && error.code === status.UNIMPLEMENTED;
}

/** What a plugin's status says: a resource that exists but is not well, or the plugin's own words. */
export function errorFrom(error: ServiceError): Error {
  for (const header of error.metadata?.get(detailsHeader) ?? []) {
    if (!Buffer.isBuffer(header)) continue;
    for (const detail of rpc.Status.deserializeBinary(header).getDetailsList()) {
      if (detail.getTypeName() !== initFailed) continue;
      const failure = provider.ErrorResourceInitFailed.deserializeBinary(detail.getValue_asU8());
      const reasons = failure.getReasonsList();
      // What the plugin marked secret stays marked: the engine keeps these outputs as it keeps any answer.
      const outputs = fromPlugin(failure.getProperties()) as PropertyMap;
      return new InitializationFailed(failure.getId(), outputs, reasons.length > 0 ? reasons : [error.details]);
    }
  }
  return new Error(error.details || error.message, { cause: error });
}

/** The status of a resource that exists but is not well, as {@link errorFrom} reads it. */
export function statusOf(failure: InitializationFailed): { code: number; details: string; header: [string, Buffer] } {
  const detail = new provider.ErrorResourceInitFailed()
    .setId(failure.id)
    .setProperties(toPlugin(failure.outputs, { secrets: true, resources: false }))
    .setReasonsList(failure.reasons);
  const packed = new any.Any();
  packed.pack(detail.serializeBinary(), initFailed);
  const whole = new rpc.Status().setCode(status.UNKNOWN).setMessage(failure.message).setDetailsList([packed]);
  return {
    code: status.UNKNOWN,
    details: failure.message,
    header: [detailsHeader, Buffer.from(whole.serializeBinary())],
  };
}
