import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { messageOf } from "../../common/errors.ts";
import type { JobQueue } from "../jobs/queue.ts";
import { predictionsAnswer, rowsBody } from "./answers.ts";
import { type FrontendContext, requireLastRowModel } from "./context.ts";
import { HttpError } from "./errors.ts";
import { requireRows } from "./rows.ts";
import { describing } from "./schemas.ts";

const QUEUE_RETRY_S = 5;
const MAX_KEY_LENGTH = 200;

const job = z
  .object({
    id: z.string(),
    state: z.enum(["waiting", "active", "completed", "failed"]),
    result: predictionsAnswer.optional(),
    reason: z.string().optional().describe("why it failed"),
  })
  .meta({ id: "Job" });

const key = z.string().max(MAX_KEY_LENGTH).optional().describe("the same key is the same job");
const schemas = {
  add: {
    summary: "Predictions that may take their time",
    tags: ["jobs"],
    headers: describing(z.object({ "idempotency-key": key })),
    body: rowsBody,
    response: { 202: job },
  },
  find: { summary: "What became of a job", tags: ["jobs"], response: { 200: job } },
};

/** `POST /v1/jobs` and `GET /v1/jobs/:id`: predictions that may take their time. */
export function jobRoutes(app: FastifyInstance, context: FrontendContext, maxBodyBytes: number): void {
  app.post(
    "/v1/jobs",
    { bodyLimit: maxBodyBytes, config: { role: "predict" }, schema: schemas.add },
    async ({ body, headers }, reply) => {
      const jobs = requireQueue(context);
      // The runtime may be away for a moment: the job waits for it. What the model takes is known from when it was there.
      requireRows(body, requireLastRowModel(context).card.rows.input, context.limits.jobRows);
      const key = headers["idempotency-key"];
      if (Array.isArray(key) || (key !== undefined && key.length > MAX_KEY_LENGTH)) {
        throw new HttpError(400, "KEY_INVALID", `Idempotency-Key is one text of at most ${MAX_KEY_LENGTH} characters`);
      }
      const job = await asked(jobs.add((body as { rows: number[][] }).rows, key));
      if (!job) throw new HttpError(503, "QUEUE_FULL", "too many jobs wait", QUEUE_RETRY_S);
      return reply.code(202).header("location", `/v1/jobs/${job.id}`).send(job);
    },
  );

  app.get<{ Params: { id: string } }>(
    "/v1/jobs/:id",
    { config: { role: "predict" }, schema: schemas.find },
    async ({ params }) => {
      const job = await asked(requireQueue(context).find(params.id));
      if (!job) throw new HttpError(404, "JOB_UNKNOWN", "there is no such job, or its result was kept long enough");
      return job;
    },
  );

  /** The queue's own failures are no bug of ours: the server is away. */
  async function asked<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      app.log.warn({ reason: messageOf(error) }, "the job queue failed");
      throw new HttpError(503, "QUEUE_UNAVAILABLE", "the job queue does not answer", QUEUE_RETRY_S);
    }
  }
}

function requireQueue({ jobs }: FrontendContext): JobQueue {
  if (jobs) return jobs;
  throw new HttpError(503, "QUEUE_ABSENT", "this host has no job queue");
}
