import { SlipwayError } from "../common/errors.ts";

/** A terminal's Ctrl-C arrives once from the terminal and again from each launcher that passes it on (npx, bin/slipway.mjs). */
const ECHO_MS = 500;
const NOTICE = "\nslipway: interrupted; finishing what is in flight (once more ends at once)\n";
/** How long an end may take before it is announced. */
const PATIENCE_MS = 100;

/** Aborted by the first Ctrl-C or SIGTERM, with E_INTERRUPTED as its reason; a second one ends the process at once. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  let first = 0;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) {
        if (performance.now() - first > ECHO_MS) process.exit(130);
        return;
      }
      first = performance.now();
      setTimeout(() => process.stderr.write(NOTICE), PATIENCE_MS).unref(); // who ends at once need not say that he will
      controller.abort(
        new SlipwayError("E_INTERRUPTED", `interrupted by ${name}`, {
          hint: "Run the command again: it goes on from what is there.",
        }),
      );
    });
  }
  return controller.signal;
}
