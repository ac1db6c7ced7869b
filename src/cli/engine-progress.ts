import type { EngineEvent, StepOperation } from "../engine/engine.ts";
import { printable, type Reporter, seconds } from "./ui/reporter.ts";

const verbs: Record<StepOperation, string> = {
  same: "is as it should be",
  create: "created",
  update: "updated",
  delete: "deleted",
  replace: "replaced",
  "create-replacement": "created in place of the old one",
  "delete-replaced": "deleted, replaced",
  read: "read",
  "read-replacement": "read in place of the old one",
};

/** Passes an engine's events on: messages for everybody, steps for `--verbose`, all of them for programs. */
export function showEngine(reporter: Reporter): (event: EngineEvent) => void {
  return (event) => {
    const line = engineLine(event);
    if (event.kind === "step") {
      const { phase, operation, urn, type, durationMs, replaceReasons } = event;
      reporter.event({
        type: "step",
        state: phase,
        operation,
        resource: shortType(type),
        urn,
        ms: durationMs,
        replaceReasons,
      });
      if (line !== undefined) reporter.detail(line);
    } else if (line !== undefined) {
      reporter.note(line);
    }
  };
}

/** `Instance` of `openstack:compute/instance:Instance`. */
function shortType(type: string): string {
  return type.split(":").at(-1) ?? type;
}

/** One line for an event of the engine; undefined for those that say nothing new. */
function engineLine(event: EngineEvent): string | undefined {
  if (event.kind === "message")
    return event.severity === "info" ? undefined : `${event.severity}: ${printable(event.message)}`;
  if (event.phase === "start" || event.operation === "same") return undefined;
  const time = event.durationMs === undefined ? "" : ` ${seconds(event.durationMs)}`;
  const what = `${shortType(event.type)} ${event.name}`;
  if (event.phase === "failed") return `${what} failed${time}: ${printable(event.message ?? "no reason given")}`;
  const why = event.replaceReasons?.length ? ` because of ${event.replaceReasons.join(", ")}` : "";
  return `${what} ${verbs[event.operation]}${why}${time}`;
}

/** The lines that explain a planned change: what is done to which resource, why, and each changed property. */
export function planLines(event: EngineEvent): string[] {
  if (event.kind === "message")
    return event.severity === "info" ? [] : [`${event.severity}: ${printable(event.message)}`];
  if (event.phase !== "done" || event.operation === "same" || event.operation === "delete-replaced") return [];
  const sign = { create: "+", update: "~", delete: "-", read: ">" }[event.operation as string] ?? "±";
  const why = event.replaceReasons?.length ? ` (replaced because of ${event.replaceReasons.join(", ")})` : "";
  const changes = (event.diff ?? []).map(
    ({ path, before, after }) => `    ${path}: ${printable(before ?? "—")} → ${printable(after ?? "—")}`,
  );
  return [`${sign} ${shortType(event.type)} ${event.name}${why}`, ...changes];
}

/** `3 created, 1 deleted`, or that nothing changed. */
export function summary(changes: Partial<Record<StepOperation, number>>): string {
  const counted = Object.entries(changes).filter(([operation, count]) => operation !== "same" && count > 0);
  if (counted.length === 0) return "nothing changes";
  return counted.map(([operation, count]) => `${count} ${operation}`).join(", ");
}
