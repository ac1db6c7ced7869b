import type { FastifyInstance, FastifySchema } from "fastify";
import type { Role } from "../access/roles.ts";

/** A route as it declares itself. */
export interface RouteEntry {
  method: string;
  /** As the router has it, e.g. `/v1/jobs/:id`. */
  path: string;
  role: Role | "public";
  schema: FastifySchema;
}

/** Lists the routes that are added from now on, without those that the framework adds by itself (HEAD, OPTIONS). */
export function tableOfRoutes(app: FastifyInstance): readonly RouteEntry[] {
  const table: RouteEntry[] = [];
  app.addHook("onRoute", ({ method, url, config, schema = {} }) => {
    for (const one of [method].flat()) {
      if (one === "HEAD" || one === "OPTIONS") continue;
      table.push({ method: one, path: url, role: config?.role ?? "public", schema });
    }
  });
  return table;
}
