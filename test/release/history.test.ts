import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Manifest } from "../../src/guest/manifest.ts";
import { type HistoryEntry, readHistory, recordInHistory, releaseBefore } from "../../src/release/history.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const digest = (letter: string) => `sha256:${letter.repeat(64)}` as const;

function manifest(sequence: number, letter = "a"): Manifest {
  const file = { path: "p", digest: digest(letter), size: 1 };
  const payload = { digest: digest("f"), runtime: file, app: file };
  return {
    schemaVersion: 1,
    stack: "production",
    sequence,
    payload,
    settings: {},
    models: [{ name: "m", version: "1", ...file }],
  };
}

const entry = (sequence: number, result: HistoryEntry["result"] = "passed", letter = "a"): HistoryEntry => ({
  manifest: manifest(sequence, letter),
  result,
  began: "2026-01-02T03:04:05.000Z",
});

/** The release that serves, with another version on trial beside it. */
const onTrial = (sequence: number): HistoryEntry => {
  const { manifest: serving, ...rest } = entry(sequence);
  const [model] = manifest(sequence, "c").models;
  if (model === undefined) throw new Error("no model");
  return { ...rest, manifest: { ...serving, trial: { model, traffic: { mode: "shadow", percent: 1 } } } };
};

describe("a stack's history", () => {
  it("remembers how a release ended in place of that it began, in order, past a torn line", async () => {
    const home = temporaryFolder();
    expect(await readHistory(home)).toEqual([]);
    await recordInHistory(home, entry(2, "underway"));
    await recordInHistory(home, entry(1));
    appendFileSync(join(home, "releases.jsonl"), '{"manifest":{"sch\n');
    await recordInHistory(home, entry(2, "kept"));
    expect(await readHistory(home)).toEqual([entry(1), entry(2, "kept")]);
  });

  it("keeps the last 200, in a file that stays small", async () => {
    const home = temporaryFolder();
    for (let sequence = 1; sequence <= 260; sequence++) {
      appendFileSync(join(home, "releases.jsonl"), `${JSON.stringify(entry(sequence, "underway"))}\n`);
      appendFileSync(join(home, "releases.jsonl"), `${JSON.stringify(entry(sequence))}\n`);
    }
    await recordInHistory(home, entry(261));
    expect((await readHistory(home)).map(({ manifest }) => manifest.sequence)).toEqual(
      Array.from({ length: 200 }, (_, index) => index + 62),
    );
    expect(readFileSync(join(home, "releases.jsonl"), "utf8").trim().split("\n")).toHaveLength(200);
  });
});

describe("the release before", () => {
  it.each([
    ["is the last that passed and was another one", [entry(1, "passed", "b"), entry(2), entry(3, "kept", "c")], 4, 1],
    ["is not one of what serves", [entry(1), entry(2)], 3, undefined],
    ["is not a later one", [entry(1, "passed", "b"), entry(5, "passed", "c")], 3, 1],
    ["is not one of what serves that had another on trial beside it", [entry(1, "passed", "b"), onTrial(2)], 3, 1],
    ["is not one whose end nobody saw", [entry(1, "underway", "b")], 3, undefined],
  ])("%s", (_, history, serving, expected) => {
    expect(releaseBefore(history, manifest(serving))?.sequence).toBe(expected);
  });
});
