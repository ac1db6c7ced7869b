import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readDaemonInfo } from "../../src/cloud/daemon-info.ts";
import { listLoops } from "../../src/cloud/hypervisors/nspawn/loops.ts";
import { isAlive, markOf, signal } from "../../src/cloud/hypervisors/nspawn/processes.ts";
import { waitFor } from "../../src/common/wait.ts";
import { inside } from "./guests/inside.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { askerOf } from "./openstack-http.ts";
import { Slipway } from "./slipway.ts";

const skip = await whyNoGuests();

/** A cloud with one server and one volume. */
class OneServer {
  readonly slipway: Slipway;
  server = "";
  volume = "";

  constructor(slipway: Slipway) {
    this.slipway = slipway;
  }

  static async create(): Promise<OneServer> {
    const one = new OneServer(await Slipway.create());
    await one.start();
    const [image] = (await one.ask("GET", "image", "/v2/images")).images;
    const { flavors } = await one.ask("GET", "compute", "/flavors");
    const flavorRef = flavors.find((flavor: { name: string }) => flavor.name === "m1.small").id;
    const server = { name: "holder", imageRef: image.id, flavorRef, networks: "none" };
    one.server = (await one.ask("POST", "compute", "/servers", { server })).server.id;
    one.volume = (await one.ask("POST", "volumev3", "/volumes", { volume: { size: 1 } })).volume.id;
    await waitFor("the server", async () => ((await one.serverStatus()) === "ACTIVE" ? true : undefined), {
      timeoutMs: 60_000,
    });
    return one;
  }

  async start(): Promise<void> {
    const { result } = await this.slipway.run(["cloud", "start", "--hypervisor", "nspawn"]);
    expect(result).toMatchObject({ ok: true });
  }

  /** Ends the daemon with no chance to tidy up, and returns when it has ended. */
  async kill(): Promise<void> {
    const info = await readDaemonInfo(this.stateDir);
    const daemon = await markOf(info?.pid ?? Number.NaN);
    if (daemon === undefined) throw new Error("there is no daemon to kill");
    await signal(daemon, "SIGKILL");
    const isGone = async () => ((await isAlive(daemon)) ? undefined : true);
    await waitFor("the daemon's end", isGone, { timeoutMs: 10_000, intervalMs: 10 });
  }

  get stateDir(): string {
    return join(this.slipway.home, "cloud");
  }

  ask = (...asked: Parameters<ReturnType<typeof askerOf>>) => askerOf(this.slipway)(...asked);
  attach = () =>
    this.ask("POST", "compute", `/servers/${this.server}/os-volume_attachments`, {
      volumeAttachment: { volumeId: this.volume },
    });
  detach = () => this.ask("DELETE", "compute", `/servers/${this.server}/os-volume_attachments/${this.volume}`);
  serverStatus = async () => (await this.ask("GET", "compute", `/servers/${this.server}`)).server.status;

  /** The volume's status once nothing is being done with it. */
  settled(): Promise<string> {
    const look = async () => {
      const { status } = (await this.ask("GET", "volumev3", `/volumes/${this.volume}`)).volume;
      return status === "available" || status === "in-use" ? status : undefined;
    };
    return waitFor("the volume to settle", look, { timeoutMs: 60_000, intervalMs: 50 });
  }

  shell = (script: string) => inside(this.stateDir, this.server).inGuest("sh", "-ec", script);
  loops = async () => (await listLoops()).filter(({ backingFile }) => backingFile.startsWith(this.stateDir));
}

describe.skipIf(skip !== undefined)(
  `volumes of clouds that are killed, and of two at once (${skip ?? "nspawn"})`,
  () => {
    let cloud: OneServer;
    let other: OneServer;
    beforeAll(async () => {
      cloud = await OneServer.create();
      other = await OneServer.create();
    });
    afterAll(async () => {
      for (const one of [cloud, other]) expect(await one?.slipway.remove()).toEqual([]);
    });

    it("stay in the guest when the daemon is killed, and can be taken out after its start", async () => {
      await cloud.attach();
      expect(await cloud.settled()).toBe("in-use");
      await cloud.shell("mkfs.ext4 -q /dev/vdb; mount /dev/vdb /mnt; echo kept > /mnt/file");
      await cloud.kill();
      expect(await cloud.shell("cat /mnt/file; lsblk -dno NAME")).toBe("kept\nvdb\n");
      await cloud.start();
      expect(await cloud.settled()).toBe("in-use");
      await cloud.detach();
      expect(await cloud.settled()).toBe("in-use"); // it is mounted
      await cloud.shell("umount /mnt");
      await cloud.detach();
      expect(await cloud.settled()).toBe("available");
      expect(await cloud.loops()).toEqual([]);
    });

    it.each([0, 5, 20, 60])("are in or out, not between, %i ms after whose move the daemon was killed", async (ms) => {
      const move = (await cloud.settled()) === "available" ? cloud.attach : cloud.detach;
      await move();
      await sleep(ms);
      await cloud.kill();
      await cloud.start();
      const status = await cloud.settled();
      const disks = await cloud.shell("lsblk -dno NAME; ls /dev | grep vd || true");
      const loops = await cloud.loops();
      expect({ disks, loops: loops.length }).toEqual(
        status === "in-use" ? { disks: "vdb\nvdb\n", loops: 1 } : { disks: "", loops: 0 },
      );
    });

    it("go with their cloud alone when that is destroyed, also where its daemon is dead", async () => {
      await other.attach();
      expect(await other.settled()).toBe("in-use");
      await other.shell("mkfs.ext4 -q /dev/vdb; mount /dev/vdb /mnt; echo kept > /mnt/file");
      if ((await cloud.settled()) === "available") await cloud.attach();
      expect(await cloud.settled()).toBe("in-use");
      expect(await cloud.loops()).toHaveLength(1);
      await cloud.kill();
      const { result } = await cloud.slipway.run(["cloud", "destroy", "--yes"]);
      expect(result).toMatchObject({ ok: true });
      expect(await cloud.loops()).toEqual([]);
      expect(await other.shell("cat /mnt/file; lsblk -dno NAME")).toBe("kept\nvdb\n");
      expect(await other.loops()).toHaveLength(1);
    });
  },
);
