import { timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { ApiError } from "../http/api-error.ts";
import { parseBody } from "../http/body.ts";
import { answerFaults } from "../http/faults.ts";
import type { AnsweredRequest } from "../http/request-log.ts";
import type { Hypervisor } from "../hypervisors/hypervisor.ts";
import { type OverviewParts, overview } from "./overview.ts";
import { contentSecurityPolicy, page } from "./page.ts";
import type { RecentRequests } from "./recent-requests.ts";

export interface DashboardOptions extends OverviewParts {
  key: string;
  port: number;
  hypervisor: Hypervisor;
  requests: RecentRequests;
  log: (line: string) => void;
}

/** Pages that follow the requests at once; each holds a connection. */
const mostFollowers = 16;
/** How often a page that follows hears something, so that either side finds out when the other is gone, milliseconds. */
const beatMs = 15_000;
const consoleLines = 500;

const script = readFileSync(new URL("client/dashboard.js", import.meta.url), "utf8");

const arming = z.strictObject({
  times: z.number().int().positive().optional(),
  delayMs: z.number().nonnegative().max(86_400_000).optional(),
  probability: z.number().min(0).max(1).optional(),
  target: z.string().min(1).max(255).optional(),
});

/**
 * Horizon's place below `/dashboard`: one page, which tells nothing; what it shows it asks for with the key, as `Authorization: Bearer`.
 * A page of another origin has no key and is not answered under another name of this machine either.
 */
export async function dashboardService(app: FastifyInstance, options: DashboardOptions): Promise<void> {
  const write = (reply: FastifyReply, error: ApiError) => reply.code(error.status).send({ message: error.message });
  answerFaults(app, write, options.log);
  app.addHook("onRequest", async ({ host }, reply) => {
    if (host !== `127.0.0.1:${options.port}` && host !== `localhost:${options.port}`) {
      throw new ApiError(403, "This page is at 127.0.0.1 only.");
    }
    reply.headers({
      "content-security-policy": contentSecurityPolicy,
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "cross-origin-resource-policy": "same-origin",
    });
  });
  app.get("/", (_request, reply) => reply.type("text/html; charset=utf-8").send(page));
  app.get("/dashboard.js", (_request, reply) => reply.type("text/javascript; charset=utf-8").send(script));
  await app.register(async (inner) => apiRoutes(inner, options), { prefix: "/api" });
}

function apiRoutes(app: FastifyInstance, options: DashboardOptions): void {
  const { faults, servers, hypervisor, requests } = options;
  app.addHook("onRequest", async ({ headers }) => {
    if (!isKey(headers.authorization, options.key)) throw new ApiError(401, "The key is not this cloud's.");
  });
  app.get("/overview", () => overview(options));
  app.get<{ Params: { id: string } }>("/servers/:id/console", async ({ params }) => {
    if (servers.get(params.id) === undefined) throw new ApiError(404, "This server is gone.");
    return { console: await hypervisor.console(params.id, consoleLines) };
  });
  app.put<{ Params: { fault: string } }>("/faults/:fault", ({ params, body }) => {
    const how = parseBody(arming, body ?? {});
    return known(() => faults.arm(params.fault, how));
  });
  app.delete<{ Params: { fault: string } }>("/faults/:fault", async ({ params }) => {
    return { disarmed: await known(() => faults.disarm(params.fault)) };
  });
  app.get("/requests", (request, reply) => follow(request, reply, requests));
}

function isKey(header: string | undefined, key: string): boolean {
  const given = Buffer.from(header ?? "");
  const wanted = Buffer.from(`Bearer ${key}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** The refusal of a fault's name as one of this API. */
async function known<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof SlipwayError ? new ApiError(400, messageOf(error)) : error;
  }
}

/** The last requests, and each that is answered from now on, as server-sent events. */
function follow(request: FastifyRequest, reply: FastifyReply, requests: RecentRequests): void {
  if (requests.followers >= mostFollowers) throw new ApiError(503, "Too many pages follow the requests already.");
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), "content-type": "text/event-stream" });
  const send = (one: AnsweredRequest) => raw.write(`data: ${JSON.stringify(one)}\n\n`);
  for (const one of requests.last) send(one);
  raw.write(": now\n\n");
  const unfollow = requests.follow((one) => {
    // one that does not read is let go: what it has missed would pile up here
    if (raw.writableLength > 1024 * 1024) raw.destroy();
    else send(one);
  });
  const beat = setInterval(() => raw.write(": beat\n\n"), beatMs);
  request.raw.socket.once("close", () => {
    clearInterval(beat);
    unfollow();
  });
}
