import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  cgroupMode,
  prepareCgroup,
  removeCgroup,
  scopeCommand,
  v1Settings,
} from "../../src/cloud/hypervisors/nspawn/cgroups.ts";
import { lastLines, readableText, readConsole } from "../../src/cloud/hypervisors/nspawn/console.ts";
import { CpuTurns, cpusIn } from "../../src/cloud/hypervisors/nspawn/cpus.ts";
import { writeConfigDrive } from "../../src/cloud/hypervisors/nspawn/guest-folder.ts";
import { type Launch, nspawnCommand, supervisorCommand } from "../../src/cloud/hypervisors/nspawn/launch.ts";
import { overlayOptions, parseMountinfo } from "../../src/cloud/hypervisors/nspawn/overlay.ts";
import { isAlive, markOf } from "../../src/cloud/hypervisors/nspawn/processes.ts";
import { tagIn } from "../../src/cloud/network/linux/names.ts";
import { filesBelow, readTextIfExists } from "../../src/common/files.ts";
import { run } from "../../src/common/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "guest-process-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const launch = (): Launch => ({
  name: "sw-cloud1-bbbbbbbb",
  root: "/guests/b/root",
  cpus: [1],
  netns: "/run/netns/sw-cloud1-g-bbbbbbbb",
  cgroupProcs: [],
  disks: join(folder, "disks"),
  unifiedCgroup: join(folder, "no-such-group"),
  binds: [],
  wrapper: [],
  pidFile: join(folder, "pid"),
  exitFile: join(folder, "exit"),
});

describe("the guest's command line", () => {
  it("enters the guest's network before nspawn starts", () => {
    const words = nspawnCommand(launch());
    expect(words.slice(0, 3)).toEqual(["nsenter", "--net=/run/netns/sw-cloud1-g-bbbbbbbb", "systemd-nspawn"]);
    expect(words).toEqual(
      expect.arrayContaining(["--console=read-only", "--resolv-conf=off", "--keep-unit", "--register=no"]),
    );
    expect(words.join(" ")).not.toMatch(/--network|--capability=all/);
  });

  it("is a delegated scope with limits where systemd owns the cgroups", () => {
    const words = scopeCommand("sw-cloud1-b", "slipway-cloud1.slice", {
      memoryBytes: 2 ** 30,
      vcpus: 2,
      processes: 100,
      blockDevices: ["7:3"],
    });
    expect(words.slice(0, 2)).toEqual(["systemd-run", "--scope"]);
    for (const property of [
      "Delegate=yes",
      "MemoryMax=1073741824",
      "CPUQuota=200%",
      "TasksMax=100",
      "DevicePolicy=closed",
    ]) {
      expect(words).toContain(property);
    }
  });

  it("denies every device before it allows some, where cgroup v1 limits them", () => {
    const { devices, cpu } = v1Settings({ memoryBytes: 1, vcpus: 2, processes: 1, blockDevices: ["7:3"] });
    expect(devices[0]).toEqual(["devices.deny", "a"]);
    expect(devices.slice(1).every(([file]) => file === "devices.allow")).toBe(true);
    expect(devices.filter(([, value]) => value.startsWith("b"))).toEqual([["devices.allow", "b 7:3 rwm"]]);
    expect(cpu).toContainEqual(["cpu.cfs_quota_us", "200000"]);
  });
});

const mode = await cgroupMode();

describe.skipIf(mode.kind !== "v1" || process.getuid?.() !== 0)("a guest's weight", () => {
  it("is that of as many processes as it has CPUs, and all guests of a cloud weigh what they do together", async () => {
    const instance = randomBytes(3).toString("hex");
    const shares = async () => (await readTextIfExists(`/sys/fs/cgroup/cpu/slipway-${instance}/cpu.shares`))?.trim();
    const prepare = (id: string, vcpus: number) =>
      prepareCgroup(mode, instance, id, { memoryBytes: 2 ** 29, vcpus, processes: 100, blockDevices: [] });
    try {
      await Promise.all([prepare("one", 1), prepare("two", 2), prepare("three", 1)]);
      expect(await shares()).toBe("4096");
      await removeCgroup(mode, instance, "two");
      expect(await shares()).toBe("2048");
    } finally {
      for (const id of ["one", "two", "three"]) await removeCgroup(mode, instance, id);
    }
    expect(await shares()).toBeUndefined();
  });
});

describe("a guest's CPUs", () => {
  it("are as many as its flavor says, and others than those of the guest before", () => {
    const turns = new CpuTurns();
    const machine = cpusIn("0-2,5");
    expect(machine).toEqual([0, 1, 2, 5]);
    expect([turns.take(1, machine), turns.take(2, machine), turns.take(2, machine)]).toEqual([[0], [1, 2], [0, 5]]);
    expect(turns.take(8, machine)).toEqual(machine); // more than there are
    expect(nspawnCommand(launch())).toContain("--cpu-affinity=1");
  });
});

