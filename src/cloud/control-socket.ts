import { chmod, rm } from "node:fs/promises";
import { request } from "node:http";
import { join, relative } from "node:path";
import Fastify from "fastify";
import { z } from "zod";
import { isErrno, messageOf, SlipwayError } from "../common/errors.ts";
import { clockRoutes, type TimeMove } from "./clock/control-routes.ts";
import type { CloudTime, TimeControl } from "./clock/time-control.ts";
import type { ArmedFault, Arming, RecordedFault } from "./faults/armed.ts";
import type { FaultControl } from "./faults/fault-control.ts";

/** How long the daemon may take to answer; it only looks into its tables. */
const ANSWER_MS = 10_000;

const armingSchema = z.object({
  times: z.number().int().positive().optional(),
  seed: z.string().optional(),
  probability: z.number().min(0).max(1).optional(),
  target: z.string().min(1).optional(),
  delayMs: z.number().nonnegative().optional(),
});
const recordSchema = z.array(
  z.object({
    id: z.string(),
    only: z.array(z.number().int().positive()),
    delayMs: z.number().nonnegative(),
    target: z.string().nullable(),
  }),
);

/** The daemon's socket: in the state folder, which only its owner can enter. Paths of sockets are short, so the shorter form is used. */
function socketPath(stateDir: string): string {
  const path = join(stateDir, "control.sock");
  const fromHere = relative(process.cwd(), path);
  return fromHere.length < path.length ? fromHere : path;
}

/** Lets processes of this machine's user arm faults, see {@link armFault}. */
export async function serveControl(
  stateDir: string,
  { faults, clock }: { faults: FaultControl; clock: TimeControl },
): Promise<{ close(): Promise<void> }> {
  const app = Fastify({ forceCloseConnections: true });
  app.setErrorHandler((error, _request, reply) => {
    const known = error instanceof SlipwayError ? error : undefined;
    return reply.code(known === undefined ? 500 : 400).send({ message: messageOf(error), hint: known?.hint });
  });
  app.get("/faults", () => faults.list());
  app.delete("/faults", () => faults.disarm());
  app.put<{ Params: { fault: string } }>("/faults/:fault", ({ params, body }) =>
    faults.arm(params.fault, armingSchema.parse(body)),
  );
  app.put("/record", ({ body }) => faults.replay(recordSchema.parse(body)));
  app.delete<{ Params: { fault: string } }>("/faults/:fault", ({ params }) => faults.disarm(params.fault));
  clockRoutes(app, clock);
  const path = socketPath(stateDir);
  await rm(path, { force: true }); // of a daemon that was killed
  await app.listen({ path });
  await chmod(path, 0o600);
  return { close: () => app.close() };
}

/** The running daemon's armed faults. @throws SlipwayError E_CLOUD_UNREACHABLE */
export function armedFaults(stateDir: string): Promise<ArmedFault[]> {
  return ask(stateDir, "GET", "/faults");
}

/** Arms a fault of the running daemon. @throws SlipwayError E_USAGE, E_CLOUD_UNREACHABLE */
export function armFault(stateDir: string, fault: string, arming: Arming): Promise<ArmedFault> {
  return ask(stateDir, "PUT", `/faults/${encodeURIComponent(fault)}`, arming);
}

/** Arms the running daemon's faults as a record says. @throws SlipwayError E_USAGE, E_CLOUD_UNREACHABLE */
export function replayFaults(stateDir: string, record: RecordedFault[]): Promise<ArmedFault[]> {
  return ask(stateDir, "PUT", "/record", record);
}

/** Disarms the running daemon's faults, or those that a text means. @throws SlipwayError E_USAGE, E_CLOUD_UNREACHABLE */
export function disarmFaults(stateDir: string, fault?: string): Promise<string[]> {
  return ask(stateDir, "DELETE", fault === undefined ? "/faults" : `/faults/${encodeURIComponent(fault)}`);
}

/** The running daemon's time. @throws SlipwayError E_USAGE with real guests, E_CLOUD_UNREACHABLE */
export function cloudTime(stateDir: string): Promise<CloudTime> {
  return ask(stateDir, "GET", "/clock");
}

/** Moves the running daemon's time. @throws SlipwayError E_USAGE, E_CLOUD_UNREACHABLE */
export function moveTime(stateDir: string, move: TimeMove): Promise<CloudTime> {
  return ask(stateDir, "PUT", "/clock", move);
}

async function ask<T>(stateDir: string, method: string, path: string, body?: unknown): Promise<T> {
  const { status, text } = await exchange(stateDir, method, path, body).catch((error: unknown) => {
    const absent = isErrno(error, "ENOENT") || isErrno(error, "ECONNREFUSED");
    throw new SlipwayError(
      "E_CLOUD_UNREACHABLE",
      absent ? "the embedded cloud does not run" : `the embedded cloud's daemon does not answer: ${messageOf(error)}`,
      { hint: "Start it with `slipway cloud start`.", cause: error },
    );
  });
  const answer = JSON.parse(text) as { message: string; hint?: string };
  if (status === 200) return answer as T;
  const { message, hint } = answer;
  if (status === 400) throw new SlipwayError("E_USAGE", message, hint === undefined ? {} : { hint });
  throw new Error(`the embedded cloud's daemon: ${message}`);
}

function exchange(
  stateDir: string,
  method: string,
  path: string,
  body: unknown,
): Promise<{ status: number | undefined; text: string }> {
  const options = {
    ...{ socketPath: socketPath(stateDir), method, path },
    headers: body === undefined ? {} : { "content-type": "application/json" },
    signal: AbortSignal.timeout(ANSWER_MS),
  };
  return new Promise((resolve, reject) => {
    const call = request(options, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => resolve({ status: answer.statusCode, text }));
      answer.on("error", reject);
    });
    call.on("error", reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
