import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bindStack, forgetStack, readStackRecord, recordRelease } from "../../src/release/stack-record.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "slipway-stack-"));
});
afterEach(() => rmSync(home, { recursive: true }));

const cloud = { authUrl: "http://127.0.0.1:5000/v3", projectId: "p1" };

describe("bindStack", () => {
  it("remembers the cloud of the first use and the engine of the last", async () => {
    expect(await readStackRecord(home)).toBeUndefined();
    await bindStack(home, { cloud, engine: "embedded" });
    expect(await bindStack(home, { cloud, engine: "official" })).toEqual({
      schemaVersion: 1,
      cloud,
      engine: "official",
    });
    expect((await readStackRecord(home))?.engine).toBe("official");
  });

  it("takes another spelling of the same cloud", async () => {
    await bindStack(home, { cloud, engine: "embedded" });
    const spelled = { ...cloud, authUrl: "http://127.0.0.1:5000/" };
    expect((await bindStack(home, { cloud: spelled, engine: "embedded" })).cloud).toEqual(cloud);
  });

  it.each([
    { ...cloud, projectId: "p2" },
    { ...cloud, authUrl: "http://127.0.0.1:5001/v3" },
  ])("refuses another cloud: %o", async (other) => {
    await bindStack(home, { cloud, engine: "embedded" });
    await expect(bindStack(home, { cloud: other, engine: "embedded" })).rejects.toMatchObject({
      code: "E_CLOUD_MISMATCH",
      exitCode: 2,
    });
  });

  it("forgets after a teardown", async () => {
    await bindStack(home, { cloud, engine: "embedded" });
    await forgetStack(home);
    const other = { ...cloud, projectId: "p2" };
    expect((await bindStack(home, { cloud: other, engine: "embedded" })).cloud).toEqual(other);
  });
});

describe("recordRelease", () => {
  const release = {
    sequence: 3,
    payload: "sha256:p",
    model: { name: "m", version: "2", digest: "sha256:m" },
    at: "2026-01-01T00:00:00Z",
  };

  it("is remembered beside the binding", async () => {
    await bindStack(home, { cloud, engine: "embedded" });
    await recordRelease(home, release);
    expect(await readStackRecord(home)).toMatchObject({ cloud, release });
  });

  it("needs a bound stack", async () => {
    await expect(recordRelease(home, release)).rejects.toThrow("not bound");
  });
});
