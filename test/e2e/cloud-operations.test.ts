import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { readDaemonInfo } from "../../src/cloud/daemon-info.ts";
import { isAlive, markOf, signal } from "../../src/cloud/hypervisors/nspawn/processes.ts";
import { findLeftovers } from "../../src/cloud/leftovers.ts";
import { isErrno } from "../../src/common/errors.ts";
import { run } from "../../src/common/process.ts";
import { waitFor } from "../../src/common/wait.ts";
import { inside } from "./guests/inside.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { askerOf } from "./openstack-http.ts";
import { Slipway } from "./slipway.ts";

const skip = await whyNoGuests();

describe.skipIf(skip !== undefined)(`a cloud with a real guest and its volume (${skip ?? "nspawn"})`, () => {
  let slipway: Slipway;
  let stateDir: string;
  let instance: string;
  let server: string;
  let address: string;

  const cloud = async (...args: string[]) => {
    const { exitCode, result } = await slipway.run(["cloud", ...args]);
    return { exitCode, ...result };
  };

  const ask = (...asked: Parameters<ReturnType<typeof askerOf>>) => askerOf(slipway)(...asked);
  const shell = (script: string) => inside(stateDir, server).inGuest("sh", "-ec", script);
  /** Waits until the guest has come so far that it has its disk, its address and its name. */
  const booted = () =>
    waitFor(
      "the guest to boot",
      () =>
        shell(`test -b /dev/vdb; hostname -I | grep -qF "${address} "; hostname | grep -qx web`).then(
          () => true as const,
          () => undefined,
        ),
      {
        timeoutMs: 60_000,
      },
    );

  beforeAll(async () => {
    slipway = await Slipway.create();
    stateDir = join(slipway.home, "cloud");
    const vendordata = join(slipway.projectRoot, "told.json");
    const told = { "cloud-init": "#cloud-config\nruncmd:\n  - echo all guests > /root/told\n", rack: 7 };
    await writeFile(vendordata, JSON.stringify(told));
    const started = await cloud("start", "--hypervisor", "nspawn", "--vendordata", vendordata);
    expect(started).toMatchObject({ ok: true });
    instance = started.instance;
    const [image] = (await ask("GET", "image", "/v2/images")).images;
    const { flavors } = await ask("GET", "compute", "/flavors");
    const flavorRef = flavors.find(({ name }: { name: string }) => name === "m1.small").id;
    const { network } = await ask("POST", "network", "/v2.0/networks", { network: { name: "net" } });
    const subnet = { network_id: network.id, ip_version: 4, cidr: "10.9.0.0/24" };
    await ask("POST", "network", "/v2.0/subnets", { subnet });
    const body = { name: "web", imageRef: image.id, flavorRef, networks: [{ uuid: network.id }] };
    server = (await ask("POST", "compute", "/servers", { server: body })).server.id;
    const shown = () => ask("GET", "compute", `/servers/${server}`);
    const isActive = async () => ((await shown()).server.status === "ACTIVE" ? true : undefined);
    await waitFor("the server", isActive, { timeoutMs: 60_000 });
    address = (await shown()).server.addresses.net[0].addr;
    const { volume } = await ask("POST", "volumev3", "/volumes", { volume: { size: 1 } });
    const statusOf = async () => (await ask("GET", "volumev3", `/volumes/${volume.id}`)).volume.status;
    const becomes = (status: string) =>
      waitFor(`the volume to be ${status}`, async () => ((await statusOf()) === status ? true : undefined), {
        timeoutMs: 20_000,
      });
    await becomes("available");
    const volumeAttachment = { volumeId: volume.id };
    await ask("POST", "compute", `/servers/${server}/os-volume_attachments`, { volumeAttachment });
    await becomes("in-use");
    await booted();
  });
  afterAll(async () => {
    expect(await slipway?.remove()).toEqual([]);
  });

  it("tells its guests what its operator wants of all of them, and they do it", async () => {
    const done = () => shell("cat /root/told").catch(() => undefined);
    expect(await waitFor("what all guests shall do", done, { timeoutMs: 60_000 })).toBe("all guests\n");
  });

  it("is kept with what the guest has written, while that stands still, and brought back with its address", async () => {
    await shell("mkfs.ext4 -q /dev/vdb; mount /dev/vdb /mnt; echo kept > /mnt/file; echo kept > /root/file");
    await shell("ln /root/file /root/second; mkdir /root/d; rm -rf /usr/share/doc/adduser; mkfifo /root/fifo");
    const pid = await shell(
      "nohup sh -c 'while :; do date +%s.%N >> /root/beats; sleep 0.05; done' > /dev/null 2>&1 & echo $!",
    );
    const made = await cloud("snapshot", "one");
    expect(made).toMatchObject({ ok: true, snapshot: { servers: 1 } });
    const beats = Number(await shell("wc -l < /root/beats"));
    await expect.poll(async () => Number(await shell("wc -l < /root/beats"))).toBeGreaterThan(beats); // it goes on
    await shell(`kill ${pid.trim()}; echo later > /mnt/file; echo later > /root/file; sync`);
    expect(await cloud("restore", "one", "--yes")).toMatchObject({ ok: true });
    await booted();
    expect(await shell("mount /dev/vdb /mnt; cat /mnt/file /root/file /root/second")).toBe("kept\nkept\nkept\n");
    expect(
      await shell("stat -c %h /root/file; test -p /root/fifo; test ! -e /usr/share/doc/adduser; test -d /root/d"),
    ).toBe("2\n");
    await shell("umount /mnt");
  });

  it("lets into its guest by the server's name", async () => {
    const { stdout, exitCode } = await slipway.print([
      "cloud",
      "shell",
      "web",
      "--",
      "cat /root/file; hostname; exit 3",
    ]);
    expect({ stdout, exitCode }).toEqual({ stdout: "kept\nweb\n", exitCode: 3 });
  });

  it("has its NICs under names of their own, whatever was plugged in before them", async () => {
    const plugIn = async (cidr: string): Promise<string> => {
      const { network } = await ask("POST", "network", "/v2.0/networks", { network: { name: cidr } });
      await ask("POST", "network", "/v2.0/subnets", { subnet: { network_id: network.id, ip_version: 4, cidr } });
      const body = { interfaceAttachment: { net_id: network.id } };
      return (await ask("POST", "compute", `/servers/${server}/os-interface`, body)).interfaceAttachment.port_id;
    };
    const pullOut = (port: string) => ask("DELETE", "compute", `/servers/${server}/os-interface/${port}`);
    const macOf = async (port: string): Promise<string> =>
      (await ask("GET", "network", `/v2.0/ports/${port}`)).port.mac_address;
    const seen = () => shell("cd /sys/class/net; for nic in ens*; do echo $nic $(cat $nic/address); done");
    const [first, second] = [await plugIn("10.10.0.0/24"), await plugIn("10.11.0.0/24")];
    const firstMac = await macOf(first);
    await pullOut(first);
    const third = await plugIn("10.12.0.0/24");
    const [secondMac, thirdMac] = [await macOf(second), await macOf(third)];
    await expect
      .poll(seen, { timeout: 20_000 })
      .toMatch(new RegExp(`^ens3 .*\nens4 ${thirdMac}\nens5 ${secondMac}\n$`));
    expect(await seen()).not.toContain(firstMac);
    for (const port of [second, third]) await pullOut(port);
    await expect.poll(seen, { timeout: 20_000 }).toMatch(/^ens3 \S+\n$/);
  });

  it("has its networks again after whatever is done with it", async () => {
    const [image] = (await ask("GET", "image", "/v2/images")).images;
    const { flavors } = await ask("GET", "compute", "/flavors");
    const [flavorRef, larger] = ["m1.tiny", "m1.small"].map(
      (wanted) => flavors.find(({ name }: { name: string }) => name === wanted).id,
    );
    const [network] = (await ask("GET", "network", "/v2.0/networks?name=net")).networks;
    const body = { name: "other", imageRef: image.id, flavorRef, networks: [{ uuid: network.id }] };
    const { id } = (await ask("POST", "compute", "/servers", { server: body })).server;
    const shown = async () => (await ask("GET", "compute", `/servers/${id}`)).server;
    const isNow = async (status: string) => {
      await expect.poll(async () => (await shown()).status, { timeout: 60_000 }).toBe(status);
      await expect.poll(async () => (await shown())["OS-EXT-STS:task_state"], { timeout: 60_000 }).toBeNull();
    };
    const addressed = async () => {
      const ip: string = (await shown()).addresses.net[0].addr;
      // one that boots still overhears that it is to shut down
      const script = "systemctl is-active -q multi-user.target && hostname -I";
      const has = () =>
        inside(stateDir, id)
          .inGuest("sh", "-c", script)
          .catch(() => "");
      await expect.poll(has, { timeout: 60_000 }).toContain(ip);
    };
    const act = (action: object) => ask("POST", "compute", `/servers/${id}/action`, action);
    await isNow("ACTIVE");
    await addressed();
    const actions: [does: object, status: string, undoes?: object][] = [
      [{ rebuild: { imageRef: image.id } }, "ACTIVE"],
      [{ reboot: { type: "HARD" } }, "ACTIVE"],
      [{ shelve: null }, "SHELVED_OFFLOADED", { unshelve: null }],
      [{ "os-stop": null }, "SHUTOFF", { "os-start": null }],
      [{ pause: null }, "PAUSED", { unpause: null }],
      [{ suspend: null }, "SUSPENDED", { resume: null }],
      [{ rescue: null }, "RESCUE", { unrescue: null }],
      [{ resize: { flavorRef: larger } }, "VERIFY_RESIZE", { revertResize: null }],
      [{ resize: { flavorRef: larger } }, "VERIFY_RESIZE", { confirmResize: null }],
    ];
    for (const [does, status, undoes] of actions) {
      await act(does);
      await isNow(status);
      if (["RESCUE", "VERIFY_RESIZE"].includes(status)) await addressed();
      if (undoes !== undefined) await act(undoes);
      await isNow("ACTIVE");
      await addressed();
    }
    await ask("DELETE", "compute", `/servers/${id}`);
    const gone = () =>
      shown().then(
        () => false,
        () => true,
      );
    await expect.poll(gone, { timeout: 60_000 }).toBe(true);
  });

  /** Ends everything of the cloud with no chance to tidy up: its process, its guests' supervisors, and all that runs in them. */
  async function killEverything(): Promise<void> {
    const info = await readDaemonInfo(stateDir);
    const daemon = await markOf(info?.pid ?? Number.NaN);
    if (daemon === undefined) throw new Error("there is no daemon to kill");
    await signal(daemon, "SIGKILL");
    const found = await findLeftovers(instance);
    for (const { kind, name } of found) {
      if (kind === "process") await kill(Number.parseInt(name, 10));
    }
    for (const { kind, name } of found) {
      if (kind === "cgroup") await writeFile(join(name, "cgroup.kill"), "1").catch(() => undefined); // v1 groups have none
    }
    const isGone = async () => {
      const running = (await findLeftovers(instance)).filter(({ kind }) => kind === "process");
      return running.length === 0 && !(await isAlive(daemon)) ? true : undefined;
    };
    await waitFor("everything to end", isGone, { timeoutMs: 20_000, intervalMs: 20 });
    await sleep(100); // what was in the guests' groups is reaped by the kernel
  }

  async function kill(pid: number): Promise<void> {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (!isErrno(error, "ESRCH")) throw error; // its supervisor went, and took it along
    }
  }

  const kindsLeft = async () => [...new Set((await findLeftovers(instance)).map(({ kind }) => kind))].toSorted();
  const ours = (clouds: { tag: string }[]) => clouds.find(({ tag }) => tag === instance);

  it("is let be by the doctor while it runs, and while its guests do; and strangers' things are too", async () => {
    const stranger = "sw-core1-ext";
    await run("ip", ["netns", "add", stranger]);
    onTestFinished(() => run("ip", ["netns", "delete", stranger]).then(() => undefined));
    const before = await findLeftovers(instance);
    const { clouds } = await cloud("doctor");
    expect(ours(clouds)).toMatchObject({ condition: "running", removable: [] });
    expect(clouds.find(({ tag }: { tag: string }) => tag === "core1")).toMatchObject({
      condition: "unknown",
      removable: [],
    });
    await cloud("stop");
    expect(ours((await cloud("doctor")).clouds)).toMatchObject({ condition: "stopped", removable: [] });
    expect(await findLeftovers(instance)).toEqual(before);
    expect((await run("ip", ["netns", "list"])).stdout).toContain(stranger);
    expect(await shell("cat /root/file")).toBe("kept\n");
    expect(await cloud("start")).toMatchObject({ ok: true });
  });

  it("is cleared away by the doctor where nothing of it runs any more, and comes back as it was", async () => {
    await killEverything();
    expect(await kindsLeft()).toEqual(
      expect.arrayContaining(["cgroup", "link", "loop", "mount", "namespace", "range"]),
    );
    const told = await cloud("doctor", "--dry-run");
    expect(told).toMatchObject({ exitCode: 9, error: { code: "E_LEFTOVERS" } });
    expect(told.error.details.join("\n")).toContain(`namespace sw-${instance}-ext`);
    expect(await kindsLeft()).toContain("namespace"); // only told
    const cleared = await cloud("doctor");
    expect(cleared).toMatchObject({ exitCode: 0, ok: true });
    expect(ours(cleared.clouds)).toMatchObject({ condition: "dead" });
    expect(await kindsLeft()).toEqual(["range"]);
    expect(await cloud("start")).toMatchObject({ ok: true, instance });
    await booted();
    expect(await shell("mount /dev/vdb /mnt; cat /mnt/file /root/file; umount /mnt")).toBe("kept\nkept\n");
  });

  it("is cleared away whole where its state is gone too", async () => {
    await killEverything();
    await run("umount", ["--recursive", "--lazy", join(stateDir, "guests", server, "root")]);
    await rm(slipway.home, { recursive: true });
    expect(ours((await cloud("doctor")).clouds)).toMatchObject({ condition: "gone" });
    expect(await findLeftovers(instance)).toEqual([]);
    expect((await cloud("doctor", "--dry-run")).clouds.filter(({ tag }: { tag: string }) => tag === instance)).toEqual(
      [],
    );
  });
});
