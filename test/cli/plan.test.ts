import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { changedLines } from "../../src/cli/plan/line-diff.ts";
import { Plan } from "../../src/cli/plan/plan.ts";
import { PreviewJson } from "../../src/cli/plan/plan-json.ts";
import { planText } from "../../src/cli/plan/plan-text.ts";
import { stdoutPage } from "../../src/cli/ui/page.ts";
import type { EngineEvent, StateMetadata, StepMetadata } from "../../src/engine/events.ts";

/** A preview of the official engine: new user-data for a server that a volume is attached to. */
const recorded = eventsOf("../engine/fixtures/events/preview-replace.jsonl");

function eventsOf(path: string): EngineEvent[] {
  const lines = readFileSync(new URL(path, import.meta.url), "utf8")
    .trim()
    .split("\n");
  return lines.map((line) => JSON.parse(line) as EngineEvent);
}

function planOf(events: readonly EngineEvent[]): Plan {
  const plan = new Plan();
  for (const event of events) plan.take(event);
  return plan;
}

const linesOf = (events: readonly EngineEvent[], width = 80) =>
  planText(planOf(events), { width, paint: (_, text) => text });

/** One planned step of a resource, as an event. */
function planned(
  step: Partial<StepMetadata>,
  before: Partial<StateMetadata>,
  after: Partial<StateMetadata>,
): EngineEvent {
  const [urn, type] = [
    "urn:pulumi:dev::p::openstack:compute/instance:Instance::web",
    "openstack:compute/instance:Instance",
  ];
  const state = { type, urn, custom: true, id: "", parent: "", inputs: {}, outputs: {}, provider: "" };
  const metadata: StepMetadata = {
    ...{ op: "update", urn, type, detailedDiff: null, provider: "" },
    ...{ old: { ...state, ...before }, new: { ...state, ...after } },
    ...step,
  };
  return { sequence: 0, timestamp: 0, resOutputsEvent: { metadata, planning: true } };
}

