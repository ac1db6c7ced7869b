import { randomBytes } from "node:crypto";
import { appendFile, mkdtemp, readdir, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readProcess } from "../../src/cloud/hypervisors/nspawn/processes.ts";
import { guestName, networkNamespace } from "../../src/cloud/network/linux/names.ts";
import {
  deleteNamespace,
  ensureNamespace,
  ipBatch,
  listNamespaces,
  processesInNamespace,
} from "../../src/cloud/network/linux/netns.ts";
import { NetworkDaemons } from "../../src/cloud/network/linux/network-daemons.ts";
import { pathExists } from "../../src/common/files.ts";

const programs = ["/usr/sbin/radvd", "/usr/sbin/dnsmasq", "/proc/sys/net/ipv6"];
const canRun = process.getuid?.() === 0 && (await Promise.all(programs.map(pathExists))).every(Boolean);
const networkId = "0123abcd-0000-4000-8000-000000000000";

describe.runIf(canRun)("what serves a network's guests", () => {
  let stateDir: string;
  let namespace: string;
  let daemons: NetworkDaemons;
  let wanted: Parameters<NetworkDaemons["apply"]>[1];
  const makeNamespace = async () => {
    await ensureNamespace(namespace);
    await ipBatch(namespace, [
      "link add t0 type veth peer name t1",
      "link set t1 up",
      "link set t0 up",
      "address add 100::1/64 dev t0 nodad",
    ]);
  };
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), "slipway-daemons-"));
    const instance = randomBytes(3).toString("hex");
    namespace = networkNamespace(instance, networkId);
    daemons = new NetworkDaemons(stateDir);
    wanted = {
      name: guestName(instance, networkId),
      radvd: "interface t0 { IgnoreIfMissing on; AdvSendAdvert on; prefix fd00:1::/64 { }; };\n",
      dnsmasq: "port=0\nno-resolv\nno-hosts\nleasefile-ro\ninterface=t0\ndhcp-range=fd00:2::,static,64,86400\n",
    };
    await makeNamespace();
  });
  afterEach(async () => {
    await kill(await running());
    await deleteNamespace(namespace);
    await rm(stateDir, { recursive: true, force: true });
  });
  /** radvd has a second process, of its own. */
  async function running(): Promise<{ pid: number; program: string }[]> {
    if ((await listNamespaces(namespace)).length === 0) return [];
    const pids = await processesInNamespace(namespace);
    const all = await Promise.all(
      pids.map(async (pid) => {
        const [, program = "", parent] =
          /^Name:\s+(\S+)$.*^PPid:\s+(\d+)$/ms.exec(await readProcess(`/proc/${pid}/status`)) ?? [];
        return { pid, program, parent: Number(parent) };
      }),
    );
    const first = all.filter(({ parent }) => !pids.includes(parent)).map(({ pid, program }) => ({ pid, program }));
    return first.sort((one, other) => one.program.localeCompare(other.program));
  }
  const kill = async (processes: { pid: number }[]) => {
    for (const { pid } of processes) process.kill(pid, "SIGKILL");
    await expect.poll(async () => Promise.all(processes.map(({ pid }) => isRunning(pid)))).not.toContain(true);
  };
  const isRunning = async (pid: number) => /^State:\s+[^ZX]/m.test(await readProcess(`/proc/${pid}/status`));
  const files = async () => (await readdir(join(stateDir, "network-daemons"), { recursive: true })).sort();

  it("goes on while it is wanted so, and runs again after it has died", async () => {
    await daemons.apply(namespace, wanted);
    const first = await running();
    expect(first.map(({ program }) => program)).toEqual(["dnsmasq", "radvd"]);
    await daemons.apply(namespace, wanted);
    expect(await running()).toEqual(first);
    await new NetworkDaemons(stateDir).apply(namespace, wanted);
    expect(await running()).toEqual(first);
    await kill(first.slice(0, 1));
    await daemons.apply(namespace, wanted);
    const second = await running();
    expect(second.map(({ program }) => program)).toEqual(["dnsmasq", "radvd"]);
    expect(second[1]).toEqual(first[1]);
  });

  it("is missed once it has died, and its log does not grow without end", async () => {
    await daemons.apply(namespace, wanted);
    expect(await daemons.look()).toEqual([]);
    const [dnsmasq, radvd] = await running();
    const limits = await Promise.all([dnsmasq, radvd].map((one) => readProcess(`/proc/${one?.pid}/limits`)));
    expect(limits.map((text) => /^Max file size +(\d+)/m.exec(text)?.[1])).toEqual(["16777216", "16777216"]);
    const log = join(stateDir, "network-daemons", "radvd", `${wanted.name}.log`);
    await appendFile(log, "warned\n".repeat(160_000));
    await daemons.look();
    expect((await stat(log)).size).toBe(0);
    await kill(await running());
    expect(await daemons.look()).toEqual([[namespace, wanted]]);
    await deleteNamespace(namespace);
    await expect(daemons.apply(namespace, wanted)).rejects.toThrow();
    expect(await daemons.look()).toEqual([[namespace, wanted]]); // still
    await makeNamespace();
    await daemons.apply(namespace, wanted);
    expect(await daemons.look()).toEqual([]);
    expect((await running()).map(({ program }) => program)).toEqual(["dnsmasq", "radvd"]);
  });

  it("goes on where its log is full, and says what it has to say once that is not", async () => {
    await daemons.apply(namespace, wanted);
    const before = await running();
    const { pid = 0 } = before.find(({ program }) => program === "radvd") ?? {};
    const log = join(stateDir, "network-daemons", "radvd", `${wanted.name}.log`);
    const size = async () => (await stat(log)).size;
    await truncate(log, 16 * 1024 * 1024 - 10);
    process.kill(pid, "SIGHUP"); // it says that it reads its configuration again
    await expect.poll(size).toBe(16 * 1024 * 1024);
    await truncate(log);
    process.kill(pid, "SIGHUP");
    await expect.poll(size).toBeGreaterThan(0);
    expect(await running()).toEqual(before);
  });

  it("runs in a namespace that was made anew, and not in the old one", async () => {
    await daemons.apply(namespace, wanted);
    const first = await running();
    await deleteNamespace(namespace);
    await daemons.forget(namespace);
    await makeNamespace();
    await daemons.apply(namespace, wanted);
    expect((await running()).map(({ program }) => program)).toEqual(["dnsmasq", "radvd"]);
    await expect.poll(() => Promise.all(first.map(({ pid }) => isRunning(pid)))).toEqual([false, false]);
  });

  it("goes with its network, and its files do", async () => {
    await daemons.apply(namespace, wanted);
    expect(await files()).toEqual(expect.arrayContaining([`dnsmasq/${wanted.name}`, `radvd/${wanted.name}.log`]));
    await daemons.end(namespace);
    expect(await running()).toEqual([]);
    expect(await files()).toEqual(["dnsmasq", "radvd"]);
  });
});
