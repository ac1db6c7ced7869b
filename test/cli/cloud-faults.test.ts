import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { Slipway } from "../e2e/slipway.ts";

vi.setConfig({ testTimeout: 60_000 });

let slipway: Slipway;
beforeAll(async () => {
  slipway = await Slipway.create();
});
afterAll(async () => {
  expect(await slipway.remove()).toEqual([]);
});

it("`cloud faults`, `arm` and `disarm` work on the running cloud, and say what they do not understand", async () => {
  const idle = await slipway.run(["cloud", "faults"]);
  expect(idle.result).toMatchObject({ ok: true, armed: [] });
  expect(idle.result.faults).toContainEqual({ id: "P03:fip-timeout-but-applied", does: expect.any(String) });
  const unreachable = await slipway.run(["cloud", "arm", "P03"]);
  expect(unreachable.exitCode).toBe(3);
  expect(unreachable.result.error).toMatchObject({
    code: "E_CLOUD_UNREACHABLE",
    hint: expect.stringContaining("slipway cloud start"),
  });

  expect((await slipway.run(["cloud", "start", "--hypervisor", "fake"])).result).toMatchObject({ ok: true });
  const options = ["--times", "2", "--seed", "monday", "--delay", "0.5"];
  const armed = { id: "P03:fip-timeout-but-applied", times: 2, seed: "monday", delayMs: 500, struck: 0 };
  expect((await slipway.run(["cloud", "arm", "P03", ...options])).result).toMatchObject({ ok: true, armed });
  expect((await slipway.run(["cloud", "faults"])).result).toMatchObject({ armed: [armed] });
  const aimed = ["cloud", "arm", "P13:http-503", "--probability", "0.5", "--target", "/servers"];
  expect((await slipway.run(aimed)).result).toMatchObject({ armed: { probability: 0.5, target: "/servers" } });
  const record = join(slipway.home, "faults.json");
  await writeFile(record, JSON.stringify((await slipway.run(["cloud", "faults"])).result));
  expect((await slipway.run(["cloud", "arm", "--replay", record])).result).toMatchObject({
    armed: [
      { id: "P03:fip-timeout-but-applied", only: [] },
      { id: "P13:http-503", target: "/servers", only: [] },
    ],
  });
  for (const [args, message] of [
    [["arm"], /needs a fault's row or name/],
    [["arm", "P12"], /^P12 means 4 faults$/],
    [["arm", "P03", "--times", "1.5"], /--times needs a whole number/],
    [["arm", "P03", "--probability", "2"], /--probability needs a number/],
    [["arm", "--replay", "/dev/null"], /is no record of faults/],
    [["disarm", "P99"], /^there is no fault P99$/],
  ] as const) {
    const refused = await slipway.run(["cloud", ...args]);
    expect(refused.exitCode).toBe(2);
    expect(refused.result.error).toMatchObject({ code: "E_USAGE", message: expect.stringMatching(message) });
  }
  expect((await slipway.run(["cloud", "disarm"])).result).toMatchObject({
    disarmed: ["P03:fip-timeout-but-applied", "P13:http-503"],
  });
  expect((await slipway.run(["cloud", "faults"])).result).toMatchObject({ armed: [] });
});

it("`cloud clock` freezes and moves the running cloud's time", async () => {
  await slipway.run(["cloud", "start", "--hypervisor", "fake"]);
  const clock = async (...options: string[]) => (await slipway.run(["cloud", "clock", ...options])).result;
  const { time: frozen } = await clock("--freeze", "--boot-time", "1.5");
  expect(frozen).toMatchObject({ frozen: true, bootMs: 1500, stopMs: 0, waiting: 0, next: null });
  const later = new Date(Date.parse(frozen.now) + 60_000).toISOString();
  expect(await clock("--advance", "60")).toMatchObject({ ok: true, time: { now: later, frozen: true } });
  expect((await clock()).time.now).toBe(later);
  expect(await clock("--resume")).toMatchObject({ time: { frozen: false } });
  for (const options of [
    ["--advance", "-1"],
    ["--freeze", "--resume"],
  ]) {
    expect(await clock(...options)).toMatchObject({ ok: false, error: { code: "E_USAGE" } });
  }
});
