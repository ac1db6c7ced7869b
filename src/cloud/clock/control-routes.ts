import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { TimeControl } from "./time-control.ts";

/** What one wants of a cloud's time; what is absent stays. In this order: delays, freeze, move, resume. */
const moveSchema = z.strictObject({
  bootMs: z.number().optional(),
  stopMs: z.number().optional(),
  freeze: z.boolean().optional(),
  advanceMs: z.number().optional(),
  next: z.boolean().optional(),
  resume: z.boolean().optional(),
});

export type TimeMove = z.infer<typeof moveSchema>;

/** `/clock` on the daemon's socket. */
export function clockRoutes(app: FastifyInstance, control: TimeControl): void {
  app.get("/clock", () => control.time());
  app.put("/clock", async ({ body }) => {
    const { bootMs, stopMs, freeze, advanceMs, next, resume } = moveSchema.parse(body);
    if (bootMs !== undefined || stopMs !== undefined) control.setDelays({ bootMs, stopMs });
    if (freeze === true) control.freeze();
    if (advanceMs !== undefined) await control.advance(advanceMs);
    if (next === true) await control.advanceToNext();
    return resume === true ? control.resume() : control.time();
  });
}
