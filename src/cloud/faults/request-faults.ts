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
      if (instead !== undefined) return reply.code(instead.status).type("text/html; charset=UTF-8").send(instead.html);
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
  const found = hooks.get(`${request.method} ${request.routeOptions.url}`) ?? [];
  return found.filter(({ hook }) => hook.when?.(request) ?? true);
}

async function strike(armed: ArmedFaults, fault: Fault, request: FastifyRequest): Promise<boolean> {
  const struck = armed.strike(fault, `${request.method} ${request.url} ${request.id}`);
  if (struck !== undefined) await sleep(struck.delayMs);
  return struck !== undefined;
}
