import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { header } from "../identity/tokens.ts";

/** The supported range, minor numbers of 2.N: 2.93 is the Zed release. */
export const microversions = { min: 1, max: 93 } as const;

/**
 * Sets `request.microversion` from `OpenStack-API-Version: compute 2.N` or the older `X-OpenStack-Nova-API-Version: 2.N`; none means
 * 2.1. The answer names the version that it was made by.
 */
export function negotiateMicroversion(request: FastifyRequest, reply: FastifyReply): void {
  const asked =
    /(?:^|,)\s*compute\s+(\S+)/i.exec(header(request, "openstack-api-version") ?? "")?.[1] ??
    header(request, "x-openstack-nova-api-version") ??
    "2.1";
  const minor = asked === "latest" ? microversions.max : Number(/^2\.(\d+)$/.exec(asked)?.[1] ?? Number.NaN);
  if (Number.isNaN(minor)) {
    throw new ApiError(400, `API Version String ${asked} is of invalid format. Must be of format MajorNum.MinorNum.`);
  }
  if (minor < microversions.min || minor > microversions.max) {
    throw new ApiError(
      406,
      `Version ${asked} is not supported by the API. Minimum is 2.${microversions.min} and maximum is 2.${microversions.max}.`,
    );
  }
  request.microversion = minor;
  reply.header("openstack-api-version", `compute 2.${minor}`);
  reply.header("x-openstack-nova-api-version", `2.${minor}`);
  reply.header("vary", "OpenStack-API-Version, X-OpenStack-Nova-API-Version");
}

/** What left the API at a microversion answers 404 from then on. */
export function untilMicroversion(request: FastifyRequest, last: number): void {
  if (request.microversion > last) throw new ApiError(404, "The resource could not be found.");
}
