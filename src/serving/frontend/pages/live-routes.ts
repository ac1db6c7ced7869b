import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { digestOf, hexOf } from "../../../common/digest.ts";
import { messageOf } from "../../../common/errors.ts";
import type { Caller } from "../../access/roles.ts";
import { jobStates } from "../../jobs/records.ts";
import { trainingCurves } from "../../jobs/training-curve.ts";
import { livePage } from "../../web/live.ts";
import { modelIdentity } from "../answers.ts";
import type { FrontendContext } from "../context.ts";
import { HttpError } from "../errors.ts";
import { seesAll } from "../jobs/job-access.ts";
import { pageResponse, response } from "../openapi/openapi.ts";
import type { Hub } from "../processes/hub.ts";
import { trialFigures, trialTerms } from "../trials/trial-figures.ts";
import { type LiveFigures, type LiveSnapshot, liveFigures, liveJobs } from "./live-snapshot.ts";
import { sendPage } from "./page-reply.ts";
import { clientFolder } from "./web-files.ts";

/** How long a look is good for: any number of watchers cost one look in this time. */
const FRESH_MS = 400;
/** The page is shown without the jobs when the queue's server does not answer within this. */
const QUEUE_MS = 1000;

const count = z.number().min(0);
const state = z.enum(jobStates as [(typeof jobStates)[number], ...(typeof jobStates)[number][]]);
const tags = ["figures"];
const snapshot = z.object({
  at: z.int().describe("milliseconds since 1970"),
  predictions: z
    .object({
      answered: count.describe("requests"),
      failed: count,
      rows: count.describe("rows that were answered"),
      batches: count.describe("computations; where one answered several requests, their shares are added up"),
      inFlight: count.describe("requests that are not answered yet"),
      rowsInFlight: count.describe("rows that runtimes were asked for"),
    })
    .describe("since the frontend was started, all its processes together"),
  latency: z
    .object({ bounds: z.array(z.number()), counts: z.array(z.int()) })
    .describe("how many requests took up to so many seconds, not cumulative; one count more than bounds"),
  runtimes: z.array(
    z.object({
      id: z.string(),
      group: z.string(),
      provider: z.enum(["cpu", "cuda"]),
      note: z.string().optional().describe("why it is not what was asked for"),
      rowsInFlight: count,
    }),
  ),
  models: z.array(
    modelIdentity.extend({
      live: z.boolean(),
      answered: count,
      failed: count,
      rows: count,
      trial: trialTerms
        .extend(trialFigures.omit({ name: true, version: true }).shape)
        .optional()
        .describe("where it is tried beside the live version, and what came of it"),
    }),
  ),
  work: z
    .object({
      queues: z.array(
        z.object({
          queue: z.string(),
          waiting: count,
          active: count,
          delayed: count,
          failed: count,
          workers: count.describe("worker processes that take from it"),
        }),
      ),
      jobs: z
        .array(
          z.object({
            id: z.string(),
            kind: z.enum(["predict", "train"]),
            state,
            created: z.string().optional(),
            step: z.string().optional(),
            done: z.number().optional(),
            total: z.number().optional(),
            reason: z.string().optional(),
          }),
        )
        .describe("one's own, newest first; administrators see all"),
      training: z
        .object({
          id: z.string(),
          state,
          epochs: z.int().describe("planned ones"),
          points: z.array(
            z.object({
              epoch: z.int(),
              loss: z.number().optional(),
              accuracy: z.number().optional(),
              valLoss: z.number().optional(),
              valAccuracy: z.number().optional(),
            }),
          ),
        })
        .optional()
        .describe("the newest one that runs, else the newest"),
    })
    .nullable()
    .describe("null on a host without a queue, and while the queue does not answer"),
  workNote: z.string().optional().describe("why `work` is null"),
});
const schemas = {
  snapshot: { summary: "The host's figures as they are now", tags, response: { 200: snapshot } },
  page: { summary: "Live charts of what the host does", tags: ["pages"], response: { 200: pageResponse() } },
  script: {
    summary: "The live page's own scripts",
    tags: ["pages"],
    response: { 200: response("a module", "text/javascript") },
  },
};

/** `/live`, the one page with a script; `/v1/live`, what it looks at; and the script. */
export function liveRoutes(app: FastifyInstance, context: FrontendContext, hub: Hub): void {
  const { router, jobs } = context;
  const scripts = clientScripts();
  const curveOf = jobs && trainingCurves(jobs);
  let looking: { since: number; figures: Promise<LiveFigures> } | undefined;
  const figures = (): Promise<LiveFigures> => {
    const now = performance.now();
    if (!looking || now - looking.since > FRESH_MS) {
      const read = hub.figures().then((readings) => liveFigures(readings, router, Date.now()));
      looking = { since: now, figures: read };
      read.catch(() => {
        looking = undefined;
      });
    }
    return looking.figures;
  };

  async function work(caller: Caller): Promise<Pick<LiveSnapshot, "work" | "workNote">> {
    if (!jobs || !curveOf) return { work: null, workNote: "this host has no job queue" };
    try {
      const asked = liveJobs(jobs, curveOf, seesAll(caller) ? undefined : caller.name);
      const late = new AbortController();
      const inTime = sleep(QUEUE_MS, undefined, { ref: false, signal: late.signal }).then(() => {
        throw new Error(`no answer within ${QUEUE_MS} ms`);
      });
      return { work: await Promise.race([asked, inTime]).finally(() => late.abort()) };
    } catch (error) {
      app.log.debug({ reason: messageOf(error) }, "the live page's look at the queue failed");
      return { work: null, workNote: "the job queue does not answer" };
    }
  }

  const look = async (caller: Caller): Promise<LiveSnapshot> => {
    const [seen, jobsSeen] = await Promise.all([figures(), work(caller)]);
    return { ...seen, ...jobsSeen };
  };

  app.get("/v1/live", { config: { role: "read" }, schema: schemas.snapshot }, async ({ caller }, reply) => {
    reply.header("cache-control", "no-store");
    return look(caller);
  });

  app.get("/live", { config: { role: "read" }, schema: schemas.page }, async (request, reply) =>
    sendPage(context, request, reply, livePage(await look(request.caller), `${SCRIPTS}/${scripts.digest}/live.js`)),
  );

  app.get<{ Params: { digest: string; name: string } }>(
    `${SCRIPTS}/:digest/:name`,
    { config: { role: "read" }, schema: schemas.script },
    async ({ params: { digest, name } }, reply) => {
      const text = digest === scripts.digest ? scripts.files.get(name) : undefined;
      if (text === undefined) throw new HttpError(404, "NOT_FOUND", "there is no such script");
      // another text has another address
      return reply
        .type("text/javascript; charset=utf-8")
        .headers({ "cache-control": "private, max-age=31536000, immutable" })
        .send(text);
    },
  );
}

const SCRIPTS = "/live/script";

/** The page's modules, and what their address holds so that no browser mixes those of two releases. */
function clientScripts(): { digest: string; files: ReadonlyMap<string, string> } {
  const names = ["live.js", "plot.js", "rates.js", "words.js"];
  const files = new Map(names.map((name) => [name, readFileSync(new URL(name, clientFolder()), "utf8")]));
  return { digest: hexOf(digestOf([...files.values()].join("\n"))).slice(0, 16), files };
}
