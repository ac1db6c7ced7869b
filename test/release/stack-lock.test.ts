import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withStackLock } from "../../src/release/stack-lock.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-lock-"));
});
afterEach(() => rm(folder, { recursive: true }));

const holder = (values: object) =>
  JSON.stringify({
    pid: process.pid,
    startTicks: null,
    host: hostname(),
    command: "up",
    since: "2026-01-02T03:04:05.000Z",
    ...values,
  });

describe("the lock of a stack", () => {
  it("lets one operation in and names it to the next", async () => {
    await withStackLock(folder, "up production", async () => {
      await expect(withStackLock(folder, "down production", async () => undefined)).rejects.toMatchObject({
        code: "E_LOCKED",
        exitCode: 7,
        message: expect.stringContaining(`up production\` (pid ${process.pid}`),
      });
    });
    expect(await withStackLock(folder, "down production", async () => "in")).toBe("in");
  });

  it("is free again after a failure", async () => {
    await expect(withStackLock(folder, "up", () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    expect(await readdir(folder)).toEqual([]);
  });

  it("is taken over from a killed process", async () => {
    const child = spawn("true");
    await new Promise((resolve) => child.on("exit", resolve));
    await writeFile(join(folder, "operation.lock"), holder({ pid: child.pid }));
    expect(await withStackLock(folder, "up", async () => "in")).toBe("in");
  });

  it("is taken over when the pid belongs to a later process", async () => {
    await writeFile(join(folder, "operation.lock"), holder({ startTicks: "1" }));
    expect(await withStackLock(folder, "up", async () => "in")).toBe("in");
  });

  it("is respected when another machine holds it, whatever runs here", async () => {
    await writeFile(join(folder, "operation.lock"), holder({ host: "elsewhere", pid: 999_999_999 }));
    await expect(withStackLock(folder, "up", async () => undefined)).rejects.toMatchObject({ code: "E_LOCKED" });
  });

  it("lets one in when many come at once", async () => {
    let inside = 0;
    let most = 0;
    const work = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 100));
      inside -= 1;
    };
    const ends = await Promise.allSettled(Array.from({ length: 12 }, () => withStackLock(folder, "up", work)));
    expect(most).toBe(1);
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await readdir(folder)).toEqual([]);
  });

  it("is taken over when it cannot be read", async () => {
    await writeFile(join(folder, "operation.lock"), '{"pid":');
    expect(await withStackLock(folder, "up", async () => "in")).toBe("in");
  });
});
