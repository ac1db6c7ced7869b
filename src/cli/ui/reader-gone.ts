import { isErrno } from "../../common/errors.ts";

/** Aborted when nobody reads our output any more (`slipway … | head`): the end of a verb that prints without end. */
export function readerGone(): AbortSignal {
  const controller = new AbortController();
  process.stdout.on("error", (error) => {
    if (!isErrno(error, "EPIPE")) throw error;
    controller.abort();
  });
  return controller.signal;
}
