import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNspawnHypervisor } from "../../../src/cloud/hypervisors/nspawn/hypervisor.ts";
import { guestObstacles, reasonOf } from "../../../src/cloud/hypervisors/nspawn/probe.ts";
import { isAlive, markOf, type ProcessMark } from "../../../src/cloud/hypervisors/nspawn/processes.ts";
import { ensureGuestImage } from "../../../src/cloud/images/guest-image.ts";
import { removeLeftovers } from "../../../src/cloud/leftovers.ts";
import { createLinuxDataplane } from "../../../src/cloud/network/linux/dataplane.ts";

/** One file per scratch cloud, so that a later run can clean up after a killed one. */
const registry = join(tmpdir(), "slipway-test-clouds");

interface Entry {
  owner: ProcessMark;
  stateDir: string;
}

/** Removes the clouds of test processes that are dead; those of other live runs stay. */
async function reapDeadClouds(): Promise<void> {
  await mkdir(registry, { recursive: true });
  for (const file of await readdir(registry)) {
    const path = join(registry, file);
    const entry = JSON.parse(await readFile(path, "utf8").catch(() => "null")) as Entry | null; // another run may reap it too
    if (entry === null || (await isAlive(entry.owner))) continue;
    await removeLeftovers(file);
    await rm(entry.stateDir, { recursive: true, force: true });
    await rm(path, { force: true });
  }
}

/** Notes a test's cloud, for a later run to clean up after should this one be killed. */
export async function registerCloud(instance: string, stateDir: string): Promise<void> {
  await reapDeadClouds();
  const owner = await markOf(process.pid);
  await writeFile(join(registry, instance), JSON.stringify({ owner, stateDir }));
}

/** Removes everything of a test's cloud, and the note of it. */
export async function removeCloud(instance: string, stateDir: string): Promise<void> {
  await removeLeftovers(instance);
  await rm(stateDir, { recursive: true, force: true });
  await rm(join(registry, instance), { force: true });
}

/** Why real guests cannot run here, for a test's name; undefined where they can. */
export async function whyNoGuests(): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-test-probe-"));
  const obstacles = await guestObstacles(folder).finally(() => rm(folder, { recursive: true, force: true }));
  return obstacles.length === 0 ? undefined : `skipped: ${reasonOf(obstacles)}`;
}

/** A network, a hypervisor and the guest image under an instance id of its own; `remove` deletes its folder and its registration. */
export async function createScratchCloud(options: { egress?: "none" | "nat"; log?: (line: string) => void } = {}) {
  const instance = randomBytes(3).toString("hex");
  const stateDir = await mkdtemp(join(tmpdir(), `slipway-${instance}-`));
  await registerCloud(instance, stateDir);
  const { rootfs } = await ensureGuestImage();
  const images = { pathOf: async () => rootfs };
  const dataplane = await createLinuxDataplane({ instance, stateDir, ...options });
  await dataplane.start();
  const newHypervisor = () => createNspawnHypervisor({ instance, stateDir, images });
  const remove = async () => {
    await dataplane.close?.();
    await removeCloud(instance, stateDir);
  };
  return { instance, stateDir, dataplane, newHypervisor, remove };
}
