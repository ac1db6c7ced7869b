import type { FastifyInstance } from "fastify";
import type { Scope } from "../identity/scope.ts";

/** One request that was answered. */
export interface AnsweredRequest {
  /** When it came, RFC 3339. */
  at: string;
  /** `x-openstack-request-id` */
  id: string;
  method: string;
  /** Path and query, with what is secret in them taken out. */
  url: string;
  status: number;
  /** How long it took, milliseconds. */
  ms: number;
  /** Name of the user; absent where no token was asked for or it was refused. */
  user?: string;
  /** Name of the project, where the token is for one. */
  project?: string;
}

/** Query parameters that let who knows them in: Swift's signatures, and tokens. */
const secret = /([?&](?:temp_url_sig|signature|token)=)[^&]*/gi;

/** Tells of each request that a service has answered. */
export function tellRequests(app: FastifyInstance, tell: (request: AnsweredRequest) => void): void {
  app.addHook("onResponse", async (request, reply) => {
    const ms = reply.elapsedTime;
    const scope = request.scope as Scope | null; // null where no token was asked for
    tell({
      at: new Date(Date.now() - ms).toISOString(),
      ...{ id: request.id, method: request.method, url: request.originalUrl.replace(secret, "$1…") },
      ...{ status: reply.statusCode, ms: Math.round(ms * 10) / 10 },
      ...(scope === null ? {} : { user: scope.userName }),
      ...(scope?.project === undefined ? {} : { project: scope.project.name }),
    });
  });
}
