import { z } from "zod";
import { jobStates } from "../../jobs/records.ts";
import { modelIdentity, prediction, predictionsAnswer } from "../answers.ts";
import { MAX_KEY_LENGTH } from "../idempotency.ts";
import { response } from "../openapi/openapi.ts";
import { describing } from "../schemas.ts";
import { csvQuery, jobBody, scheduleBody } from "./job-body.ts";

const state = z.enum(jobStates as [(typeof jobStates)[number], ...(typeof jobStates)[number][]]);
const kind = z.enum(["predict", "train"]);
const pageLimit = z.coerce.number().int().min(1).max(200).default(50);
const progress = z.looseObject({ done: z.number(), total: z.number().optional() });

const job = z
  .object({
    id: z.string(),
    kind,
    state: state.describe("`waiting` is all that comes before work on it, also between two attempts"),
    owner: z.string().optional().describe("the name of the token that asked"),
    created: z.string().optional(),
    started: z.string().optional(),
    finished: z.string().optional(),
    progress: progress.optional(),
    attempts: z.int().optional().describe("how many have begun"),
    reason: z.string().optional().describe("why it failed"),
    result: z
      .looseObject({
        model: modelIdentity.optional(),
        rows: z.int().optional(),
        predictions: z.array(prediction).optional(),
        href: z.string().optional().describe("where the whole result is"),
      })
      .optional(),
    steps: z
      .array(z.object({ step: z.string(), state, progress: progress.optional(), reason: z.string().optional() }))
      .optional()
      .describe("of a training"),
  })
  .meta({ id: "Job" });

const deadLetter = z
  .object({
    id: z.string().describe("of the job"),
    kind,
    owner: z.string().optional(),
    reason: z.string(),
    attempts: z.int(),
    created: z.string(),
    failed: z.string(),
  })
  .meta({ id: "DeadLetter" });

const schedule = z
  .object({
    name: z.string(),
    rhythm: z.union([z.object({ everyS: z.int() }), z.object({ cron: z.string() })]),
    owner: z.string(),
    kind,
    next: z.string().optional(),
  })
  .meta({ id: "Schedule" });

const key = z.string().max(MAX_KEY_LENGTH).optional().describe("the same key is the same job");
const nothing = { description: "done", content: {} };
const tags = ["jobs"];

export const listQuery = z.strictObject({
  state: state.optional(),
  kind: kind.optional(),
  before: z.string().max(200).optional().describe("where the page before ended: its `next`"),
  limit: pageLimit,
});
export const logQuery = z.strictObject({
  from: z.coerce.number().int().nonnegative().default(0),
  limit: z.coerce.number().int().min(1).max(10_000).default(1000),
});
export const letterQuery = z.strictObject({ from: z.coerce.number().int().nonnegative().default(0), limit: pageLimit });

/** What the routes of jobs take and answer. Bodies and the query of a CSV file are checked by the handlers. */
export const jobSchemas = {
  add: {
    summary: "Work that may take its time: predictions of many rows, a training",
    description: "A body of `text/csv` is rows of a prediction; what else may be asked is then in the address.",
    tags,
    headers: describing(z.object({ "idempotency-key": key })),
    querystring: describing(csvQuery),
    body: {
      content: { "application/json": { schema: describing(jobBody) }, "text/csv": { schema: describing(z.unknown()) } },
    },
    response: { 202: job },
  },
  list: {
    summary: "One's own jobs, newest first; administrators see all",
    tags,
    querystring: listQuery,
    response: { 200: z.object({ jobs: z.array(job), next: z.string().optional() }) },
  },
  find: { summary: "What became of a job", tags, response: { 200: job } },
  result: {
    summary: "A finished job's result, of any length, as JSON or with `Accept: text/csv` as CSV",
    tags,
    response: {
      200: {
        description: "the result",
        content: { "application/json": { schema: predictionsAnswer }, "text/csv": { schema: z.string() } },
      },
    },
  },
  log: {
    summary: "Lines of a job's log",
    tags,
    querystring: logQuery,
    response: { 200: z.object({ from: z.int(), total: z.int(), lines: z.array(z.string()) }) },
  },
  events: {
    summary: "A job's states, progress and log lines as they come, until it ends",
    description:
      "Server-sent events `state`, `progress` and `log`; `Last-Event-ID` goes on where a client has stopped.",
    tags,
    response: { 200: response("server-sent events", "text/event-stream"), 204: nothing },
  },
  cancel: { summary: "Ends a job that waits or runs", tags, response: { 202: job } },
} as const;

export const letterSchemas = {
  list: {
    summary: "Jobs that were given up, newest first",
    tags,
    querystring: letterQuery,
    response: { 200: z.object({ total: z.int(), deadLetters: z.array(deadLetter) }) },
  },
  replay: { summary: "Puts a job that was given up back into its queue", tags, response: { 202: job } },
  remove: { summary: "Forgets a job that was given up", tags, response: { 204: nothing } },
} as const;

export const scheduleSchemas = {
  list: {
    summary: "Jobs that come by themselves",
    tags,
    response: { 200: z.object({ schedules: z.array(schedule) }) },
  },
  put: { summary: "Has a job come by itself", tags, body: describing(scheduleBody), response: { 200: schedule } },
  remove: { summary: "No longer has it come", tags, response: { 204: nothing } },
} as const;
