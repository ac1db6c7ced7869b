import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { withStackLock } from "../../src/release/stack-lock.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Another process that holds the lock until it is killed. */
async function holdElsewhere(folder: string) {
  const module = join(import.meta.dirname, "../../src/release/stack-lock.ts");
  const script = `const { withStackLock } = await import(${JSON.stringify(module)});
    await withStackLock(${JSON.stringify(folder)}, "up production", () => new Promise(() => { console.log("in"); setInterval(() => {}, 1000); }));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return child;
}

describe("the lock of a stack", () => {
  it("lets one operation in and names it to the next", async () => {
    const folder = temporaryFolder();
    await withStackLock(folder, "up production", async () => {
      await expect(withStackLock(folder, "down production", async () => undefined)).rejects.toMatchObject({
        code: "E_LOCKED",
        exitCode: 7,
        message: expect.stringMatching(new RegExp(`up production\` \\(\\S+, pid ${process.pid} on `)),
      });
    });
    expect(await withStackLock(folder, "down production", async () => "in")).toBe("in");
  });

  it("is free again after a failure", async () => {
    const folder = temporaryFolder();
    await expect(withStackLock(folder, "up", () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    expect(await withStackLock(folder, "up", async () => "in")).toBe("in");
  });

  it("is respected across processes, and free as soon as its process was killed", async () => {
    const folder = temporaryFolder();
    const other = await holdElsewhere(folder);
    await expect(withStackLock(folder, "up", async () => undefined)).rejects.toMatchObject({
      code: "E_LOCKED",
      message: expect.stringContaining(`pid ${other.pid}`),
    });
    other.kill("SIGKILL");
    await once(other, "exit");
    expect(await withStackLock(folder, "up", async () => "in")).toBe("in");
  });

  it("lets one in when many come at once", async () => {
    const folder = temporaryFolder();
    let entered = 0;
    const work = async () => {
      entered += 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
    };
    const ends = await Promise.allSettled(Array.from({ length: 12 }, () => withStackLock(folder, "up", work)));
    expect(entered).toBe(1);
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});

describe("--lock-wait", () => {
  it("lets the next operation in as soon as the one before it has ended, and says for whom it waits", async () => {
    const folder = temporaryFolder();
    const other = await holdElsewhere(folder);
    const waitedFor: string[] = [];
    const entered = withStackLock(folder, "deploy", async () => "in", {
      waitMs: 60_000,
      onWait: (who) => {
        waitedFor.push(who);
        other.kill("SIGKILL");
      },
    });
    expect(await entered).toBe("in");
    expect(waitedFor).toEqual([expect.stringContaining(`pid ${other.pid}`)]);
  });

  it("ends with E_LOCKED when its time is over, and at once when it is interrupted", async () => {
    const folder = temporaryFolder();
    await withStackLock(folder, "up", async () => {
      await expect(withStackLock(folder, "deploy", async () => "in", { waitMs: 600 })).rejects.toMatchObject({
        code: "E_LOCKED",
      });
      const signal = AbortSignal.timeout(50);
      await expect(withStackLock(folder, "deploy", async () => "in", { waitMs: 60_000, signal })).rejects.toMatchObject(
        { name: "AbortError" },
      );
    });
  });
});
