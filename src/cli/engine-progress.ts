import { isDefaultProvider } from "../engine/embedded/urn.ts";
import type { DiagnosticEvent, EngineEvent, StepMetadata, StepOperation } from "../engine/events.ts";
import type { EngineChoice } from "./engine-choice.ts";
import { resourceTitle } from "./plan/plan-text.ts";
import { printable, type Reporter, seconds } from "./ui/reporter.ts";

/** What is said of a step that has ended; steps without a word say nothing new. */
const verbs: Partial<Record<StepOperation, string>> = {
  create: "created",
  update: "updated",
  delete: "deleted",
  replace: "replaced",
  "create-replacement": "created in place of the old one",
  "delete-replaced": "deleted, replaced",
  read: "read",
  "read-replacement": "read in place of the old one",
  discard: "forgotten",
  "discard-replaced": "forgotten, replaced",
  import: "imported",
  "import-replacement": "imported in place of the old one",
};

/** The same of a look at a resource. */
const found: Partial<Record<StepOperation, string>> = { update: "has changed", delete: "is gone" };

/** Says which engine works, and why that one. */
export function showEngineChoice(reporter: Reporter, { kind, why }: EngineChoice): void {
  reporter.note(`engine ${kind}: ${why}`);
}

/**
 * Shows an engine's events: warnings and failures to everybody, steps to `--verbose`, and to programs a line for each step. The same
 * for both engines. Times are between the events of a step's beginning and end.
 */
export function showEngine(reporter: Reporter): (event: EngineEvent) => void {
  const began = new Map<string, number>();
  const messages = showMessages((line) => reporter.note(line));
  const show = (state: "start" | "done" | "failed", metadata: StepMetadata) => {
    const { op, urn, type, keys } = metadata;
    if (isDefaultProvider(urn)) return;
    // a look ends with what it found
    const look = `refresh ${urn}`;
    const isLook = state !== "start" && began.has(look);
    const key = isLook ? look : `${op} ${urn}`;
    const startedAt = began.get(key);
    const ms = startedAt === undefined ? undefined : performance.now() - startedAt;
    if (state === "start") began.set(key, performance.now());
    else began.delete(key);
    reporter.event({ type: "step", state, operation: op, resource: shortType(type), urn, ms, replaceReasons: keys });
    const line = stepLine(state, metadata, ms, isLook ? found : verbs);
    if (line !== undefined) reporter.detail(line);
  };
  return (event) => {
    messages(event);
    if (event.resourcePreEvent) show("start", event.resourcePreEvent.metadata);
    if (event.resOutputsEvent) show("done", event.resOutputsEvent.metadata);
    if (event.resOpFailedEvent) show("failed", event.resOpFailedEvent.metadata);
  };
}

/** One line for a step; undefined where it says nothing new. */
function stepLine(
  state: "start" | "done" | "failed",
  metadata: StepMetadata,
  ms: number | undefined,
  words: Partial<Record<StepOperation, string>>,
): string | undefined {
  const { op, keys } = metadata;
  if (state === "start") return undefined;
  const time = ms === undefined ? "" : ` ${seconds(ms)}`;
  const what = resourceTitle(metadata);
  if (state === "failed") return `${what} failed${time}`;
  const verb = words[op];
  if (verb === undefined) return undefined;
  const why = keys?.length ? ` because of ${keys.join(", ")}` : "";
  return `${what} ${verb}${why}${time}`;
}

/**
 * Passes on warnings and the failures of resources as they come. Other errors wait for the operation's end: if it failed, what the
 * verb throws says them; if not, they are shown.
 */
export function showMessages(show: (line: string) => void): (event: EngineEvent) => void {
  const held: string[] = [];
  return ({ diagnosticEvent, summaryEvent }) => {
    if (diagnosticEvent !== undefined) {
      const line = messageLine(diagnosticEvent);
      if (line !== undefined && diagnosticEvent.severity === "error" && diagnosticEvent.urn === undefined)
        held.push(line);
      else if (line !== undefined) show(line);
    }
    if (summaryEvent?.result === "succeeded") for (const line of held) show(line);
  };
}

function messageLine({ severity, message }: DiagnosticEvent): string | undefined {
  return severity === "warning" || severity === "error" ? `${severity}: ${printable(message).trimEnd()}` : undefined;
}

/** `Instance` of `openstack:compute/instance:Instance`. */
function shortType(type: string): string {
  return type.split(":").at(-1) ?? type;
}

/** What is done to resources, as it is counted: afterwards and beforehand. */
const counted: Partial<Record<StepOperation, readonly [done: string, planned: string]>> = {
  create: ["created", "to create"],
  update: ["updated", "to update"],
  replace: ["replaced", "to replace"],
  delete: ["deleted", "to delete"],
  read: ["read", "to read"],
  import: ["imported", "to import"],
};

/** `3 created, 1 deleted` (or `3 to create, 1 to delete`), or that nothing changes. */
export function summary(changes: Partial<Record<StepOperation, number>>, tense: "done" | "planned" = "done"): string {
  const counts = Object.entries(changes).filter(([operation, count]) => operation !== "same" && count > 0);
  if (counts.length === 0) return "nothing changes";
  const word = (operation: string) => counted[operation as StepOperation]?.[tense === "done" ? 0 : 1] ?? operation;
  return counts.map(([operation, count]) => `${count} ${word(operation)}`).join(", ");
}