describe("a plan for people", () => {
  it("says why a server is replaced, what goes with it, and which outputs will change", () => {
    expect(linesOf(recorded, 100)).toEqual([
      "± Instance server: replaced because userData changed",
      "    userData:",
      "      - hostname: one",
      "      + hostname: two",
      "± VolumeAttach attach: replaced along with Instance server, through instanceId",
      '    instanceId: "0c4f7f8c-36c7-446f-adb7-85738a4bf17d" → will be known after Instance server is made',
      "",
      "outputs that change:",
      '  ~ device: "/dev/vdb" → will be known after up',
      '  ~ serverAddress: "10.77.0.10" → will be known after up',
      '  ~ serverId: "0c4f7f8c-36c7-446f-adb7-85738a4bf17d" → will be known after up',
    ]);
  });

  it("fits the terminal", () => {
    const lines = linesOf(recorded, 80);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines).toContain('    instanceId: "0c4f7f8c-36c7-44… → will be known after Instance server is made');
  });

  it("breaks a long reason between words", () => {
    const keys = ["portRangeMax", "portRangeMin", "remoteIpPrefix"];
    expect(linesOf([planned({ op: "replace", keys }, {}, {})], 60)).toEqual([
      "± Instance web: replaced because portRangeMax,",
      "    portRangeMin, remoteIpPrefix changed",
    ]);
  });

  it("is coloured on a terminal alone, unless that is not wanted", () => {
    const terminal = { isTTY: true, columns: 90 };
    expect(stdoutPage({}, terminal)).toMatchObject({ width: 90 });
    expect(stdoutPage({}, terminal).paint(31, "x")).toBe("\u001b[31mx\u001b[0m");
    for (const page of [
      stdoutPage({ NO_COLOR: "1" }, terminal),
      stdoutPage({ TERM: "dumb" }, terminal),
      stdoutPage({}, {}),
    ]) {
      expect(page.paint(31, "x")).toBe("x");
    }
  });

  it("says when the old one goes first", () => {
    const metadata = { op: "delete-replaced", new: null } as const;
    const deletion = planned(metadata, { id: "1" }, {});
    const replacement = planned(
      { op: "replace", keys: ["name"] },
      { inputs: { name: "a" } },
      { inputs: { name: "b" } },
    );
    expect(linesOf([deletion, replacement])).toEqual([
      "± Instance web: replaced because name changed; the old one goes first",
      '    name: "a" → "b"',
    ]);
    expect(linesOf([replacement, deletion])[0]).toBe("± Instance web: replaced because name changed");
  });

  it("shows of long texts only what changed, and of that the beginning", () => {
    const text = (mark: string) =>
      [...Array(40).keys()].map((line) => `line ${line}${line > 10 ? mark : ""}\n`).join("");
    const lines = linesOf([
      planned(
        { detailedDiff: { userData: { diffKind: "update", inputDiff: true } } },
        { inputs: { userData: text("") } },
        { inputs: { userData: text(" new") } },
      ),
    ]);
    expect(lines.slice(0, 3)).toEqual(["~ Instance web", "    userData:", "      - line 11"]);
    expect(lines.at(-1)).toBe("      … and 46 more changed lines");
  });

  it("masks secrets, and makes what a cloud says safe for a terminal", () => {
    const secret = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", ciphertext: "[secret]" };
    const lines = linesOf([
      planned(
        {
          detailedDiff: {
            "metadata.note": { diffKind: "update", inputDiff: false },
            name: { diffKind: "update", inputDiff: false },
          },
        },
        { inputs: { metadata: { note: "clear" }, name: "a\u001b[31m" } },
        { inputs: { metadata: secret, name: "b" } },
      ),
    ]);
    expect(lines).toEqual([
      "~ Instance web",
      '    metadata.note: "clear" → [secret]',
      '    name: "a\\u001b[31m" → "b"',
    ]);
  });

  it("shows what the state has where the wish is the same: drift", () => {
    const lines = linesOf([
      planned(
        { detailedDiff: { size: { diffKind: "update", inputDiff: false } } },
        { inputs: { size: 2 }, outputs: { size: 1 } },
        { inputs: { size: 2 } },
      ),
    ]);
    expect(lines).toEqual(["~ Instance web", "    size: 1 → 2"]);
  });
});

describe("changed lines", () => {
  it("are the fewest", () => {
    expect(changedLines("a\nb\nc\nd\n", "a\nc\nx\nd\n")).toEqual([
      { sign: "-", text: "b" },
      { sign: "+", text: "x" },
    ]);
    expect(changedLines("", "a\n")).toEqual([
      { sign: "-", text: "" },
      { sign: "+", text: "a" },
    ]);
    expect(changedLines("a\nb", "a\nb\n")).toEqual([]);
  });
});

describe("a plan for programs", () => {
  it("has the steps of the official `preview --json`", () => {
    const json = new PreviewJson();
    for (const event of recorded) json.take(event);
    const { config, steps, diagnostics, changeSummary } = json.digest;
    expect(config["openstack:password"]).toBe("[secret]");
    expect(changeSummary).toEqual({ replace: 2, same: 15 });
    expect(diagnostics).toEqual([
      { message: expect.stringMatching(/^warning: provider config warning/), severity: "warning" },
    ]);
    expect(steps.map(({ op, urn }) => `${op} ${urn.split("::").at(-1)}`)).toEqual([
      "same trace-dev",
      "replace server",
      "replace attach",
    ]);
    const [, server] = steps;
    expect(Object.keys(server ?? {})).toEqual([
      "op",
      "urn",
      "provider",
      "oldState",
      "newState",
      "diffReasons",
      "replaceReasons",
      "detailedDiff",
    ]);
    expect(server).toMatchObject({
      diffReasons: ["userData"],
      replaceReasons: ["userData"],
      detailedDiff: { userData: { kind: "update-replace", inputDiff: false } },
      oldState: { id: "0c4f7f8c-36c7-446f-adb7-85738a4bf17d", delete: true },
      newState: { inputs: { metadata: { note: "[secret]", role: "worker" } } },
    });
  });
});
