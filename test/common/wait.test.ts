import { expect, test } from "vitest";
import { waitFor } from "../../src/common/wait.ts";

test("returns what the probe found, also when that is false or 0", async () => {
  let looks = 0;
  const probe = async () => (++looks < 3 ? undefined : looks);
  expect(await waitFor("three looks", probe, { timeoutMs: 5000, intervalMs: 1 })).toBe(3);
  expect(await waitFor("no", async () => false, { timeoutMs: 1000 })).toBe(false);
  expect(await waitFor("zero", async () => 0, { timeoutMs: 1000 })).toBe(0);
});

test("gives up at the deadline, not before, and says what it waited for", async () => {
  const started = performance.now();
  let lastLook = 0;
  const probe = async () => {
    lastLook = performance.now() - started;
    return undefined;
  };
  await expect(
    waitFor("server web to become ACTIVE", probe, { timeoutMs: 300, intervalMs: 200 }),
  ).rejects.toMatchObject({
    code: "E_TIMEOUT",
    exitCode: 8,
    message: expect.stringContaining("server web to become ACTIVE"),
  });
  expect(lastLook).toBeGreaterThan(290);
  expect(performance.now() - started).toBeLessThan(2000);
});

test("a probe that never answers does not outlast the deadline", async () => {
  const started = performance.now();
  const never = () => new Promise<undefined>(() => undefined);
  await expect(waitFor("an answer", never, { timeoutMs: 100 })).rejects.toMatchObject({ code: "E_TIMEOUT" });
  expect(performance.now() - started).toBeLessThan(2000);
});

test("what the probe throws ends the wait at once", async () => {
  let looks = 0;
  const probe = async () => {
    looks++;
    throw new Error("server went to ERROR");
  };
  await expect(waitFor("ACTIVE", probe, { timeoutMs: 5000, intervalMs: 1 })).rejects.toThrow("server went to ERROR");
  expect(looks).toBe(1);
});

test("an abort ends the wait between two looks", async () => {
  const controller = new AbortController();
  const wait = waitFor("ever", async () => undefined, {
    timeoutMs: 60_000,
    intervalMs: 30_000,
    signal: controller.signal,
  });
  controller.abort();
  await expect(wait).rejects.toMatchObject({ name: "AbortError" });
  await expect(
    waitFor("ever", async () => 1, { timeoutMs: 1000, signal: controller.signal }),
    "no look after an abort",
  ).rejects.toMatchObject({ name: "AbortError" });
});

test("looks less and less often", async () => {
  const looks: number[] = [];
  const probe = async () => {
    looks.push(performance.now());
    return looks.length === 5 ? true : undefined;
  };
  await waitFor("five looks", probe, { timeoutMs: 10_000, intervalMs: 20, maxIntervalMs: 40 });
  const pauses = looks.slice(1).map((at, n) => at - (looks[n] ?? 0));
  expect(pauses[0]).toBeGreaterThan(15);
  expect(pauses[3]).toBeGreaterThan(35);
});
