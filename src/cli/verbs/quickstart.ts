import { z } from "zod";
import { daemonStatus } from "../../cloud/control.ts";
import { bringUp } from "../bring-up.ts";
import { destroyEmbeddedCloud, ensureEmbeddedCloud } from "../embedded-cloud.ts";
import { showEngineChoice } from "../engine-progress.ts";
import { withUsageIfFull } from "../lack-of-room.ts";
import { whileLocked } from "../locked.ts";
import { cloudPlace } from "../named-clouds.ts";
import { servedObject, servedText } from "../served.ts";
import { takeDown } from "../take-down.ts";
import { type Call, verb as declare } from "../verb.ts";
import { findProjectRoot, openWorkspace } from "../workspace.ts";

const options = {
  stop: { type: "boolean", default: false, describe: "take down what quickstart made and prove that nothing is left" },
} as const;

export const verb = declare({
  options,
  run: async (call) => (call.args.stop ? stop(call) : start(call)),
});

async function start({ args, reporter, signal }: Call<typeof options>): Promise<void> {
  const projectRoot = await findProjectRoot(process.cwd());
  const cloud = await ensureEmbeddedCloud(cloudPlace(projectRoot), reporter, { hypervisor: "nspawn" });
  const workspace = await openWorkspace({ engine: args.engine });
  showEngineChoice(reporter, workspace.engineChoice);
  const served = await whileLocked(workspace, { verb: "quickstart", reporter, signal }, (lock) =>
    withUsageIfFull(workspace.session, () => bringUp(workspace, reporter, { lock, signal })),
  );
  const { path, body } = served.probe;
  const next = [
    `curl -s ${served.url}${path} -H 'content-type: application/json' -d '${JSON.stringify(firstRowOf(body))}'`,
    "npx slipway deploy production --model models/diabetes/development",
    "npm run stop",
  ];
  reporter.result(
    { ...servedObject(workspace, served, reporter.timings), hypervisor: cloud.hypervisor, next },
    [
      servedText(workspace, served, reporter.timings),
      `  guests     ${cloud.hypervisor}: ${cloud.reason}`,
      "",
      "Next:",
      ...next.map((command) => `  ${command}`),
    ].join("\n"),
  );
}

async function stop({ args, reporter, signal }: Call<typeof options>): Promise<void> {
  const place = cloudPlace(await findProjectRoot(process.cwd()));
  // Where the cloud answers, the stack is taken down as on any other cloud; a dead one's resources go with it.
  if ((await daemonStatus(place.stateDir)).running) {
    const workspace = await openWorkspace({ engine: args.engine });
    await whileLocked(workspace, { verb: "quickstart --stop", reporter, signal }, (lock) =>
      takeDown(workspace, reporter, { lock, signal }),
    );
  }
  const proof = await destroyEmbeddedCloud(place, reporter);
  reporter.result(
    { ok: true, leftovers: [], proof, timings: reporter.timings },
    ["Nothing is left, in the cloud and on this machine:", ...proof].join("\n  "),
  );
}

/** The question for one row, where it is one for several: enough to copy. */
function firstRowOf(body: unknown): unknown {
  const question = z.object({ rows: z.array(z.unknown()) }).safeParse(body);
  return question.success ? { rows: question.data.rows.slice(0, 1) } : body;
}
