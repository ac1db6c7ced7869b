import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { Wake } from "../../src/guest/releasing/wake.ts";
import { agentWaker } from "../../src/serving/frontend/releases/look.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Whether a pause of a minute is over. */
function pausing(wake: Wake): { isOver: () => boolean; over: Promise<void> } {
  let isOver = false;
  const over = wake.pause(60_000).then(() => {
    isOver = true;
  });
  return { isOver: () => isOver, over };
}

it("an agent that pauses is woken by the frontend, also by one that was there while it did not pause", async () => {
  const folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  const wake = new Wake(folder);
  onTestFinished(() => wake.close());
  const ask = agentWaker(folder);
  const first = pausing(wake);
  await sleep(50);
  expect(first.isOver()).toBe(false);
  await ask();
  await first.over;
  await Promise.all([ask(), ask(), ask()]);
  await sleep(50);
  await wake.pause(60_000);
});

it("a folder that comes later, or anew, is watched from the next pause on", async () => {
  const folder = join(temporaryFolder(), "frontend");
  const wake = new Wake(folder);
  onTestFinished(() => wake.close());
  for (let life = 0; life < 2; life++) {
    mkdirSync(folder, { recursive: true });
    await wake.pause(1);
    const pause = pausing(wake);
    await agentWaker(folder)();
    await pause.over;
    rmSync(folder, { recursive: true });
    await sleep(50);
  }
});
