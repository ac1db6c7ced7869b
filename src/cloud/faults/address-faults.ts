import { randomUUID } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { nova } from "../compute/errors.ts";
import { ApiError } from "../http/api-error.ts";
import { neutron } from "../network/errors.ts";
import { revised } from "../network/resource.ts";
import type { Fault, RequestHook } from "./fault.ts";
import { floatingIpsUsedUp } from "./full-quota.ts";

const idOf = (request: FastifyRequest) => (request.params as { id: string }).id;
const portOf = (request: FastifyRequest) =>
  (request.body as { floatingip?: { port_id?: unknown } } | undefined)?.floatingip?.port_id;

/** Every request that points a floating IP at a port. */
const association = {
  method: "PUT",
  route: "/network/v2.0/floatingips/:id",
  when: (request: FastifyRequest) => typeof portOf(request) === "string",
} satisfies RequestHook;

/** What goes wrong between a floating IP and a port. */
export const addressFaults: Fault[] = [
  {
    row: "P01",
    name: "port-visible-late",
    does: "a look at a port finds none: 404 `Port … could not be found.`",
    times: 3,
    requests: [
      {
        method: "GET",
        route: "/network/v2.0/ports/:id",
        before: (request) => {
          throw neutron.portNotFound(idOf(request));
        },
      },
    ],
  },
  {
    row: "P01",
    name: "fip-400-until-active",
    does: "an association comes too early: 400, from Neutron for a port without addresses, from Nova's `addFloatingIp` with `No nw_info cache associated with instance`",
    times: 3,
    requests: [
      {
        ...association,
        before: (request) => {
          throw neutron.portWithoutAddress(String(portOf(request)));
        },
      },
      {
        method: "POST",
        route: "/compute/v2.1/servers/:id/action",
        when: ({ body }) => typeof body === "object" && body !== null && "addFloatingIp" in body,
        before: () => {
          throw nova.badRequest("No nw_info cache associated with instance");
        },
      },
    ],
  },
  {
    row: "P02",
    name: "associate-always-fails",
    does: "no association succeeds: 500 `Request Failed: internal server error while processing your request.`",
    requests: [
      {
        ...association,
        before: () => {
          const words = "Request Failed: internal server error while processing your request.";
          throw new ApiError(500, words, "HTTPInternalServerError");
        },
      },
    ],
  },
  {
    row: "P03",
    name: "fip-timeout-but-applied",
    does: "an association is made, and a proxy answers 504 in Neutron's place",
    requests: [
      {
        ...association,
        after: (_request, reply) => {
          reply.code(504).type("text/html");
          return "<html><body><h1>504 Gateway Time-out</h1>\nThe server didn't respond in time.\n</body></html>\n";
        },
      },
    ],
  },
  {
    row: "P04",
    name: "fip-stolen",
    does: "right after an association somebody else points the address at a port of theirs",
    times: 1,
    requests: [
      {
        ...association,
        after: async (request, _reply, body, { store, tables, reconcile }) => {
          const theirs = { portId: randomUUID(), fixedIp: null, routerId: null };
          store.transaction(() => {
            const floating = tables.floatingIps.get(idOf(request));
            if (floating !== undefined) tables.floatingIps.put(revised(floating, theirs));
          });
          await reconcile();
          return body;
        },
      },
    ],
  },
  {
    row: "P05",
    name: "fip-quota",
    does: "the project has all the floating IPs that its quota allows: 409 `Quota exceeded for resources: ['floatingip'].`",
    requests: floatingIpsUsedUp,
  },
];
