import type { GateCheck } from "../serving/judging/checks.ts";
import { servedObject, servedText } from "./served.ts";
import type { Released } from "./serving-stack.ts";
import type { Reporter } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** Tells how a release ended, in the form that `up` has, with what the gate and the hosts found. */
export function tellReleased(
  workspace: Workspace,
  reporter: Reporter,
  released: Released,
  checks: readonly GateCheck[] = [],
): void {
  const { kind, manifest, outcome, changed } = released;
  const { trial, sequence } = manifest;
  const object = {
    ...servedObject(workspace, released, reporter.timings),
    kind,
    trial: trial === undefined ? null : { model: trial.model, ...trial.traffic },
    gate: { here: checks, host: outcome?.figures ?? {} },
    phases: outcome?.ms ?? {},
  };
  const lines = [
    ...(changed ? [] : [`${workspace.stack} serves this already: nothing to do`]),
    servedText(workspace, released, reporter.timings),
    `  release    ${sequence}, ${kind}`,
    ...(trial === undefined
      ? []
      : [`  on trial   version ${trial.model.version}, ${trial.traffic.mode} ${trial.traffic.percent} %`]),
  ];
  reporter.result(object, lines.join("\n"));
}
