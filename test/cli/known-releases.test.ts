import { describe, expect, it } from "vitest";
import { differencesOf, mergedReleases } from "../../src/cli/known-releases.ts";
import type { ReleaseReport } from "../../src/guest/release-progress.ts";
import type { HistoryEntry } from "../../src/release/history.ts";

const digest = (letter: string) => `sha256:${letter.repeat(64)}` as const;
const at = "2026-01-02T03:04:05.000Z";
const origin = { kind: "deploy", by: "ada@laptop", at } as const;

function here(sequence: number, result: HistoryEntry["result"], letter = "a"): HistoryEntry {
  const file = { path: "p", digest: digest(letter), size: 1 };
  const payload = { digest: digest("f"), runtime: file, app: file };
  const models = [{ name: "m", version: String(sequence), ...file }];
  return {
    manifest: { schemaVersion: 1, stack: "s", sequence, payload, models, settings: {}, origin },
    result,
    began: at,
    ms: 900,
  };
}

function host(sequence: number, result: ReleaseReport["result"]): ReleaseReport {
  const model = { name: "m", version: String(sequence), digest: digest("a") };
  return {
    ...{ sequence, origin, payload: digest("f"), model, result, phase: "settle", figures: {}, began: at },
    ms: { load: 100, watch: 5000 },
  };
}

describe("releases that machine and host remember", () => {
  it("are one list by number; how one ended that this machine did not see, the host knows", () => {
    const known = mergedReleases([here(1, "passed"), here(3, "underway")], [host(3, "passed"), host(2, "kept")]);
    expect(known.map(({ sequence, result, source }) => [sequence, result, source.join("+")])).toEqual([
      [1, "passed", "here"],
      [2, "kept", "host"],
      [3, "passed", "here+host"],
    ]);
    expect(known[1]).toMatchObject({ by: "ada@laptop", kind: "deploy", ms: 5100 });
  });

  it("differ by what they consist of", () => {
    const [one, other] = mergedReleases([here(1, "passed"), here(2, "passed", "b")], []);
    if (one === undefined || other === undefined) throw new Error("a release is missing");
    expect(differencesOf(one, one)).toEqual([]);
    expect(differencesOf(one, other)).toEqual([
      { name: "version", before: "1", after: "2" },
      { name: "digest", before: digest("a"), after: digest("b") },
    ]);
  });
});
