import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, expect, it, onTestFinished, vi } from "vitest";
import { markOf } from "../../src/cloud/hypervisors/nspawn/processes.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import reapDeadRuns from "./reap.ts";
import { Slipway } from "./slipway.ts";

let temporary: string;
beforeEach(() => {
  temporary = temporaryFolder();
  vi.stubEnv("TMPDIR", temporary);
  onTestFinished(() => void vi.unstubAllEnvs());
});

it("a run's folders stay while it lives; those of a dead one go, also where its id is another process's by now", async () => {
  const { projectRoot } = await Slipway.create();
  const { pid, startTime } = (await markOf(process.pid)) ?? {};
  const dead = `slipway-e2e-${pid}-${Number(startTime) - 1}-abcdef`;
  for (const name of [dead, "slipway-e2e-other"]) await mkdir(join(temporary, name));
  await reapDeadRuns();
  expect((await readdir(temporary)).map((name) => join(temporary, name)).sort()).toEqual(
    [projectRoot, join(temporary, "slipway-e2e-other")].sort(),
  );
});

it("the look for what is in the way of real guests leaves nothing", async () => {
  await whyNoGuests();
  expect(await readdir(temporary)).toEqual([]);
});
