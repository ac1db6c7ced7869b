import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { showEngine, showMessages, summary } from "../../src/cli/engine-progress.ts";
import { withEventLog } from "../../src/cli/event-log.ts";
import { Reporter } from "../../src/cli/ui/reporter.ts";
import type { EngineEvent } from "../../src/engine/events.ts";
import { Workbench } from "../engine/support/workbench.ts";

let bench: Workbench;
let folder: string;
beforeEach(async () => {
  bench = await Workbench.of("network");
  folder = await mkdtemp(join(tmpdir(), "slipway-events-"));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await bench.dispose();
  await rm(folder, { recursive: true });
});

it("--event-log has every event, for the owner alone, in place of what was there", async () => {
  const path = join(folder, "events.jsonl");
  await writeFile(path, "an older run", { mode: 0o644 });
  const seen: EngineEvent[] = [];
  await withEventLog(bench.engine, path).up(bench.stack, { onEvent: (event) => seen.push(event) });
  const lines = (await readFile(path, "utf8")).trim().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual(JSON.parse(JSON.stringify(seen)));
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ cancelEvent: {} });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

it("--event-log that cannot be written is refused before anything is done", () => {
  expect(() => withEventLog(bench.engine, join(folder, "none", "events.jsonl"))).toThrow(
    expect.objectContaining({ code: "E_USAGE" }),
  );
});

it.skipIf(!existsSync("/dev/full"))(
  "--event-log that cannot be continued warns, and the operation goes on",
  async () => {
    const { mode } = await stat("/dev/full");
    const seen: EngineEvent[] = [];
    await withEventLog(bench.engine, "/dev/full").up(bench.stack, { onEvent: (event) => seen.push(event) });
    const warnings = seen.filter(({ diagnosticEvent }) => diagnosticEvent?.severity === "warning");
    expect(warnings.map(({ diagnosticEvent }) => diagnosticEvent?.message)).toEqual([
      expect.stringContaining("the event log ends here: ENOSPC"),
    ]);
    expect(seen.at(-2)).toMatchObject({ summaryEvent: { result: "succeeded" } });
    expect((await stat("/dev/full")).mode).toBe(mode);
  },
);

it("the display tells programs each step with its time, and people what failed", async () => {
  const written: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
  const show = showEngine(new Reporter({ json: true, quiet: false, verbose: false }));
  bench.cloud.before = (call) => {
    if (call === "create Router router") throw new Error("quota\u0007 exceeded");
  };
  await bench.up({}, { onEvent: show }).catch(() => undefined);
  vi.restoreAllMocks();
  const lines = written.map((line) => JSON.parse(line));
  const steps = lines.filter(({ type }) => type === "step");
  const ofRouter = steps.filter(({ resource }) => resource === "Router").map(({ state }) => state);
  expect(ofRouter).toEqual(["start", "failed"]);
  const network = steps.find(({ resource, state }) => resource === "Network" && state === "done");
  expect(network).toMatchObject({ operation: "create", urn: expect.stringMatching(/::net$/), ms: expect.any(Number) });
  expect(steps.filter(({ urn }) => urn.includes("providers"))).toEqual([]);
  expect(lines.filter(({ type }) => type === "note").map(({ text }) => text)).toEqual(["error: quota  exceeded"]);
});

it("the display drops debug messages and shows errors that did not end the operation when it has ended", () => {
  const lines: string[] = [];
  const show = showMessages((line) => lines.push(line));
  const say = (severity: "debug" | "error" | "warning", message: string) =>
    show({ sequence: 0, timestamp: 0, diagnosticEvent: { message: `${message}\n`, color: "never", severity } });
  say("debug", "RegisterResource RPC prepared");
  say("error", "only said");
  say("warning", "careful");
  expect(lines).toEqual(["warning: careful"]);
  const summaryEvent = {
    maybeCorrupt: false,
    durationSeconds: 1,
    resourceChanges: {},
    PolicyPacks: {},
    isPreview: false,
  };
  show({ sequence: 1, timestamp: 0, summaryEvent: { ...summaryEvent, result: "succeeded" } });
  expect(lines).toEqual(["warning: careful", "error: only said"]);
});

it("counts what was done, and what would be", () => {
  expect(summary({ same: 3 })).toBe("nothing changes");
  expect(summary({ create: 2, replace: 1, same: 3 })).toBe("2 created, 1 replaced");
  expect(summary({ create: 2, replace: 1 }, "planned")).toBe("2 to create, 1 to replace");
});
