import { readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { destroyCloud } from "../../src/cloud/control.ts";
import { isAlive } from "../../src/cloud/hypervisors/nspawn/processes.ts";
import { makerOf } from "./slipway.ts";

/** Before the tests: ends the clouds that an earlier run left because it was killed. Runs that are under way are let be. */
export default async function reapDeadRuns(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const maker = makerOf(name);
    if (maker === undefined || (await isAlive(maker))) continue;
    const folder = join(tmpdir(), name);
    const { left } = await destroyCloud(join(folder, ".slipway", "cloud"));
    if (left.length > 0) throw new Error(`${folder}: an earlier run left ${left.map((one) => one.name).join(", ")}`);
    await rm(folder, { recursive: true, force: true });
  }
}
