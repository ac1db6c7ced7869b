import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { filesOf } from "../../jobs/requests.ts";
import { comesAgain } from "../../jobs/schedules.ts";
import type { FrontendContext } from "../context.ts";
import { HttpError } from "../errors.ts";
import { fromQueue, requireQueue } from "./job-access.ts";
import { parsedJob, scheduleBody } from "./job-body.ts";
import { predictRequest } from "./job-requests.ts";
import { scheduleSchemas as schemas } from "./job-schemas.ts";

const scheduleName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, "a name has small letters, digits and hyphens");

interface ByName {
  Params: { name: string };
}

/** `/v1/schedules`: predictions that come by themselves. */
export function scheduleRoutes(app: FastifyInstance, context: FrontendContext, maxBodyBytes: number): void {
  const asked = <T>(answer: Promise<T>) => fromQueue(app.log, answer);

  app.get("/v1/schedules", { config: { role: "deploy" }, schema: schemas.list }, async () => ({
    schedules: await asked(requireQueue(context).schedules.list()),
  }));

  app.put<ByName>(
    "/v1/schedules/:name",
    { bodyLimit: maxBodyBytes, config: { role: "deploy" }, schema: schemas.put },
    async ({ params, body, caller }) => {
      const jobs = requireQueue(context);
      const name = parsedJob(scheduleName, params.name);
      const { rhythm, job } = parsedJob(scheduleBody, body);
      if (!comesAgain(rhythm)) throw new HttpError(400, "JOB_INVALID", `${JSON.stringify(rhythm)} is no time`);
      const request = await predictRequest(context, jobs.spool, job, "");
      const files = filesOf(request);
      if (files.length > 0) {
        // each job takes its files along when it ends: the second would find none
        await Promise.all(files.map((file) => jobs.spool.remove(file)));
        throw new HttpError(413, "ROWS_TOO_MANY", "a job that comes by itself has at most 1000 numbers in its rows");
      }
      return asked(jobs.schedules.put(name, rhythm, request, caller.name));
    },
  );

  app.delete<ByName>(
    "/v1/schedules/:name",
    { config: { role: "deploy" }, schema: schemas.remove },
    async ({ params }, reply) => {
      const { schedules } = requireQueue(context);
      if (!(await asked(schedules.remove(parsedJob(scheduleName, params.name))))) {
        throw new HttpError(404, "SCHEDULE_UNKNOWN", "there is no such schedule");
      }
      return reply.code(204).send();
    },
  );
}
