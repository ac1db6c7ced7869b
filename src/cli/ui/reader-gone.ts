import { isErrno } from "../../common/errors.ts";

/**
 * Aborted when nobody reads our results any more (`slipway … | head`): the end of a verb that prints without end. What else runs goes on
 * in silence to its proper end.
 */
export function readerGone(): AbortSignal {
  const controller = new AbortController();
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error) => {
      if (!isErrno(error, "EPIPE")) throw error;
      if (stream === process.stdout) controller.abort();
    });
  }
  return controller.signal;
}
