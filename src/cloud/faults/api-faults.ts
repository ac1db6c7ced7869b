import { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import { ApiError, unauthorized } from "../http/api-error.ts";
import { resourceNotFound } from "../http/faults.ts";
import type { Fault } from "./fault.ts";

const any = { method: "*", route: "*" };
const floatingIpActions = ["addFloatingIp", "removeFloatingIp"];

/** The same in another order. */
function reordered(addresses: Record<string, unknown[]>): Record<string, unknown[]> {
  return Object.fromEntries(
    Object.entries(addresses)
      .map(([name, list]) => [name, list.toReversed()] as const)
      .toReversed(),
  );
}

const asksForFloatingIp = ({ body }: FastifyRequest) =>
  typeof body === "object" && body !== null && floatingIpActions.some((action) => Object.hasOwn(body, action));

/** What goes wrong between a client and any of the APIs. */
export const apiFaults: Fault[] = [
  {
    row: "P06",
    name: "nova-fip-404",
    does: "Nova knows nothing of floating IPs: 404 `The resource could not be found.` at every microversion",
    requests: [
      {
        method: "POST",
        route: "/compute/v2.1/servers/:id/action",
        when: asksForFloatingIp,
        before: () => {
          throw new ApiError(404, resourceNotFound);
        },
      },
      {
        method: "GET",
        route: "/compute/v2.1/os-floating-ips",
        before: () => {
          throw new ApiError(404, resourceNotFound);
        },
      },
    ],
  },
  {
    row: "P08",
    name: "reordered-networks",
    does: "a look at a server shows its networks, and the addresses of each, in the opposite order",
    requests: [
      {
        method: "GET",
        route: "/compute/v2.1/servers/:id",
        after: (_request, _reply, body) => {
          const answer = JSON.parse(body) as { server: { addresses: Record<string, unknown[]> } };
          answer.server.addresses = reordered(answer.server.addresses);
          return JSON.stringify(answer);
        },
      },
    ],
  },
  {
    row: "P13",
    name: "http-503",
    does: "a load balancer answers 503 in the service's place, and the service is not asked",
    times: 3,
    requests: [
      {
        ...any,
        before: () => ({
          status: 503,
          body: "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n",
        }),
      },
    ],
  },
  {
    row: "P13",
    name: "http-429",
    does: "too many requests: 429 with `Retry-After: 1`, and the service is not asked",
    times: 3,
    requests: [
      {
        ...any,
        before: () => ({
          status: 429,
          headers: { "retry-after": "1" },
          type: "application/json",
          body: JSON.stringify({
            overLimit: { code: 429, message: "This request was rate-limited.", retryAfter: "1" },
          }),
        }),
      },
    ],
  },
  {
    row: "P13",
    name: "reset-mid-body",
    does: "what was asked is done, and the connection breaks in the middle of the answer",
    times: 1,
    requests: [
      {
        ...any,
        after: (_request, reply, body) => {
          reply.header("content-length", Buffer.byteLength(body));
          return Readable.from(brokenOff(body));
        },
      },
    ],
  },
  {
    row: "P13",
    name: "token-expired",
    does: "a valid token counts as expired: 401 `The request you have made requires authentication.`",
    times: 1,
    requests: [
      {
        ...any,
        before: () => {
          throw unauthorized();
        },
      },
    ],
  },
];

async function* brokenOff(body: string): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(body);
  yield bytes.subarray(0, Math.ceil(bytes.length / 2));
  throw new Error("broken off by the fault reset-mid-body");
}
