import { describe, expect, test } from "vitest";
import { differencesBetween, formatDifference, isRead } from "./difference.ts";
import { orderProblems } from "./order.ts";
import { loadRecording, type Observation, type RecordedRun, type Resource, recordings } from "./recording.ts";
import { unknownValue, withSymbols } from "./symbols.ts";

// The judge of the golden test, judged: by the recordings themselves, and by recordings that were tampered with.

const runs = recordings.flatMap((name) => {
  const recording = loadRecording(name);
  let before = recording.before;
  return recording.runs.map((run) => {
    const state = run.before ?? before;
    before = run.resources;
    return { name: `${name} ${run.name}`, run, before: state, known: recording.known };
  });
});

type Case = (typeof runs)[number];

const masked = ({ run, before, known }: Case, observation: Observation = run) =>
  withSymbols(observation, before, known, run.program);

const differences = (one: Case, change: (run: RecordedRun) => void) => {
  const other = structuredClone(one.run);
  change(other);
  return differencesBetween("run", masked(one), masked(one, other)).map(formatDifference);
};

describe.each(runs)("$name", (one) => {
  test("differs in nothing from itself with other ids, addresses and times", () => {
    const moved = JSON.parse(elsewhere(JSON.stringify(one))) as Case;
    expect(differencesBetween("run", masked(one), masked(moved)).map(formatDifference)).toEqual([]);
  });

  // a refresh reads everything at once
  test.skipIf(one.run.args.startsWith("refresh"))("the official steps are in the order that is asked of ours", () => {
    expect(orderProblems(one.run.steps, one.before, one.run.resources)).toEqual([]);
  });
});

/** The same text as another cloud would have given it. */
function elsewhere(text: string): string {
  const next = (digit: string) => ((Number.parseInt(digit, 16) + 1) % 16).toString(16);
  return text
    .replace(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, (id) =>
      id === unknownValue ? id : id.replace(/[0-9a-f]/g, next),
    )
    .replace(/\b172\.24\.4\.(\d+)\b/g, "172.24.9.$1")
    .replace(/\b2026-11-21/g, "2027-01-01");
}

describe("what is tampered with is seen:", () => {
  const up = runs.find(({ run }) => run.name === "02-up") as Case;
  const destroy = runs.find(({ run }) => run.name === "13-destroy") as Case;
  const find = (resources: Resource[], name: string) => resources.find(({ urn }) => urn.endsWith(name)) as Resource;

  test.each<[string, Case, (run: RecordedRun) => void, string]>([
    ["a step that failed", up, (run) => ((run.steps.at(-1) as { phase: string }).phase = "fail"), "create failed"],
    ["another operation", up, (run) => ((run.steps.at(-1) as { op: string }).op = "update"), "update"],
    ["a step too few", up, (run) => run.steps.splice(-2), "step"],
    ["an outcome", up, (run) => (run.failed = true), "outcome failed"],
    ["a read too few", up, (run) => remove(run, ({ path }) => path.includes("/tags")), "/tags: recorded asked"],
    ["a change too few", destroy, (run) => remove(run, ({ path }) => path.includes("keypairs")), "keypairs"],
    [
      "a change twice",
      destroy,
      (run) => run.calls.push(...run.calls.filter((call) => !isRead(call)).slice(-1)),
      "calls",
    ],
    [
      "another body",
      up,
      (run) => edit(run.calls, (call) => JSON.stringify(call.body ?? null).includes("trace-net"), "true", "false"),
      "false",
    ],
    [
      "another object",
      up,
      (run) =>
        edit(
          run.calls,
          ({ path }) => path.endsWith("add_router_interface"),
          /"subnet_id":"[^"]+"/,
          '"subnet_id":"b58cbe28-e8bb-403b-981d-86924d35d278"',
        ),
      "<Network::net>",
    ],
    [
      "an output",
      up,
      (run) => edit([find(run.resources, "Port::port")], () => true, '"vnicType":"normal"', '"vnicType":"direct"'),
      "vnicType",
    ],
    [
      "a secret in clear",
      up,
      (run) => edit([find(run.resources, "Instance::server")], () => true, '{"$secret":"hush"}', '"hush"'),
      "note",
    ],
    [
      "another object's id",
      up,
      (run) =>
        edit(
          [find(run.resources, "Subnet::net")],
          () => true,
          "b58cbe28-e8bb-403b-981d-86924d35d278",
          "82e9fa1a-8207-49ef-9028-61cfbcf74390",
        ),
      "<SecGroup::group>",
    ],
    ["a resource too few", up, (run) => run.resources.pop(), "VolumeAttach::attach: recorded"],
    [
      "a dependency too few",
      up,
      (run) => (find(run.resources, "Port::port").dependencies as string[]).pop(),
      "dependencies",
    ],
  ])("%s", (_, one, change, seen) => {
    expect(differences(one, change).join("\n")).toContain(seen);
  });

  test("a dependent that is begun too early", () => {
    const steps = up.run.steps
      .toReversed()
      .map((step) => ({ ...step, phase: step.phase === "begin" ? "end" : "begin" }) as const);
    expect(orderProblems(steps, [], up.run.resources)).toContain(
      "Subnet::net is begun before its dependency is there: Network::net",
    );
  });
});

function remove(run: RecordedRun, which: (call: RecordedRun["calls"][number]) => boolean): void {
  run.calls = run.calls.filter((call) => !which(call));
}

/** Replaces text within the first item that fits. */
function edit<T extends object>(items: T[], which: (item: T) => boolean, from: string | RegExp, to: string): void {
  const item = items.find(which) as T;
  Object.assign(item, JSON.parse(JSON.stringify(item).replace(from, to)));
}
