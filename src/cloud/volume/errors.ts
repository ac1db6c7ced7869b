import { ApiError } from "../http/api-error.ts";
import { namedFaultBody } from "../http/faults.ts";

/** Cinder's form of a fault; one over a quota also says when to come again. */
export function volumeBody(error: ApiError): unknown {
  if (error.status !== 413) return namedFaultBody(error);
  return { overLimit: { code: 413, message: error.message, retryAfter: "0" } };
}

/** Cinder's refusals in its own words. */
export const cinder = {
  badRequest: (message: string) => new ApiError(400, message),
  invalidInput: (reason: string) => new ApiError(400, `Invalid input received: ${reason}`),
  invalidVolume: (reason: string) => new ApiError(400, `Invalid volume: ${reason}`),
  volumeNotFound: (id: string) => new ApiError(404, `Volume ${id} could not be found.`),
  typeNotFound: (id: string) => new ApiError(404, `Volume type ${id} could not be found.`),
  typeNotFoundByName: (name: string) => new ApiError(404, `Volume type with name ${name} could not be found.`),
  forbidden: (policy: string) => new ApiError(403, `Policy doesn't allow ${policy} to be performed.`),
  notDone: (what: string) => new ApiError(501, `This cloud ${what}.`),
  volumesQuota: (limit: number) =>
    new ApiError(
      413,
      `VolumeLimitExceeded: Maximum number of volumes allowed (${limit}) exceeded for quota 'volumes'.`,
    ),
  gigabytesQuota: (requested: number, limit: number, used: number) =>
    new ApiError(
      413,
      `VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested ${requested}G, quota is ${limit}G and ${used}G has been consumed.`,
    ),
};
