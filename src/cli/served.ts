import type { Served } from "./bring-up.ts";
import { hostObject } from "./stack-outputs.ts";
import { seconds } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** The final object of `up`; its form is stable, schema version 1. */
export function servedObject(
  { stack, engine, session, cloud }: Workspace,
  served: Served,
  timings: Record<string, number>,
) {
  const { url, outputs, report, release, changed } = served;
  return {
    ok: true,
    stack,
    engine: engine.kind,
    cloud: { name: cloud, authUrl: session.authUrl },
    url,
    changed,
    model: report.model,
    release,
    prediction: report.predictions,
    hosts: [hostObject(outputs, { attached: true, state: "ACTIVE" })],
    timings,
    leftovers: [],
  };
}

/** The same for people. */
export function servedText(
  { stack, engine, session, cloud }: Workspace,
  served: Served,
  timings: Record<string, number>,
): string {
  const { url, report, changed } = served;
  const { name, version, digest } = report.model;
  const probabilities = report.predictions.map(({ probability }) => probability.toFixed(5));
  const rows = {
    engine: engine.kind,
    cloud: `${cloud ?? "from OS_* variables"} (${session.authUrl})`,
    url,
    model: `${name} version ${version}, ${digest}`,
    prediction: `classes ${report.predictions.map((one) => one.class).join(" ")} (probabilities ${probabilities.join(" ")})`,
    times: Object.entries(timings)
      .map(([phase, ms]) => `${phase} ${seconds(ms)}`)
      .join(", "),
  };
  const lines = Object.entries(rows).map(([key, value]) => `  ${key.padEnd(11)}${value}`);
  return [changed ? `${stack} serves:` : `${stack} serves; nothing changed:`, ...lines].join("\n");
}
