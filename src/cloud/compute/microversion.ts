import type { FastifyRequest } from "fastify";
import { ApiError } from "../http/api-error.ts";
import type { MicroversionRange } from "../http/microversion.ts";

/** 2.93 is the Zed release. */
export const microversions = {
  service: "compute",
  major: 2,
  min: 1,
  max: 93,
  olderHeader: "X-OpenStack-Nova-API-Version",
} as const satisfies MicroversionRange;

/** What left the API at a microversion answers 404 from then on. */
export function untilMicroversion(request: FastifyRequest, last: number): void {
  if (request.microversion > last) throw new ApiError(404, "The resource could not be found.");
}
