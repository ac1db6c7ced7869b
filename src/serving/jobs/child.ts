import { messageOf } from "../../common/errors.ts";
import type { ChildTask, FromChild, ToChild } from "./child-messages.ts";
import { JobFailure } from "./children.ts";
import type { JobProgress } from "./records.ts";

/** What a job has to do with the worker while it runs. */
export interface JobSurroundings {
  signal: AbortSignal;
  onProgress: (progress: JobProgress) => void;
  onLog: (line: string) => void;
}

/** Does one kind of work. Throws {@link JobFailure} to say whether another attempt makes sense; all else may be tried again. */
export type JobHandler = (task: ChildTask, surroundings: JobSurroundings) => Promise<unknown>;

/** Lines and progress travel at most so often. */
const TELL_MS = 100;

/** Serves the worker that started this process: one job at a time, until the worker is gone. */
export function serveJobs(handlers: Readonly<Record<string, JobHandler>>): void {
  const send = (message: FromChild) => {
    if (process.connected) process.send?.(message);
  };
  let running: AbortController | undefined;
  process.on("disconnect", () => process.exit(1));
  process.on("message", (message: ToChild) => {
    if ("cancel" in message) running?.abort(new Error(message.cancel));
    else {
      running = new AbortController();
      void runTask(handlers, message.run, running.signal, send);
    }
  });
  // a terminal sends it to the worker as well, which says when
  process.on("SIGINT", () => undefined);
  send({ ready: true });
}

async function runTask(
  handlers: Readonly<Record<string, JobHandler>>,
  task: ChildTask,
  signal: AbortSignal,
  send: (message: FromChild) => void,
): Promise<void> {
  let lines: string[] = [];
  let progress: JobProgress | undefined;
  const tell = () => {
    if (lines.length > 0) send({ log: lines.splice(0) });
    if (progress) send({ progress });
    progress = undefined;
  };
  const timer = setInterval(tell, TELL_MS);
  const surroundings: JobSurroundings = {
    signal,
    onProgress: (now) => {
      progress = now;
    },
    onLog: (line) => void lines.push(line),
  };
  try {
    const handler = handlers[task.name];
    if (!handler) throw new JobFailure(`this worker does not know how to ${JSON.stringify(task.name)}`, false);
    const done = await handler(task, surroundings);
    tell();
    send({ done });
  } catch (error) {
    tell();
    send({ failed: { message: messageOf(error), final: error instanceof JobFailure && error.final } });
  } finally {
    clearInterval(timer);
    lines = [];
  }
}
