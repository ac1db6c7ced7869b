import type { FastifyInstance } from "fastify";
import type { z } from "zod";
import type { Caller } from "../../access/roles.ts";
import type { JobQueue } from "../../jobs/queue.ts";
import type { FrontendContext } from "../context.ts";
import { HttpError } from "../errors.ts";
import { fromQueue, maySee, requireQueue, seesAll } from "./job-access.ts";
import { type letterQuery, letterSchemas as schemas } from "./job-schemas.ts";

interface ById {
  Params: { id: string };
}

/** `/v1/dead-letters`: jobs that were given up, for those whose they are. */
export function deadLetterRoutes(app: FastifyInstance, context: FrontendContext): void {
  const asked = <T>(answer: Promise<T>) => fromQueue(app.log, answer);

  app.get<{ Querystring: z.output<typeof letterQuery> }>(
    "/v1/dead-letters",
    { config: { role: "read" }, schema: schemas.list },
    async ({ query: { from, limit }, caller }) => {
      const { deadLetters } = requireQueue(context);
      const { letters, total } = await asked(deadLetters.list(from, limit, seesAll(caller) ? undefined : caller.name));
      return { total, deadLetters: letters };
    },
  );

  app.post<ById>(
    "/v1/dead-letters/:id/replay",
    { config: { role: "predict" }, schema: schemas.replay },
    async ({ params, caller }, reply) => {
      const jobs = requireQueue(context);
      await requireLetter(jobs, params.id, caller);
      if (!(await asked(jobs.deadLetters.replay(params.id)))) throw letterUnknown();
      const job = await asked(jobs.find(params.id));
      return reply.code(202).header("location", `/v1/jobs/${params.id}`).send(job);
    },
  );

  app.delete<ById>(
    "/v1/dead-letters/:id",
    { config: { role: "predict" }, schema: schemas.remove },
    async ({ params, caller }, reply) => {
      const jobs = requireQueue(context);
      await requireLetter(jobs, params.id, caller);
      if (!(await asked(jobs.deadLetters.remove(params.id)))) throw letterUnknown();
      return reply.code(204).send();
    },
  );

  async function requireLetter({ deadLetters }: JobQueue, id: string, caller: Caller): Promise<void> {
    const letter = await asked(deadLetters.find(id));
    if (!letter || !maySee(caller, letter.owner)) throw letterUnknown();
  }
}

function letterUnknown(): HttpError {
  return new HttpError(404, "JOB_UNKNOWN", "there is no such dead letter");
}
