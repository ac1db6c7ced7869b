import { z } from "zod";
import { shortened } from "../common/text.ts";
import type { Served } from "./bring-up.ts";
import { grpcAddress, hostObject } from "./stack-outputs.ts";
import { seconds } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** The final object of `up`; its form is stable, schema version 1. */
export function servedObject(
  { stack, engine, session, cloud }: Workspace,
  served: Served,
  timings: Record<string, number>,
) {
  const { url, outputs, report, release, changed } = served;
  const grpc = grpcAddress(outputs);
  return {
    ok: true,
    stack,
    engine: engine.kind,
    cloud: { name: cloud, authUrl: session.authUrl },
    url,
    ...(grpc !== undefined && { grpc }),
    changed,
    model: report.model,
    release,
    prediction: report.prediction,
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
  const { url, outputs, report, changed } = served;
  const grpc = grpcAddress(outputs);
  const { name, version, digest } = report.model;
  const rows = {
    engine: engine.kind,
    cloud: `${cloud ?? "from OS_* variables"} (${session.authUrl})`,
    url,
    ...(grpc !== undefined && { grpc }),
    model: `${name} version ${version}, ${digest}`,
    prediction: predictionText(report.prediction),
    times: Object.entries(timings)
      .map(([phase, ms]) => `${phase} ${seconds(ms)}`)
      .join(", "),
  };
  const lines = Object.entries(rows).map(([key, value]) => `  ${key.padEnd(11)}${value}`);
  return [changed ? `${stack} serves:` : `${stack} serves; nothing changed:`, ...lines].join("\n");
}

const classes = z.array(z.object({ probability: z.number(), class: z.number() }));

/** What was answered to the golden question, short enough for a line. */
function predictionText(prediction: unknown[]): string {
  const told = classes.safeParse(prediction);
  if (!told.success) {
    return shortened(JSON.stringify(prediction), 200);
  }
  const probabilities = told.data.map(({ probability }) => probability.toFixed(5));
  return `classes ${told.data.map((one) => one.class).join(" ")} (probabilities ${probabilities.join(" ")})`;
}
