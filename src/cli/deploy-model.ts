import { SlipwayError } from "../common/errors.ts";
import { defaultModel } from "../guest/manifest.ts";
import type { Origin, Traffic } from "../guest/release-terms.ts";
import { readExpectation } from "../health/expectation.ts";
import { stageKnown, stageRelease } from "../release/publication.ts";
import type { StackLock } from "../release/stack-lock.ts";
import type { GateCheck } from "../serving/judging/checks.ts";
import { passGateHere } from "./gate-here.ts";
import { expectationOfPublished, type ReadyModel } from "./given-model.ts";
import { termsOf } from "./release-terms.ts";
import {
  bothOrFirstFailure,
  carryOut,
  openServingStack,
  pendingHostChanges,
  type Released,
  type ServingStack,
} from "./serving-stack.ts";
import type { Reporter } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** What a deployment is to do. */
export interface Deployment {
  /** Brings the model here, ready to be published. */
  model: () => Promise<ReadyModel>;
  /** The stack that it served on before, where it is promoted from one. */
  from?: Origin["from"];
  /** Whether the software of the hosts is released as well. */
  payload: boolean;
  /** The model serves beside the one that does, as said, until it is promoted or aborted. */
  trial: Traffic | undefined;
  /** Seconds, in place of the gate's. */
  watchSeconds: number | undefined;
  /** Release what serves already once more, and end a trial that is under way. */
  force: boolean;
  /** Release it though clients of the model that serves would be refused. */
  allowNewInputs: boolean;
  lock: StackLock;
  signal: AbortSignal;
}

/** A deployment that serves, with what was judged before it. */
interface Deployed extends Released {
  checks: GateCheck[];
}

/**
 * Releases a model, and with `payload` the hosts' software, to a stack that serves: imports and checks it here, judges it by the stack's
 * gate, publishes it, and follows the hosts until it serves. The engine is not run.
 * @throws SlipwayError E_GATE_FAILED, here or on a host: what served before still does; E_USAGE while another model is on trial
 */
export async function deployModel(
  workspace: Workspace,
  reporter: Reporter,
  { model: bring, from, payload, trial, watchSeconds, force, allowNewInputs, lock, signal }: Deployment,
): Promise<Deployed> {
  const [model, serving] = await bothOrFirstFailure(bring(), openServingStack(workspace, reporter, lock));
  const { place, followed, pushed, url, outputs } = serving;
  for (const change of pendingHostChanges(workspace.config, outputs)) {
    reporter.note(`${change}: \`slipway up ${workspace.stack}\` changes hosts, a deployment does not`);
  }
  if (followed.trial !== undefined && !force && followed.trial.model.digest !== model.digest) {
    throw onTrial(followed.trial.model.version, workspace.stack);
  }
  const kind = trial?.mode ?? (from === undefined ? "deploy" : "promote");
  const terms = termsOf(workspace, kind, { watchSeconds, allowNewInputs, from });
  const beside = { place, followed, url, allowNewInputs: terms.gate.allowNewInputs, signal };
  const checks = await passGateHere(workspace, reporter, model, beside);
  // the model that serves cannot be on trial beside itself
  const traffic = defaultModel(followed).digest === model.digest ? undefined : trial;
  const staged = await reporter.phase("publish", payload ? "payload and model" : "model", async ({ note: log }) => {
    const packed = payload ? await packedPayload(workspace.projectRoot, log) : followed.payload;
    return stageRelease({
      ...place,
      payload: packed,
      model: { name: model.name, content: model.bytes },
      trial: traffic,
      settings: followed.settings,
      terms,
      // what was pushed serves in the place of what is published: the same is another release then
      again: force || pushed,
      log,
    });
  });
  const expectation =
    traffic === undefined ? model.expectation : await expectationOfServing(workspace.stackHome, serving);
  return { ...(await carryOut(workspace, reporter, serving, { kind, staged, expectation, signal })), checks };
}

async function packedPayload(projectRoot: string, log: (line: string) => void) {
  const { buildPayload } = await import("../release/payload.ts");
  return buildPayload({ projectRoot, log });
}

/** What the endpoint answers while a trial goes on beside what serves. */
async function expectationOfServing(stackHome: string, { place, followed }: ServingStack) {
  const served = defaultModel(followed);
  const remembered = await readExpectation(stackHome);
  return remembered?.digest === served.digest ? remembered : expectationOfPublished(place, served);
}

/** How a trial ends. */
export type TrialEnd = "promote" | "abort";

/**
 * Ends the trial that is under way: the model on trial takes the place of the one that serves, or goes.
 * @throws SlipwayError E_USAGE where nothing is on trial
 */
export async function endTrial(
  workspace: Workspace,
  reporter: Reporter,
  kind: TrialEnd,
  { lock, watchSeconds, signal }: { lock: StackLock; watchSeconds: number | undefined; signal: AbortSignal },
): Promise<Released> {
  const serving = await openServingStack(workspace, reporter, lock);
  const { place, followed } = serving;
  const { trial, models, payload, settings } = followed;
  if (trial === undefined) {
    throw new SlipwayError("E_USAGE", `no model of ${workspace.stack} is on trial`, {
      hint: "Put one on trial with `slipway deploy --canary PERCENT`, or --shadow PERCENT.",
    });
  }
  const served = kind === "promote" ? trial.model : defaultModel(followed);
  const expectation = await reporter.phase("model", `${served.name} version ${served.version}`, () =>
    expectationOfPublished(place, served),
  );
  const terms = termsOf(workspace, kind, { watchSeconds });
  const staged = await stageKnown({
    ...place,
    content: { payload, models: [served, ...models.slice(1)], settings },
    terms,
  });
  return carryOut(workspace, reporter, serving, { kind, staged, expectation, signal });
}

function onTrial(version: string, stack: string): SlipwayError {
  return new SlipwayError("E_USAGE", `version ${version} is on trial on ${stack}`, {
    hint: "End the trial first with `slipway promote` or `slipway abort`, or add --force, which ends it.",
  });
}
