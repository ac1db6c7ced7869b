import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findCommand } from "../../../src/cloud/host-packages.ts";
import { isAlive, type ProcessMark, startDetached } from "../../../src/cloud/hypervisors/nspawn/processes.ts";
import { qemuCommand } from "../../../src/cloud/hypervisors/qemu/command.ts";
import { guestFiles, monitorOf, writeRun } from "../../../src/cloud/hypervisors/qemu/guest-files.ts";
import { whileGuestsHeld } from "../../../src/cloud/hypervisors/qemu/held.ts";
import { createQemuHypervisor } from "../../../src/cloud/hypervisors/qemu/hypervisor.ts";
import { Qmp } from "../../../src/cloud/hypervisors/qemu/qmp.ts";
import { createUserNetwork } from "../../../src/cloud/hypervisors/qemu/user-network.ts";
import { removeLeftovers } from "../../../src/cloud/leftovers.ts";
import { guestName } from "../../../src/cloud/network/linux/names.ts";
import { pathExists } from "../../../src/common/files.ts";
import { run } from "../../../src/common/process.ts";
import { waitFor } from "../../../src/common/wait.ts";

const missing =
  (await findCommand("qemu-system-x86_64")) === undefined || (await findCommand("qemu-img")) === undefined;

/** A real QEMU whose guest's BIOS looks for something to boot: enough to be held. */
describe.skipIf(missing)("virtual machines whose disks are copied", () => {
  const id = randomUUID();
  const instance = randomBytes(3).toString("hex");
  let stateDir: string;
  let folder: string;
  let monitor: string;
  let machine: ProcessMark;

  beforeAll(async () => {
    stateDir = await realpath(await mkdtemp(join(tmpdir(), "slipway-held-")));
    folder = join(stateDir, "guests", id);
    monitor = monitorOf(stateDir, instance, id);
    const files = guestFiles(folder);
    await mkdir(folder, { recursive: true });
    await run("qemu-img", ["create", "-q", "-f", "qcow2", files.root, "1M"]);
    await writeFile(files.configDrive, Buffer.alloc(2048));
    const command = qemuCommand({
      ...{ name: guestName(instance, id), uuid: id, accelerator: "tcg", vcpus: 1, ramMb: 32 },
      ...{ root: files.root, configDrive: files.configDrive, disks: [], nics: [] },
      ...{ console: files.console, monitor, pidFile: files.pid },
    });
    machine = await startDetached(command, files.log, process.env);
    await writeRun(folder, { process: machine, forwards: [] });
    await waitFor("the monitor", async () => ((await pathExists(monitor)) ? true : undefined), { timeoutMs: 30_000 });
  });
  afterAll(async () => {
    await removeLeftovers(instance);
    expect(await isAlive(machine)).toBe(false);
    await rm(stateDir, { recursive: true, force: true });
  });

  const status = async () => {
    const answer = (await Qmp.session(monitor, (qmp) => qmp.execute("query-status"))) as { status: string };
    return answer.status;
  };
  const tell = (command: string) => Qmp.session(monitor, (qmp) => qmp.execute(command));

  it("stand still meanwhile, and go on then, whatever came of it", async () => {
    expect(await status()).toBe("running");
    expect(await whileGuestsHeld(stateDir, instance, status)).toBe("paused");
    expect(await status()).toBe("running");
    await expect(whileGuestsHeld(stateDir, instance, () => Promise.reject(new Error("full disk")))).rejects.toThrow(
      "full disk",
    );
    expect(await status()).toBe("running");
    expect(await pathExists(guestFiles(folder).held)).toBe(false);
  });

  it("stay as they were where somebody had paused them", async () => {
    await tell("stop");
    expect(await whileGuestsHeld(stateDir, instance, status)).toBe("paused");
    expect(await status()).toBe("paused");
    await tell("cont");
  });

  it("stand still one alone", async () => {
    expect(await whileGuestsHeld(stateDir, instance, status, id)).toBe("paused");
    expect(await whileGuestsHeld(stateDir, instance, status, "another")).toBe("running");
  });

  it("go on at the next start of the cloud where all that held them was killed", async () => {
    await tell("stop");
    await writeFile(guestFiles(folder).held, "");
    const network = await createUserNetwork(instance);
    const images = { pathOf: () => Promise.reject(new Error("there are no images")) };
    const log = () => undefined;
    const hypervisor = createQemuHypervisor({ instance, stateDir, images, network, accelerator: "tcg", log });
    const spec = {
      id,
      hostname: "web",
      imageId: "",
      vcpus: 1,
      ramMb: 32,
      diskGb: 0,
      disks: [],
      nics: [],
      configDrive: {},
    };
    await hypervisor.recover([spec]);
    await hypervisor.close();
    expect(await status()).toBe("running");
    expect(await pathExists(guestFiles(folder).held)).toBe(false);
  });
});
