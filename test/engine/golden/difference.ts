import { isDeepStrictEqual } from "node:util";
import type { Call, Json, Observation, Resource, Step } from "./recording.ts";
import { shortName } from "./symbols.ts";

/** One way in which our run differs from the recorded one. */
export interface Difference {
  run: string;
  /** `outcome`, `step`, `reason`, `read`, `calls`, `wait` or `state`. */
  part: string;
  /** What differs. */
  what: string;
  /** As it was recorded; absent: nothing. */
  recorded?: string;
  ours?: string;
}

/** A difference in a line, for people. */
export function formatDifference({ run, part, what, recorded, ours }: Difference): string {
  return `${run} ${part} ${what}: recorded ${recorded ?? "nothing"}, ours ${ours ?? "nothing"}`;
}

/**
 * All differences between two runs, ids and the like masked in both.
 * - steps: each resource goes through the same operations, with the same outcome and the same differing properties; a step begins after the
 *   steps that it depends on have ended.
 * - calls that change something: the same, as often, and for each object in the same order; no object is named before it is made.
 * - calls that read: the same set; how often a status is asked for is a matter of time.
 * - calls of Keystone: the same set; how often a login is made is a matter of sessions.
 * - waits: an object that was left alone for seconds before the first look at it, and is not in ours.
 * - state: the same resources with the same fields.
 * - plan: the same steps of `preview --json` with the same properties and reasons; foreseen: the same outputs, known or not.
 */
export function differencesBetween(run: string, recorded: Observation, ours: Observation): Difference[] {
  const found = [
    ...valueDifferences("outcome", "failed", recorded.failed, ours.failed),
    ...stepDifferences(recorded.steps, ours.steps),
    ...callDifferences(recorded.calls, ours.calls),
    ...waitDifferences(recorded.calls, ours.calls),
    ...stateDifferences(recorded.resources, ours.resources),
    ...planDifferences(recorded, ours),
    ...foreseenDifferences(recorded, ours),
  ];
  return found.map((difference) => ({ run, ...difference }));
}

type Found = Omit<Difference, "run">;

function valueDifferences(part: string, what: string, recorded: unknown, ours: unknown): Found[] {
  if (isDeepStrictEqual(recorded, ours)) return [];
  return [
    {
      part,
      what,
      ...(recorded === undefined ? {} : { recorded: JSON.stringify(recorded) }),
      ...(ours === undefined ? {} : { ours: JSON.stringify(ours) }),
    },
  ];
}

/** What a resource went through, in order. */
function stepDifferences(recorded: Step[], ours: Step[]): Found[] {
  const urns = new Set([...recorded, ...ours].map(({ urn }) => urn));
  return [...urns].flatMap((urn) => {
    const through = (steps: Step[]) => {
      const own = steps.filter((step) => step.urn === urn);
      return own.length === 0 ? undefined : own.filter(({ phase }) => phase !== "begin").map(lineOf);
    };
    const reasons = (steps: Step[]) =>
      steps.filter((step) => step.urn === urn && step.phase === "begin").flatMap(reasonsOf);
    return [
      ...valueDifferences("step", shortName(urn), through(recorded), through(ours)),
      ...valueDifferences("reason", shortName(urn), reasons(recorded), reasons(ours)),
    ];
  });
}

/** Why a step is taken: the properties that differ, how, and which of them demand a new resource. */
function reasonsOf({ op, diffs, keys, detailedDiff }: Step): string[] {
  const kinds = Object.entries(detailedDiff ?? {}).map(([path, { diffKind }]) => `${path} ${diffKind}`);
  return [
    ...(diffs === undefined ? [] : [`${op} for ${diffs.toSorted().join()}`]),
    ...(keys === undefined ? [] : [`${op} forced by ${keys.toSorted().join()}`]),
    ...(kinds.length === 0 ? [] : [`${op} since ${kinds.sort().join(", ")}`]),
  ];
}

const lineOf = ({ phase, op }: Step) => (phase === "fail" ? `${op} failed` : op);

/** Calls that ask and change nothing. */
export const isRead = ({ method }: Call) => method === "GET" || method === "HEAD";

/** Calls that are repeated as time or sessions want it. */
const isRepeated = (call: Call) => isRead(call) || call.service === "keystone";

const asking = ({ service, method, path, query }: Call) =>
  `${service} ${method} ${path}${query === "" ? "" : `?${query}`}`;

function callDifferences(recorded: Call[], ours: Call[]): Found[] {
  const reads = (calls: Call[]) =>
    new Set(
      calls
        .filter(isRepeated)
        .map((call) => `${asking(call)}${bodyOf(call)}${call.method === "POST" ? outcomeOf(call) : ""}`),
    );
  const [theirReads, ourReads] = [reads(recorded), reads(ours)];
  const changes = (calls: Call[]) => {
    const byObject = new Map<string, string[]>();
    for (const call of calls.filter((call) => !isRepeated(call))) {
      const lines = byObject.get(objectOf(call)) ?? [];
      byObject.set(objectOf(call), [...lines, `${asking(call)}${bodyOf(call)}${outcomeOf(call)}`]);
    }
    return byObject;
  };
  const [theirs, own] = [changes(recorded), changes(ours)];
  const objects = new Set([...theirs.keys(), ...own.keys()]);
  return [
    ...[...theirReads].filter((read) => !ourReads.has(read)).map((what) => ({ part: "read", what, recorded: "asked" })),
    ...[...ourReads].filter((read) => !theirReads.has(read)).map((what) => ({ part: "read", what, ours: "asked" })),
    ...[...objects].flatMap((object) => valueDifferences("calls", object, theirs.get(object), own.get(object))),
  ];
}

