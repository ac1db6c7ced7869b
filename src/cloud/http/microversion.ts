import type { FastifyReply, FastifyRequest } from "fastify";
import { header } from "../identity/tokens.ts";
import { ApiError } from "./api-error.ts";

/** The microversions that a service speaks: MAJOR.min to MAJOR.max. */
export interface MicroversionRange {
  /** The service's name in `OpenStack-API-Version`. */
  service: "compute" | "volume" | "placement";
  major: number;
  min: number;
  max: number;
  /** An older header that holds the bare version. */
  olderHeader?: string;
}

/**
 * Sets `request.microversion` (the minor number) from `OpenStack-API-Version: <service> MAJOR.N` or the service's older header; none
 * means the lowest. The answer names the version that it was made by.
 */
export function negotiateMicroversion(range: MicroversionRange, request: FastifyRequest, reply: FastifyReply): void {
  const { service, major, min, max, olderHeader } = range;
  // Cinder takes `volumev3` for its name as well: gophercloud says that
  const named = new RegExp(`(?:^|,)\\s*${service}(?:v\\d)?\\s+(\\S+)`, "i");
  const asked =
    named.exec(header(request, "openstack-api-version") ?? "")?.[1] ??
    (olderHeader === undefined ? undefined : header(request, olderHeader.toLowerCase())) ??
    `${major}.${min}`;
  const parts = asked === "latest" ? [major, max] : /^(\d+)\.(\d+)$/.exec(asked)?.slice(1).map(Number);
  if (parts === undefined) {
    throw new ApiError(400, `API Version String ${asked} is of invalid format. Must be of format MajorNum.MinorNum.`);
  }
  const [asksMajor, minor = 0] = parts;
  const tell = (version: string) => {
    reply.header("openstack-api-version", `${service} ${version}`);
    if (olderHeader !== undefined) reply.header(olderHeader, version);
    reply.header("vary", ["OpenStack-API-Version", olderHeader].filter(Boolean).join(", "));
  };
  tell(`${asksMajor}.${minor}`);
  if (asksMajor !== major || minor < min || minor > max) {
    throw new ApiError(
      406,
      `Version ${asked} is not supported by the API. Minimum is ${major}.${min} and maximum is ${major}.${max}.`,
    );
  }
  request.microversion = minor;
}
