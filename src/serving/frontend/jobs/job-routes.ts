import type { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import { type Caller, mayAct } from "../../access/roles.ts";
import { isEnded, type JobQueue } from "../../jobs/queue.ts";
import type { JobReport } from "../../jobs/records.ts";
import { filesOf, type JobRequest } from "../../jobs/requests.ts";
import type { FrontendContext } from "../context.ts";
import { HttpError } from "../errors.ts";
import { idempotencyKeyOf } from "../idempotency.ts";
import { fromQueue, maySee, QUEUE_RETRY_S, requireQueue, seesAll } from "./job-access.ts";
import { sendResult, shownReport } from "./job-answers.ts";
import { csvQuery, parsedJob, parsedJobBody } from "./job-body.ts";
import { placeOf, sendJobEvents } from "./job-events.ts";
import { csvRequest, predictRequest, trainRequest } from "./job-requests.ts";
import { type listQuery, type logQuery, jobSchemas as schemas } from "./job-schemas.ts";

interface ById {
  Params: { id: string };
}

/** `/v1/jobs`: work that may take its time (docs/reference/jobs.md). */
export function jobRoutes(app: FastifyInstance, context: FrontendContext, maxBodyBytes: number): void {
  const asked = <T>(answer: Promise<T>) => fromQueue(app.log, answer);

  void app.register(async (scope) => {
    // a file goes to the disk as it comes, not into memory
    if (!scope.hasContentTypeParser("text/csv")) {
      scope.addContentTypeParser("text/csv", (_request, payload, done) => done(null, payload));
    }
    scope.post(
      "/v1/jobs",
      { bodyLimit: maxBodyBytes, config: { role: "predict" }, schema: schemas.add },
      async (request, reply) => {
        const jobs = requireQueue(context);
        const key = idempotencyKeyOf(request);
        const wanted = await jobRequest(jobs, request, key).catch((error: unknown) => {
          if (isCsv(request)) dropRest(request, reply);
          throw error;
        });
        const job = await accepted(jobs, wanted, request.caller.name, key);
        return reply
          .code(202)
          .header("location", `/v1/jobs/${job.id}`)
          .send(await shownReport(job, jobs.spool));
      },
    );
  });

  /** What the body asks for; its files are in the spool then. */
  async function jobRequest(jobs: JobQueue, request: FastifyRequest, key: string | undefined): Promise<JobRequest> {
    if (isCsv(request)) {
      const query = parsedJob(csvQuery, request.query);
      return csvRequest(context, jobs.spool, query, request.body as Readable);
    }
    const body = parsedJobBody(request.body);
    // only a key compares requests
    const text = key === undefined ? "" : JSON.stringify(request.body);
    if (body.kind === "predict") return predictRequest(context, jobs.spool, body, text);
    requireDeploy(request.caller);
    return trainRequest(context, jobs.spool, body, text);
  }

  /** Hands a request to the queue; files that no job needs are removed. Throws HttpError. */
  async function accepted(jobs: JobQueue, request: JobRequest, owner: string, key?: string): Promise<JobReport> {
    const drop = () => Promise.all(filesOf(request).map((file) => jobs.spool.remove(file)));
    try {
      const submitted = await asked(jobs.submit(request, owner, key));
      if ("job" in submitted) {
        if (!submitted.isNew) await drop();
        return submitted.job;
      }
      if (submitted.refused === "full") {
        throw new HttpError(503, "QUEUE_FULL", "too many jobs wait", submitted.retryAfterS);
      }
      throw new HttpError(409, "KEY_REUSED", "another request has this Idempotency-Key");
    } catch (error) {
      // a queue that does not answer may have taken the job: then its files are needed, and swept otherwise
      if (!(error instanceof HttpError && error.code === "QUEUE_UNAVAILABLE")) await drop();
      throw error;
    }
  }

  app.get<{ Querystring: z.output<typeof listQuery> }>(
    "/v1/jobs",
    { config: { role: "read" }, schema: schemas.list },
    async ({ query: { state, kind, before, limit }, caller }) =>
      asked(
        requireQueue(context).list({
          limit,
          ...(!seesAll(caller) && { owner: caller.name }),
          ...(state !== undefined && { state }),
          ...(kind !== undefined && { kind }),
          ...(before !== undefined && { before }),
        }),
      ),
  );

  app.get<ById>("/v1/jobs/:id", { config: { role: "read" }, schema: schemas.find }, async ({ params, caller }) => {
    const jobs = requireQueue(context);
    return shownReport(await requireJob(jobs, params.id, caller), jobs.spool);
  });

  app.get<ById>("/v1/jobs/:id/result", { config: { role: "read" }, schema: schemas.result }, async (request, reply) => {
    const jobs = requireQueue(context);
    const job = await requireJob(jobs, request.params.id, request.caller);
    return sendResult(reply, job, jobs.spool, request.headers.accept?.includes("text/csv") ?? false);
  });

  app.get<ById & { Querystring: z.output<typeof logQuery> }>(
    "/v1/jobs/:id/log",
    { config: { role: "read" }, schema: schemas.log },
    async ({ params, query: { from, limit }, caller }) => {
      const jobs = requireQueue(context);
      await requireJob(jobs, params.id, caller);
      const { lines, total } = await asked(jobs.log(params.id, from, limit));
      return { from, total, lines };
    },
  );

  const closing = new AbortController();
  let followers = 0;
  app.addHook("preClose", async () => closing.abort());

  app.get<ById>("/v1/jobs/:id/events", { config: { role: "read" }, schema: schemas.events }, async (request, reply) => {
    const jobs = requireQueue(context);
    const { id } = request.params;
    const job = await requireJob(jobs, id, request.caller);
    const { from, ended } = placeOf(request.headers["last-event-id"] as string | undefined);
    // tells a browser, which would ask again and again, that there is nothing more
    if (ended && isEnded(job.state)) return reply.code(204).send();
    if (followers >= context.limits.eventClients) {
      throw new HttpError(503, "EVENTS_FULL", "too many clients follow jobs", QUEUE_RETRY_S);
    }
    reply.hijack();
    followers++;
    try {
      const { raw: response } = reply;
      const headers = { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" };
      response.writeHead(200, headers);
      const { heartbeatMs } = context.config.jobs;
      await sendJobEvents(jobs, id, { response, from, heartbeatMs, signal: closing.signal });
    } finally {
      followers--;
    }
    return reply;
  });

  app.delete<ById>(
    "/v1/jobs/:id",
    { config: { role: "predict" }, schema: schemas.cancel },
    async ({ params, caller }, reply) => {
      const jobs = requireQueue(context);
      const known = await requireJob(jobs, params.id, caller);
      if (isEnded(known.state) && known.state !== "cancelled") {
        throw new HttpError(409, "JOB_ENDED", `the job is ${known.state}`);
      }
      const job = await asked(jobs.cancel(params.id));
      return reply.code(202).send(job ?? known);
    },
  );

  /** A job that the caller may see: others', like those that are not there, are unknown. */
  async function requireJob(jobs: JobQueue, id: string, caller: Caller): Promise<JobReport> {
    const job = await asked(jobs.find(id));
    if (job && maySee(caller, job.owner)) return job;
    throw new HttpError(404, "JOB_UNKNOWN", "there is no such job, or its result was kept long enough");
  }
}

function isCsv({ headers }: FastifyRequest): boolean {
  return headers["content-type"]?.split(";")[0]?.trim().toLowerCase() === "text/csv";
}

/** What is left of a refused upload is not read: the connection ends with the answer. */
function dropRest({ raw }: FastifyRequest, reply: FastifyReply): void {
  reply.header("connection", "close");
  raw.resume();
}

/** What is published serves: trainings are for those who may deploy. */
function requireDeploy(caller: Caller): void {
  if (mayAct(caller.role, "deploy")) return;
  throw new HttpError(403, "ROLE_NEEDED", `this needs the role deploy; "${caller.name}" has ${caller.role}`);
}
