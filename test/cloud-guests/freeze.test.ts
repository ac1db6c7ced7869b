import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { GuestSpec, Hypervisor } from "../../src/cloud/hypervisors/hypervisor.ts";
import { cgroupMode, guestCgroup, instanceGroup } from "../../src/cloud/hypervisors/nspawn/cgroups.ts";
import { isFrozen, thawGroup, whileGroupFrozen } from "../../src/cloud/hypervisors/nspawn/freeze.ts";
import { writeRun } from "../../src/cloud/hypervisors/nspawn/guest-folder.ts";
import { createNspawnHypervisor } from "../../src/cloud/hypervisors/nspawn/hypervisor.ts";
import { markOf, readProcess } from "../../src/cloud/hypervisors/nspawn/processes.ts";
import { pathExists } from "../../src/common/files.ts";

const mode = await cgroupMode();

describe.runIf(process.getuid?.() === 0 && mode.kind === "v1")("guests that are held", () => {
  let instance: string;
  let group: string;
  let guest: ChildProcess;
  beforeEach(async () => {
    if (mode.kind === "unusable") throw new Error(mode.reason);
    instance = randomBytes(3).toString("hex");
    group = instanceGroup(mode, instance);
    await mkdir(group);
    guest = spawn("sh", ["-c", "read word"]); // ends with this process
    await writeFile(join(group, "cgroup.procs"), String(guest.pid));
  });
  afterEach(async () => {
    await thawGroup(group);
    const ended = new Promise((resolve) => guest.once("close", resolve));
    guest.kill("SIGKILL");
    await ended;
    await rmdir(group);
  });
  const events = () => readFile(join(group, "cgroup.events"), "utf8");
  /** The shell that holds the group. */
  async function holder(of = group): Promise<number> {
    for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
      const words = (await readProcess(`/proc/${pid}/cmdline`)).split("\0");
      if (words.includes("slipway-freeze") && words.includes(of)) return Number(pid);
    }
    throw new Error("nobody holds the group");
  }

  it("go on afterwards, unless somebody else holds them", async () => {
    expect(await whileGroupFrozen(group, [], events)).toContain("frozen 1");
    expect(await isFrozen(group)).toBe(false);
    await writeFile(join(group, "cgroup.freeze"), "1");
    await whileGroupFrozen(group, [], async () => undefined);
    expect(await isFrozen(group)).toBe(true);
  });

  it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("go on where who holds them gets %s", async (name) => {
    const held = whileGroupFrozen(group, [], async () => {
      process.kill(await holder(), name);
      return events();
    });
    await expect(held).rejects.toThrow("could not be brought to a standstill");
    expect(await isFrozen(group)).toBe(false);
    await expect.poll(events).toContain("frozen 0");
  });

  describe("by their hypervisor", () => {
    const id = "0123abcd-0000-4000-8000-000000000000";
    let stateDir: string;
    let hypervisor: Hypervisor;
    let held: string;
    let ownGroup: string;
    beforeEach(async () => {
      stateDir = await mkdtemp(join(tmpdir(), "slipway-freeze-"));
      const folder = join(stateDir, "guests", id);
      held = join(folder, "held");
      await mkdir(folder, { recursive: true });
      const supervisor = await markOf(guest.pid ?? 0);
      if (supervisor === undefined || mode.kind === "unusable") throw new Error("no guest runs");
      await writeRun(folder, { supervisor });
      const images = { pathOf: () => Promise.reject(new Error("no image is asked for")) };
      hypervisor = createNspawnHypervisor({ instance, stateDir, images });
      const limits = { memoryBytes: 1, vcpus: 1, processes: 1, blockDevices: [] };
      ownGroup = guestCgroup(mode, instance, id, limits).unified;
      await mkdir(ownGroup);
      await writeFile(join(ownGroup, "cgroup.procs"), String(guest.pid));
    });
    afterEach(async () => {
      await hypervisor.close();
      await thawGroup(ownGroup);
      await writeFile(join(group, "cgroup.procs"), String(guest.pid));
      await rmdir(ownGroup);
      await rm(stateDir, { recursive: true, force: true });
    });

    it("go on where their holder was killed, and stay where they were paused", async () => {
      const still = hypervisor.whileStill?.(id, async () => {
        expect([await isFrozen(ownGroup), await pathExists(held)]).toEqual([true, true]);
        process.kill(await holder(ownGroup), "SIGKILL");
      });
      await expect(still).rejects.toThrow("could not be brought to a standstill");
      expect([await isFrozen(ownGroup), await pathExists(held)]).toEqual([false, false]);
      await hypervisor.pause?.(id);
      await hypervisor.whileStill?.(id, async () => undefined);
      await hypervisor.recover([{ id } as GuestSpec]);
      expect([await isFrozen(ownGroup), await pathExists(held)]).toEqual([true, false]);
    });

    it.each([
      ["the next start", () => hypervisor.recover([{ id } as GuestSpec])],
      ["the next copy", () => hypervisor.whileStill?.(id, async () => undefined)],
    ])("go on by %s where all that held them was killed", async (_, next) => {
      await writeFile(held, "");
      await writeFile(join(ownGroup, "cgroup.freeze"), "1");
      await next();
      expect([await isFrozen(ownGroup), await pathExists(held)]).toEqual([false, false]);
    });
  });
});
