import { mkdir, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GuestDisk, GuestSpec, Hypervisor } from "../../src/cloud/hypervisors/hypervisor.ts";
import { listLoops } from "../../src/cloud/hypervisors/nspawn/loops.ts";
import { ensureGuestImage } from "../../src/cloud/images/guest-image.ts";
import { findLeftovers } from "../../src/cloud/leftovers.ts";
import { copySparse, imageToDisk } from "../../src/cloud/volume/contents.ts";
import { namesIn } from "../../src/common/files.ts";
import { run } from "../../src/common/process.ts";
import { waitFor } from "../../src/common/wait.ts";
import { anyEgress, ids, oneGuest, onePlan } from "./guests/fixtures.ts";
import { inside } from "./guests/inside.ts";
import { createScratchCloud, whyNoGuests } from "./guests/scratch-cloud.ts";

const skipReason = await whyNoGuests();
const gib = 1024 ** 3;

describe.skipIf(skipReason !== undefined)(`volumes of a real guest (${skipReason ?? "nspawn"})`, () => {
  let cloud: Awaited<ReturnType<typeof createScratchCloud>>;
  let hypervisor: Hypervisor;
  let data: GuestDisk;
  let more: GuestDisk;
  const spec = (disks: GuestDisk[]) => ({ ...oneGuest("#cloud-config\n"), disks });
  const boot = async (disks: GuestDisk[], more: Partial<GuestSpec> = {}) => {
    const address = (last: number) => cloud.dataplane.external.cidr.replace(/0\/24$/, String(last));
    await cloud.dataplane.apply(onePlan({ routerIp: address(10), floatingIp: address(100) }, [anyEgress]));
    await hypervisor.boot({ ...spec(disks), ...more });
  };
  const guest = () => inside(cloud.stateDir, ids.server);
  const shell = (script: string) => guest().shell(script);
  /** Asks until the guest answers so: it may be booting. */
  const untilInGuest = (script: string) =>
    waitFor(`the guest to do: ${script}`, () => shell(script).catch(() => undefined), { timeoutMs: 60_000 });
  const loopsOfCloud = async () =>
    (await listLoops()).filter(({ backingFile }) => backingFile.startsWith(cloud.stateDir));

  const newVolume = async (name: string, bytes: number) => {
    const folder = join(cloud.stateDir, "volumes");
    await mkdir(folder, { recursive: true });
    const path = join(folder, name);
    const file = await open(path, "w");
    await file.truncate(bytes).finally(() => file.close());
    return path;
  };

  /** A copy of mounted volumes holds what the guest wrote a moment ago, of all of them at one moment, and the guest goes on behind it. */
  const expectMoment = async (copied: { path: string; mount: string; file: string }[]) => {
    const ticking = "while :; do echo >> /root/ticking; sleep 0.01; done";
    await shell(`mkdir -p /data; mount /dev/vdb /data; systemd-run --quiet --unit=ticking sh -c '${ticking}'`);
    const ticks = async () => (await stat(join(cloud.stateDir, "guests", ids.server, "root/root/ticking"))).size;
    await untilInGuest("test -s /root/ticking");
    for (const { mount, file } of copied) await shell(`echo unflushed > ${mount}${file}`);
    const moment = hypervisor.whileStill?.(ids.server, async () => {
      const first = await ticks();
      for (const { path } of copied) await copySparse(path, `${path}.copy`);
      return [first, await ticks()];
    });
    const [before, after] = (await moment) ?? [];
    expect(before).toBeGreaterThan(0);
    expect(after).toBe(before);
    await waitFor("the guest to go on", async () => ((await ticks()) === after ? undefined : true), {
      timeoutMs: 30_000,
    });
    for (const { path, file } of copied) {
      await run("sh", ["-ec", 'e2fsck -fp "$0" || [ $? -eq 1 ]', `${path}.copy`]); // what the journal has goes to its place
      expect((await run("debugfs", ["-R", `cat ${file}`, `${path}.copy`])).stdout).toBe("unflushed\n");
    }
    await hypervisor.pause?.(ids.server);
    await hypervisor.whileStill?.(ids.server, async () => undefined);
    const paused = await ticks();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await ticks()).toBe(paused);
    await hypervisor.unpause?.(ids.server);
    await shell("systemctl stop ticking; umount /data");
  };

  beforeAll(async () => {
    cloud = await createScratchCloud();
    hypervisor = cloud.newHypervisor();
    data = { device: "vdb", path: await newVolume("data", gib) };
    more = { device: "vdc", path: await newVolume("more", 2 * gib) };
    await boot([]);
    await untilInGuest("systemctl is-active sysinit.target");
  });
  afterAll(async () => {
    await hypervisor?.close();
    await cloud?.remove();
  });

  it("are no disk before they are attached; the machine's own disks never are", async () => {
    expect(
      await shell("lsblk --noheadings; ls /sys/block /sys/class/block /sys/dev/block /dev/disk 2>&1 || true"),
    ).not.toMatch(/vd|loop|sd|nvme/);
    await expect(shell("mknod /root/disk b 7 0")).rejects.toThrow(/not permitted/);
  });

  it("appear under the name and with the size that the cloud says, and hold a file system", async () => {
    await hypervisor.attachDisk(ids.server, data);
    expect(await shell("lsblk -dno NAME,SIZE,TYPE /dev/vdb; lsblk -dno NAME; stat -c %A:%U:%G /dev/vdb")).toBe(
      "vdb    1G disk\nvdb\nbrw-rw----:root:disk\n",
    );
    expect(await shell("runuser -u nobody -- lsblk -dno NAME,SIZE /dev/vdb")).toBe("vdb    1G\n");
    await shell("mkfs.ext4 -q -L data /dev/vdb; mkdir -p /data; echo /dev/vdb /data ext4 nofail 0 0 >> /etc/fstab");
    await shell("mount LABEL=data /data; echo kept > /data/file; sync");
    expect(await shell("findmnt -no SOURCE,FSTYPE /data; cat /data/file")).toMatch(/^\/dev\/vdb\s+ext4\nkept\n$/);
  });

  it("are attached once, however often that is asked", async () => {
    await hypervisor.attachDisk(ids.server, data);
    expect(await loopsOfCloud()).toHaveLength(1);
    expect(await shell("cat /data/file")).toBe("kept\n");
  });

  it("stay in while the guest uses them, and go once it does not", async () => {
    await expect(hypervisor.detachDisk(ids.server, "vdb")).rejects.toThrow("the guest still uses /dev/vdb");
    expect(await shell("echo more >> /data/file; lsblk -dno NAME")).toBe("vdb\n");
    await shell("umount /data");
    await hypervisor.detachDisk(ids.server, "vdb");
    expect(await shell("lsblk -dno NAME; ls /dev | grep vd || true")).toBe("");
    expect(await loopsOfCloud()).toEqual([]);
    await hypervisor.detachDisk(ids.server, "vdb"); // once more changes nothing
    expect((await run("blkid", ["--probe", "-s", "LABEL", "-o", "value", data.path])).stdout).toBe("data\n");
  });

  it("cannot be opened after they are gone, by a node that the guest made itself", async () => {
    await hypervisor.attachDisk(ids.server, data);
    await shell("cp -a /dev/vdb /root/own-node; dd if=/root/own-node of=/dev/null count=1");
    await hypervisor.detachDisk(ids.server, "vdb");
    await expect(shell("dd if=/root/own-node of=/dev/null count=1")).rejects.toThrow("Operation not permitted");
  });

  it("grow while they are in use", async () => {
    const path = await newVolume("growing", gib);
    const growing = { device: "vdd", path };
    await hypervisor.attachDisk(ids.server, growing);
    await shell("mkfs.ext4 -q /dev/vdd; mkdir -p /grown; mount /dev/vdd /grown");
    const file = await open(path, "r+");
    await file.truncate(2 * gib).finally(() => file.close());
    await hypervisor.growDisk(ids.server, growing);
    expect(await shell("lsblk -dno SIZE /dev/vdd")).toMatch(/^\s*2G\n$/);
    await shell(
      "umount /grown; e2fsck -fp /dev/vdd >/dev/null; resize2fs /dev/vdd >/dev/null 2>&1; mount /dev/vdd /grown",
    );
    expect(await shell("df --output=size -BG /grown | tail -1; umount /grown")).toMatch(/^\s*2G\n$/);
    await hypervisor.detachDisk(ids.server, "vdd");
  });

  it("leave nothing behind that the guest's root did to them: partitions, a loop device taken off its file", async () => {
    const scratch = { device: "vdd", path: await newVolume("scratch", gib) };
    await hypervisor.attachDisk(ids.server, scratch);
    await shell("printf 'label: gpt\\n,,L\\n' | sfdisk --quiet /dev/vdd || true; partx --add /dev/vdd");
    const [loop] = await loopsOfCloud();
    const partitions = async () => (await namesIn(`/sys/block/${loop?.name}`)).filter((name) => /^loop\d+p/.test(name));
    expect(await partitions()).toHaveLength(1);
    await hypervisor.detachDisk(ids.server, "vdd");
    expect(await partitions()).toEqual([]);
    await hypervisor.attachDisk(ids.server, scratch);
    await shell("cp -a /dev/vdd /root/taken; losetup --detach /dev/vdd");
    await hypervisor.detachDisk(ids.server, "vdd");
    expect(await shell("ls /dev | grep vd || true; lsblk -dno NAME")).toBe("");
    await expect(shell("dd if=/root/taken of=/dev/null count=1")).rejects.toThrow("Operation not permitted");
  });

  it("are there again after a reboot from inside, with no daemon to help", async () => {
    await hypervisor.attachDisk(ids.server, data);
    await hypervisor.attachDisk(ids.server, more);
    await hypervisor.close();
    await guest().reboot();
    await untilInGuest("cat /data/file");
    expect(await shell("cat /data/file; lsblk -dno NAME,SIZE | sort; stat -c %A:%U:%G /dev/vdb")).toBe(
      "kept\nmore\nvdb    1G\nvdc    2G\nbrw-rw----:root:disk\n",
    );
    hypervisor = cloud.newHypervisor();
    await hypervisor.recover([spec([data, more])]);
    await hypervisor.detachDisk(ids.server, "vdc");
    expect(await shell("lsblk -dno NAME")).toBe("vdb\n");
    await expect(shell("dd if=/dev/vdc of=/dev/null count=1")).rejects.toThrow();
  });

  it("take no loop device while the guest is stopped, and come with the next boot", async () => {
    await hypervisor.stop(ids.server, { soft: true, timeoutMs: 60_000 });
    expect(await loopsOfCloud()).toEqual([]);
    await boot([more, data]);
    await untilInGuest("cat /data/file");
    expect(
      await shell("lsblk -dno NAME,SIZE | sort; dd if=/dev/vdc of=/dev/null count=1 2>&1 | tail -1 | grep -c copied"),
    ).toBe("vdb    1G\nvdc    2G\n1\n");
  });

  it("are found as leftovers of this cloud alone, and outlive the guest", async () => {
    const loops = async (instance: string) => (await findLeftovers(instance)).filter(({ kind }) => kind === "loop");
    expect(await loops(cloud.instance)).toHaveLength(2);
    expect(await loops("other")).toEqual([]);
    await hypervisor.destroy(ids.server);
    expect(await loops(cloud.instance)).toEqual([]);
    expect((await stat(data.path)).size).toBe(gib);
  });

  it("are what a guest runs from, with all that another one wrote there, as large as they have become", async () => {
    await hypervisor.destroy(ids.server);
    const path = join(cloud.stateDir, "volumes", "root");
    const image = { id: "image", path: (await ensureGuestImage()).rootfs, diskFormat: null };
    await imageToDisk(image, path, 2);
    const rootDisk = { device: "vda", path };
    const bootFrom = async (instanceId: string) => {
      const metadata = JSON.stringify({ uuid: instanceId, hostname: "web", name: "web" });
      const { configDrive } = oneGuest("#cloud-config\nruncmd: [echo once >> /root/runs]\n");
      configDrive["openstack/latest/meta_data.json"] = metadata;
      await boot([data], { imageId: "", rootDisk, configDrive });
      await untilInGuest("cloud-init status --wait >/dev/null; test -s /root/runs");
    };
    await bootFrom("5e4e4e40-0000-4000-8000-00000000000a");
    expect(
      await shell("findmnt -no FSTYPE,SIZE / | tr -s ' '; lsblk -dno NAME; test -b /dev/vda || echo none"),
    ).toMatch(/^ext4 1\.9G\nvdb\nnone\n$/);
    await shell("echo mine > /root/mine");
    await expectMoment([
      { path, mount: "/", file: "/root/late" },
      { path: data.path, mount: "/data", file: "/late" },
    ]);
    const file = await open(path, "r+");
    await file.truncate(3 * gib).finally(() => file.close());
    await hypervisor.growDisk(ids.server, rootDisk);
    // its guest is killed and gone; the next one has another id, so that its cloud-init does everything anew
    await hypervisor.destroy(ids.server);
    expect(await loopsOfCloud()).toEqual([]);
    await bootFrom("5e4e4e40-0000-4000-8000-00000000000b");
    expect(await shell("cat /root/mine /root/runs; findmnt -no SIZE / | tr -d ' '")).toBe("mine\nonce\nonce\n2.9G\n");
    expect((await findLeftovers(cloud.instance)).filter(({ kind }) => kind === "mount")).toHaveLength(1);
    await hypervisor.stop(ids.server, { soft: true, timeoutMs: 60_000 });
    expect(await loopsOfCloud()).toEqual([]);
    expect((await run("e2fsck", ["-fn", path])).stdout).toContain("root: ");
    await expect(boot([], { rootDisk: { device: "vda", path: more.path } })).rejects.toThrow(
      "The volume holds no ext4 file system, which is what container guests run from.",
    );
    await hypervisor.destroy(ids.server);
  });

  it("are released when a cloud is torn down whose daemon is dead", async () => {
    await boot([data]);
    await untilInGuest("ls /dev/vdb");
    await hypervisor.close();
    await cloud.remove();
    expect(await findLeftovers(cloud.instance)).toEqual([]);
    expect(await loopsOfCloud()).toEqual([]);
  });
});
