import { Readable } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { sleep } from "../clock/clock.ts";
import type { ArmedFaults } from "./armed.ts";
import type { Fault, FaultContext, RequestHook } from "./fault.ts";
import { ledger } from "./ledger.ts";

/** The hooks of all faults, by method and route. */
const hooks = Map.groupBy(
  ledger.flatMap((fault) => (fault.requests ?? []).map((hook) => ({ fault, hook }))),
  ({ hook }) => `${hook.method} ${hook.route}`,
);

/** Lets faults get between clients and the services that are registered after this call. Only requests with a valid token meet one. */
export function meetFaults(app: FastifyInstance, armed: ArmedFaults, context: FaultContext): void {
  app.addHook("preHandler", async (request, reply) => {
    for (const { fault, hook } of concerning(request)) {
      if (hook.before === undefined || !(await strike(armed, fault, request))) continue;
      const instead = hook.before(request, context);
      if (instead === undefined) continue;
      const { status, headers = {}, type = "text/html; charset=UTF-8", body } = instead;
      reply.code(status).headers(headers);
      return body === undefined ? reply.send() : reply.type(type).send(body);
    }
  });
  app.addHook<unknown>("onSend", async (request, reply, payload) => {
    let body = payload;
    for (const { fault, hook } of concerning(request)) {
      if (reply.statusCode >= 300 || typeof body !== "string") continue;
      if (hook.show !== undefined && armed.findDue(fault) !== undefined) body = hook.show(body);
      else if (hook.after !== undefined && (await strike(armed, fault, request))) {
        body = await hook.after(request, reply, body, context);
      }
    }
    return body;
  });
}

function concerning(request: FastifyRequest): { fault: Fault; hook: RequestHook }[] {
  const own = hooks.get(`${request.method} ${request.routeOptions.url}`) ?? [];
  const ofAll = isLoggedIn(request) ? (hooks.get("* *") ?? []) : [];
  return [...own, ...ofAll].filter(({ hook }) => hook.when?.(request) ?? true);
}

/** Swift looks at tokens by itself, later than this. */
function isLoggedIn({ scope, url, headers }: FastifyRequest): boolean {
  return scope !== null || (url.startsWith("/object-store/v1/") && headers["x-auth-token"] !== undefined);
}

async function strike(armed: ArmedFaults, fault: Fault, request: FastifyRequest): Promise<boolean> {
  if (armed.findDue(fault) === undefined) return false; // a body is not written out for nothing
  const line = `${request.method} ${request.url}`;
  const body = request.body === undefined || request.body instanceof Readable ? "" : JSON.stringify(request.body);
  const struck = armed.strike(fault, { what: `${line} ${request.id}`, about: `${line} ${body}` });
  if (struck !== undefined) await sleep(struck.delayMs);
  return struck !== undefined;
}