const bodyOf = ({ body }: Call) => (body === undefined ? "" : ` ${JSON.stringify(sorted(body))}`);
const outcomeOf = ({ status }: Call) => (status < 400 ? "" : ` → ${status}`);

/** Milliseconds after which a first look was not the next thing to do. */
const pauseMs = 3000;

function waitDifferences(recorded: Call[], ours: Call[]): Found[] {
  const own = firstLooks(ours);
  return [...firstLooks(recorded)]
    .filter(([path, after]) => after >= pauseMs && (own.get(path) ?? 0) < pauseMs)
    .map(([what, after]) => ({ part: "wait", what, recorded: `first looked at after ${Math.round(after / 1000)} s` }));
}

/** Milliseconds from the making or removing of an object to the first look at it, by its path. */
function firstLooks(calls: Call[]): Map<string, number> {
  const looks = new Map<string, number>();
  for (const look of calls.filter(isRead)) {
    const collection = look.path.slice(0, look.path.lastIndexOf("/"));
    const change = calls.findLast(
      (call) =>
        call.at <= look.at &&
        ((call.method === "POST" && call.path === collection) || (call.method === "DELETE" && call.path === look.path)),
    );
    if (change !== undefined && !looks.has(look.path)) looks.set(look.path, look.at - change.at);
  }
  return looks;
}

/** What a call is about: the object that its path names, or for a new one the collection and the name or content that it is given. */
function objectOf({ service, path, body, method }: Call): string {
  const named = path.split("/").find((part) => part.startsWith("<") && !part.startsWith("<project "));
  if (named !== undefined) return named;
  return method === "POST" ? `${service} ${path} ${JSON.stringify(sorted(body ?? null))}` : `${service} ${path}`;
}

function sorted(value: Json, key = ""): Json {
  if (Array.isArray(value)) {
    const items = value.map((item) => sorted(item));
    return sets.has(key) ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items;
  }
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, sorted(value[name] ?? null, key === "propertyDependencies" ? key : name)]),
  );
}

/** Fields that hold the time of the last change. */
const times = new Set(["created", "modified"]);

/** Lists without an order: the provider's sets, and what the SDK gathers from promises as they resolve. */
const sets = new Set(["tags", "allTags", "dependencies", "propertyDependencies"]);

function stateDifferences(recorded: Resource[], ours: Resource[]): Found[] {
  const byKey = (resources: Resource[]) =>
    new Map(resources.map((resource) => [`${shortName(resource.urn)}${resource.delete ? " (old)" : ""}`, resource]));
  const [theirs, own] = [byKey(recorded), byKey(ours)];
  return [...new Set([...theirs.keys(), ...own.keys()])].flatMap((key) => {
    const [theirResource, ownResource] = [theirs.get(key), own.get(key)];
    if (theirResource === undefined || ownResource === undefined) {
      return valueDifferences("state", key, theirResource && "there", ownResource && "there");
    }
    return within(key, sorted(theirResource), sorted(ownResource));
  });
}

function planDifferences(recorded: Observation, ours: Observation): Found[] {
  if (recorded.plan === undefined) return [];
  const byStep = ({ plan = [] }: Observation): Json =>
    Object.fromEntries(
      plan.map(({ op, urn, outputs, ...rest }) => [
        `${op} ${shortName(urn)}`,
        sorted({ ...rest, ...(outputs === undefined ? {} : { outputs: onlyKnown(outputs) }) } as Json),
      ]),
    );
  return within("", byStep(recorded), byStep(ours), "plan");
}

function foreseenDifferences(recorded: Observation, ours: Observation): Found[] {
  const byStep = ({ foreseen = {} }: Observation): Json =>
    Object.fromEntries(
      Object.entries(foreseen).map(([key, outputs]) => [
        `${key.split(" ")[0]} ${shortName(key)}`,
        sorted(onlyKnown(outputs)),
      ]),
    );
  return within("", byStep(recorded), byStep(ours), "foreseen");
}

/** What a preview writes for a value that is not known yet, masked. */
const unknown = "<unknown>";

/** To the SDK an output that is left out and one that is not known are the same, and so is a list with an element that is not known. */
function onlyKnown(outputs: Json): Json {
  const isUnknown = (value: Json): boolean =>
    value === unknown || (Array.isArray(value) && value.some((item) => item === unknown || hasUnknownId(item)));
  const entries = Object.entries((outputs ?? {}) as { [key: string]: Json });
  return Object.fromEntries(entries.filter(([key, value]) => !isUnknown(value) && !(key === "id" && value === "")));
}

/** Scheduler hints are a set, which is not known as long as one of them is not. */
function hasUnknownId(value: Json): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && value.group === unknown;
}

/** The deepest places where two values differ. */
function within(path: string, recorded: Json | undefined, ours: Json | undefined, part = "state"): Found[] {
  const isMap = (value: Json | undefined) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (isMap(recorded) && isMap(ours)) {
    const [theirs, own] = [recorded, ours] as { [key: string]: Json }[];
    const keys = [...new Set([...Object.keys(theirs ?? {}), ...Object.keys(own ?? {})])].sort();
    return keys
      .filter((key) => !times.has(key))
      .flatMap((key) => within(`${path} ${key}`.trim(), theirs?.[key], own?.[key], part));
  }
  if (Array.isArray(recorded) && Array.isArray(ours) && recorded.length === ours.length) {
    return recorded.flatMap((item, index) => within(`${path} ${index}`, item, ours[index], part));
  }
  return valueDifferences(part, path, recorded, ours);
}
