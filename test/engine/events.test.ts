import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nameOf } from "../../src/engine/embedded/urn.ts";
import type { EngineEvent } from "../../src/engine/events.ts";
import { failureOf, Workbench } from "./support/workbench.ts";

/** Which keys, in which order, the event logs of the official engine's recorded runs have. */
const shapes = JSON.parse(readFileSync(new URL("fixtures/events/shapes.json", import.meta.url), "utf8")) as {
  event: string[];
  payloads: Record<string, string[][]>;
  metadata: string[][];
  states: string[][];
};

let bench: Workbench;
beforeAll(async () => {
  bench = await Workbench.of("network");
});
afterAll(() => bench?.dispose());

const payloadOf = (event: EngineEvent) => Object.keys(event).find((key) => !shapes.event.includes(key)) ?? "";

/** Fails where an event has other keys than the official engine's have. */
function expectRecordedShapes(events: readonly EngineEvent[]): void {
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index));
  for (const event of events) {
    const payload = payloadOf(event);
    expect(Object.keys(event)).toEqual([...shapes.event, payload]);
    const body = event[payload as keyof EngineEvent] as Record<string, unknown>;
    expect(shapes.payloads[payload]).toContainEqual(Object.keys(body));
    const metadata = (event.resourcePreEvent ?? event.resOutputsEvent ?? event.resOpFailedEvent)?.metadata;
    if (metadata === undefined) continue;
    expect(shapes.metadata).toContainEqual(Object.keys(metadata));
    for (const state of [metadata.old, metadata.new]) {
      if (state !== null) expect(shapes.states).toContainEqual(Object.keys(state));
    }
  }
  expect(payloadOf(events[0] as EngineEvent)).toBe("preludeEvent");
  expect(events.slice(-2).map(payloadOf)).toEqual(["summaryEvent", "cancelEvent"]);
}

/** `pre create`, `out create` … of one resource. */
function lifeOf(name: string, type: string): string[] {
  const sort = { resourcePreEvent: "pre", resOutputsEvent: "out", resOpFailedEvent: "failed" };
  return bench.events.flatMap((event) => {
    const key = payloadOf(event) as keyof typeof sort;
    const metadata = event[key]?.metadata;
    return metadata?.urn.includes(type) && nameOf(metadata.urn) === name
      ? [`${sort[key]} ${metadata.op}${metadata.logical ? " (logical)" : ""}`]
      : [];
  });
}

const both = (...steps: string[]) => steps.flatMap((step) => [`pre ${step}`, `out ${step}`]);

describe("the events of the embedded engine have the official ones' shape and order", () => {
  it("of a first preview", async () => {
    await bench.preview();
    expectRecordedShapes(bench.events);
    expect(bench.events.filter(({ resourcePreEvent: pre }) => pre && !pre.planning)).toEqual([]);
    expect(lifeOf("server", "Instance")).toEqual(both("create (logical)"));
    // in a preview a component's end comes at once, and again with its outputs
    expect(lifeOf("network-dev", "Stack")).toEqual([...both("create (logical)"), "out create (logical)"]);
    const ends = bench.events.flatMap(({ resOutputsEvent: out }) =>
      out?.metadata.type.endsWith("Instance") ? [out.metadata.new] : [],
    );
    expect(ends[0]).toMatchObject({ id: "", outputs: { accessIpV4: "04da6b54-80e4-46f7-96ec-b56ff0331ba9" } });
  });

  it("of a first update", async () => {
    await bench.up();
    expectRecordedShapes(bench.events);
    expect(lifeOf("default_3_15_2", "providers")).toEqual(both("create (logical)"));
    expect(lifeOf("network-dev", "Stack")).toEqual(both("create (logical)"));
    // the default provider is told and not counted
    const [, , end] = bench.events.slice(-3);
    expect(end).toEqual(expect.objectContaining({ cancelEvent: {} }));
    const created = bench.events.filter(({ resourcePreEvent: pre }) => pre?.metadata.op === "create").length;
    const summary = bench.events.at(-2)?.summaryEvent;
    expect(summary).toMatchObject({ isPreview: false, result: "succeeded", resourceChanges: { create: created - 1 } });
    expect(bench.events.at(-3)?.resOutputsEvent?.metadata.type).toBe("pulumi:pulumi:Stack");
  });

  it("of a replacement that makes the new one first", async () => {
    await bench.up({ "network:sshCidr": "10.0.0.0/8" });
    expectRecordedShapes(bench.events);
    expect(lifeOf("rule-22", "SecGroupRule")).toEqual(
      both("create-replacement", "replace (logical)", "delete-replaced"),
    );
    const told = bench.events.find(({ resOutputsEvent: out }) => out?.metadata.op === "replace")?.resOutputsEvent
      ?.metadata;
    expect(told).toMatchObject({ keys: ["remoteIpPrefix"], diffs: ["remoteIpPrefix"], old: { delete: true } });
  });

  it("of a replacement that deletes the old one first", async () => {
    await bench.up({ "network:userData": "#two" });
    expectRecordedShapes(bench.events);
    expect(lifeOf("server", "Instance")).toEqual(both("delete-replaced", "replace (logical)", "create-replacement"));
  });

  it("of a failure", async () => {
    bench.cloud.before = (call) => {
      if (call === "update Network net") throw new Error("the cloud said no");
    };
    await failureOf(bench.up({ "network:networkName": "renamed" }));
    bench.cloud.before = () => undefined;
    expectRecordedShapes(bench.events);
    expect(lifeOf("net", "networking/network:Network")).toEqual(["pre update (logical)", "failed update (logical)"]);
    const errors = bench.events.flatMap(({ diagnosticEvent: said }) => (said?.severity === "error" ? [said] : []));
    expect(errors).toEqual([
      expect.objectContaining({
        urn: expect.stringMatching(/::net$/),
        prefix: "error: ",
        message: "the cloud said no\n",
      }),
      { prefix: "error: ", message: "update failed\n", color: "never", severity: "error" },
    ]);
    expect(bench.events.at(-2)?.summaryEvent).toMatchObject({ result: "failed" });
  });

  it("of a destroy", async () => {
    await bench.destroy();
    expectRecordedShapes(bench.events);
    expect(lifeOf("server", "Instance")).toEqual(both("delete (logical)"));
    expect(lifeOf("network-dev", "Stack")).toEqual(both("delete (logical)"));
  });
});