describe("the supervisor", () => {
  /** The supervisor's own command line with another program in the guest's place. */
  const supervise = async (...guest: string[]) => {
    const [command, ...words] = supervisorCommand(launch());
    await run(command as string, [...words.slice(0, words.indexOf("nsenter")), ...guest]);
  };

  it("starts a guest again that rebooted (status 133), and records how it ended for good", async () => {
    const count = join(folder, "count");
    await supervise("sh", "-c", `echo x >> ${count}; [ "$(wc -l < ${count})" -ge 3 ] && exit 7; exit 133`);
    expect((await readFile(count, "utf8")).trim().split("\n")).toHaveLength(3);
    expect(await readFile(join(folder, "exit"), "utf8")).toBe("7\n");
  });

  it("tells the process id of the guest while it runs", async () => {
    const copy = join(folder, "copy");
    await supervise("sh", "-c", `sleep 0.2; cp ${join(folder, "pid")} ${copy}; echo $$ > ${copy}.own`);
    expect(await readFile(copy, "utf8")).toBe(await readFile(`${copy}.own`, "utf8"));
  });
});

describe("a supervisor under systemd", () => {
  it("lets each scope open the loop devices that the guest's volumes have when it starts", async () => {
    const bin = join(folder, "bin");
    const { disks } = launch();
    const told = join(folder, "told");
    await mkdir(bin);
    await mkdir(disks);
    await writeFile(join(disks, "vdb"), "");
    const program = (name: string, lines: string) =>
      writeFile(join(bin, name), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
    await program("losetup", 'case "$5" in */vdb) echo /dev/loop3;; */vdc) echo /dev/loop4;; esac');
    // in systemd-run's place: notes its arguments, plugs a disk in, and has the guest reboot once
    await program("systemd-run", `echo "$*" >> ${told}; [ ! -e ${disks}/vdc ] || exit 0; touch ${disks}/vdc; exit 133`);
    const [command, ...words] = supervisorCommand({ ...launch(), wrapper: ["systemd-run", "--scope"] });
    await run(command as string, words, { env: { PATH: `${bin}:${process.env.PATH}` } });
    expect((await readFile(told, "utf8")).split("\n").map((line) => line.split(" nsenter")[0])).toEqual([
      "--property=DeviceAllow=/dev/loop3 --scope",
      "--property=DeviceAllow=/dev/loop3 --property=DeviceAllow=/dev/loop4 --scope",
      "",
    ]);
  });
});

describe("a process mark", () => {
  it("knows this process, and not another with its id", async () => {
    const mark = await markOf(process.pid);
    expect(mark?.pid).toBe(process.pid);
    expect(await isAlive(mark as NonNullable<typeof mark>)).toBe(true);
    expect(await isAlive({ pid: process.pid, startTime: "1" })).toBe(false);
    expect(await markOf(2 ** 22 + 1)).toBeUndefined();
  });
});

describe("console text", () => {
  it("has no escape codes and no control characters", () => {
    expect(readableText("\u001b[0;32m  OK  \u001b[0m a\r\nb\u0007\u001b]0;title\u0007c\td")).toBe("  OK   a\nbc\td");
  });

  it("is cut to its last lines", () => {
    // as Nova counts: behind the last end of a line there is one more, which is empty
    expect(lastLines("a\nb\nc\n", 2)).toBe("c\n");
    expect(lastLines("a\nb", 5)).toBe("a\nb");
    expect(lastLines("a\nb\n", 0)).toBe("");
    expect(lastLines("a\nb\n")).toBe("a\nb\n");
  });

  it("is empty for a guest that never ran", async () => {
    expect(await readConsole(join(folder, "none.log"))).toBe("");
  });
});

describe("a guest's disk", () => {
  it.skipIf(process.platform !== "linux")("holds the config drive where cloud-init looks for it", async () => {
    const root = temporaryFolder();
    await writeConfigDrive(root, { "openstack/latest/user_data": "#cloud-config\n" });
    const seed = join(root, "var/lib/cloud/seed/config_drive");
    expect(await readFile(join(seed, "openstack/latest/user_data"), "utf8")).toBe("#cloud-config\n");
    expect((await stat(seed)).mode & 0o777).toBe(0o700);
    await writeConfigDrive(root, { "openstack/latest/meta_data.json": "{}" });
    expect(await filesBelow(seed)).toEqual(["openstack/latest/meta_data.json"]);
    await expect(writeConfigDrive(root, { "../../../../etc/passwd": "x" })).rejects.toThrow(/outside/);
  });

  it("is an overlay over the image; paths that the option cannot hold are refused", () => {
    const paths = { lower: "/l", upper: "/u", work: "/w", target: "/t" };
    expect(overlayOptions(paths)).toBe("lowerdir=/l,upperdir=/u,workdir=/w");
    expect(() => overlayOptions({ ...paths, lower: "/a:b" })).toThrow(/\/a:b/);
  });

  it("is found among the mounts", () => {
    const line = "41 25 0:35 / /tmp/a\\040b/root rw,relatime shared:7 - overlay sw-cloud1-bbbbbbbb rw,lowerdir=/x";
    expect(parseMountinfo(`${line}\n`)).toEqual([
      { target: "/tmp/a b/root", source: "sw-cloud1-bbbbbbbb", type: "overlay" },
    ]);
  });
});

describe("a guest's volumes", () => {
  it("are told from other people's loop devices by their files' names", () => {
    expect(tagIn("sw-cloud1-bbbbbbbb-vdb")).toBe("cloud1");
    expect(tagIn("volume.img")).toBeUndefined();
  });
});
