import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Hypervisor } from "../../src/cloud/hypervisors/hypervisor.ts";
import { findLeftovers } from "../../src/cloud/leftovers.ts";
import { waitFor } from "../../src/common/wait.ts";
import { connectTo } from "../support/tcp.ts";
import { anyEgress, ids, oneGuest, onePlan, openPort } from "./guests/fixtures.ts";
import { inside } from "./guests/inside.ts";
import { createScratchCloud, whyNoGuests } from "./guests/scratch-cloud.ts";

const exec = promisify(execFile);
const skipReason = await whyNoGuests();
const userData = `#cloud-config
write_files:
- path: /etc/systemd/system/page@.service
  content: |
    [Service]
    ExecStart=/usr/bin/python3 -m http.server --directory /srv %i
    [Install]
    WantedBy=multi-user.target
- path: /etc/systemd/system/beat.service
  content: |
    [Service]
    ExecStart=/usr/bin/python3 -c "import socket; s=socket.create_server(('',5300)); c,_=s.accept(); [c.sendall(b) for b in iter(lambda: c.recv(99), b'')]"
    [Install]
    WantedBy=multi-user.target
runcmd:
- hostname > /srv/marker
- mknod /root/disk b 7 0 2> /srv/mknod; test -e /root/disk || echo absent >> /srv/mknod
- systemctl enable --now page@5100 page@5200 beat
`;

describe.skipIf(skipReason !== undefined)(`a real guest (${skipReason ?? "nspawn"})`, () => {
  let cloud: Awaited<ReturnType<typeof createScratchCloud>>;
  let hypervisor: Hypervisor;
  let floatingIp: string;
  let routerIp: string;
  const address = (last: number) => cloud.dataplane.external.cidr.replace(/0\/24$/, String(last));
  const plan = (rules = [openPort(5100), openPort(5300), anyEgress]) => onePlan({ routerIp, floatingIp }, rules);

  beforeAll(async () => {
    cloud = await createScratchCloud();
    [routerIp, floatingIp] = [address(10), address(100)];
    hypervisor = cloud.newHypervisor();
    await cloud.dataplane.apply(plan());
    await hypervisor.boot(oneGuest(userData));
  });

  afterAll(async () => {
    await hypervisor?.close();
    await cloud?.remove();
  });

  const page = async (port: number, ip = floatingIp) =>
    fetch(`http://${ip}:${port}/marker`, { signal: AbortSignal.timeout(1500) }).then((response) => response.text());
  const waitForPage = () =>
    waitFor("the page", () => page(5100).catch(() => undefined), {
      timeoutMs: 60_000,
      intervalMs: 100,
      maxIntervalMs: 250,
    });
  const guest = () => inside(cloud.stateDir, ids.server);

  it("is contextualized by cloud-init from its config drive and answers at its floating IP", async () => {
    expect(await waitForPage()).toBe("web\n");
    expect(await hypervisor.state(ids.server)).toBe("running");
    expect(await guest().inGuest("cloud-id")).toBe("configdrive\n");
  });

  it("has a console log without escape codes", async () => {
    const text = await hypervisor.console(ids.server);
    expect(text).toContain("Cloud-init");
    expect(text).not.toMatch(/[^\n\t\P{Cc}]/u);
    expect((await hypervisor.console(ids.server, 3)).split("\n")).toHaveLength(3);
  });

  it("is not reached at a port that no rule opens: the attempt times out", async () => {
    await expect(connectTo(floatingIp, 5200)).resolves.toBe("timed out");
    await expect(connectTo(floatingIp, 5100)).resolves.toBe("connected");
  });

  it("reaches the machine's address in the external network, and nothing else of the machine", async () => {
    const server = createServer((_, response) => response.end("objects"));
    server.listen(0, "0.0.0.0");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    try {
      expect(
        await guest().inGuest("curl", "-sS", "-m", "3", `http://${cloud.dataplane.external.gatewayIp}:${port}/`),
      ).toBe("objects");
      const other = (await exec("hostname", ["-I"])).stdout
        .split(" ")
        .find((ip) => ip.includes(".") && !ip.startsWith("172.24."));
      if (other)
        await expect(guest().inGuest("curl", "-sS", "-m", "3", `http://${other}:${port}/`)).rejects.toThrow(/curl/);
    } finally {
      server.close();
    }
  });

  it("cannot make device nodes", async () => {
    expect(await guest().inGuest("cat", "/srv/mknod")).toMatch(/Operation not permitted\nabsent\n$/);
  });

  it("has its flavor's memory, and not more", async () => {
    const takes = (mib: number) => guest().shell(`python3 -c "print(len(bytearray(${mib} << 20)) >> 20)"`);
    expect(await takes(128)).toBe("128\n");
    await expect(takes(2 * oneGuest(userData).ramMb)).rejects.toThrow();
    expect(await page(5100)).toBe("web\n");
  });

  it("has so many processes and threads at once, and not more: a storm of them leaves the guest and the machine alive", async () => {
    // threads, each as much to the limit as a process and cheaper in memory; each process of the storm has some
    const storm = `import os, sys, threading
threading.stack_size(32768)
ready, count = os.pipe(), 0
for _ in range(20):
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        started = 0
        try:
            for _ in range(400):
                threading.Thread(target=threading.Event().wait, daemon=True).start()
                started += 1
        except RuntimeError:
            pass
        os.write(ready[1], b"%04d" % started)
        threading.Event().wait()
    count += int(os.read(ready[0], 4))
print(count, flush=True)
os.killpg(0, 9)`;
    const printed = await guest().shell(`setsid python3 -c '${storm}' || true`);
    const started = Number(printed);
    expect(started).toBeGreaterThan(3000);
    expect(started).toBeLessThan(4096);
    expect(await guest().shell("echo alive")).toBe("alive\n");
    expect(await page(5100)).toBe("web\n");
  });

  it("keeps an open connection when another floating IP is added, and loses it with the rule that let it in", async () => {
    const socket = connect({ host: floatingIp, port: 5300 });
    await once(socket, "connect");
    const echo = async (text: string) => {
      socket.write(text);
      const answer = await Promise.race([
        once(socket, "data"),
        new Promise((resolve) => setTimeout(resolve, 1500, undefined)),
      ]);
      return answer === undefined ? undefined : String((answer as [Buffer])[0]);
    };
    try {
      expect(await echo("one")).toBe("one");
      const more = plan();
      more.routers[0]?.floatingIps.push({ floatingIp: address(101), fixedIp: "10.77.0.99" });
      await cloud.dataplane.apply(more);
      expect(await echo("two")).toBe("two");
      await cloud.dataplane.apply(plan([openPort(5100), anyEgress]));
      expect(await echo("three")).toBeUndefined();
    } finally {
      socket.destroy();
      await cloud.dataplane.apply(plan());
    }
    expect(await page(5100)).toBe("web\n");
  });

  it("loses its floating IP's connections and address when the floating IP is taken away", async () => {
    const without = plan();
    without.routers = without.routers.map((router) => ({ ...router, floatingIps: [] }));
    await cloud.dataplane.apply(without);
    await expect(connectTo(floatingIp, 5100)).resolves.not.toBe("connected");
    await cloud.dataplane.apply(plan());
    expect(await page(5100)).toBe("web\n");
  });

  it("gets and loses an interface while it runs", async () => {
    const more = plan();
    const [port] = more.ports;
    const added = { mac: "fa:16:3e:12:34:57", fixedIps: ["10.77.0.22"] };
    if (port !== undefined) more.ports.push({ ...port, nic: 1, id: "90280000-0000-4000-8000-000000000002", ...added });
    await cloud.dataplane.apply(more);
    expect(await guest().inGuest("ip", "-o", "link")).toContain(added.mac);
    await guest().shell(
      `link=$(ip -o link | sed -n 's/^[0-9]*: \\([^:@]*\\).*${added.mac}.*/\\1/p'); ip addr add 10.77.0.22/24 dev "$link"; ip link set "$link" up; ping -c 1 -W 3 -I "$link" 10.77.0.1`,
    );
    await cloud.dataplane.apply(plan());
    expect(await guest().inGuest("ip", "-o", "link")).not.toContain(added.mac);
    expect(await page(5100)).toBe("web\n");
  });

  it("comes back after a reboot from inside, which nobody is told", async () => {
    const ended: string[] = [];
    hypervisor.onExit((id) => ended.push(id));
    await guest().reboot();
    expect(await waitForPage()).toBe("web\n");
    expect(ended).toEqual([]);
  });

  it("lives on without a daemon, reboots without one, and is adopted by the next", async () => {
    await hypervisor.close();
    await guest().reboot();
    expect(await waitForPage()).toBe("web\n");
    hypervisor = cloud.newHypervisor();
    await hypervisor.recover([oneGuest(userData)]);
    expect(await hypervisor.state(ids.server)).toBe("running");
    const again = await hypervisor.boot(oneGuest(userData)).then(() => guest().nspawn());
    expect(await guest().nspawn()).toBe(again);
  });

  it("stops softly, keeps its disk, and boots again", async () => {
    await guest().inGuest("sh", "-c", "echo kept > /srv/marker; sync");
    await hypervisor.stop(ids.server, { soft: true, timeoutMs: 30_000 });
    expect(await hypervisor.state(ids.server)).toBe("stopped");
    await hypervisor.boot(oneGuest(userData));
    expect(await waitForPage()).toBe("kept\n");
  });

  it("is held and goes on where it was, and is copied as it is", async () => {
    await guest().inGuest("sh", "-c", "echo copied > /srv/marker; sync");
    await hypervisor.pause?.(ids.server);
    await expect(page(5100)).rejects.toThrow();
    expect(await hypervisor.state(ids.server)).toBe("running");
    await hypervisor.unpause?.(ids.server);
    expect(await waitForPage()).toBe("copied\n");
    const copy = join(cloud.stateDir, "copy");
    expect(await hypervisor.snapshot?.(ids.server, copy)).toBeGreaterThan(100_000_000);
    expect(await readFile(join(copy, "srv/marker"), "utf8")).toBe("copied\n");
    await expect(stat(join(copy, "var/lib/cloud/seed"))).rejects.toThrow("ENOENT");
    await rm(copy, { recursive: true });
    expect(await page(5100)).toBe("copied\n");
  });

  it("is rescued from another disk with its own beside it, and is itself again", async () => {
    await hypervisor.pause?.(ids.server); // also where it is held
    await hypervisor.stop(ids.server, { soft: true, timeoutMs: 30_000 });
    await hypervisor.boot({ ...oneGuest(userData), rescueImageId: "image" });
    expect(await waitForPage()).toBe("web\n");
    expect(await guest().inGuest("cat", "/mnt/disk/srv/marker")).toBe("copied\n");
    await guest().inGuest("sh", "-c", "echo mended > /mnt/disk/srv/marker; sync");
    await hypervisor.stop(ids.server, { soft: true, timeoutMs: 30_000 });
    await hypervisor.boot(oneGuest(userData));
    expect(await waitForPage()).toBe("mended\n");
  });

  it("has a new disk after a rebuild, and other limits after a resize", async () => {
    expect([await page(5100), await guest().shell("nproc")]).toEqual(["mended\n", "2\n"]);
    await hypervisor.wipe(ids.server);
    await hypervisor.boot({ ...oneGuest(userData), vcpus: 1 });
    expect(await waitForPage()).toBe("web\n");
    expect(await guest().shell("nproc")).toBe("1\n");
  });

  it("is reported when it powers itself off", { timeout: 30_000 }, async () => {
    const ended = new Promise<string>((resolve) => hypervisor.onExit(resolve));
    await guest().later("systemctl", "poweroff");
    expect(await ended).toBe(ids.server);
    expect(await hypervisor.state(ids.server)).toBe("stopped");
  });

  it("leaves no process when its nspawn is killed", async () => {
    await hypervisor.boot(oneGuest(userData));
    const ended = new Promise<string>((resolve) => hypervisor.onExit(resolve));
    process.kill((await guest().nspawn()) as number, "SIGKILL");
    expect(await ended).toBe(ids.server);
    expect((await findLeftovers(cloud.instance)).filter(({ kind }) => kind === "process" || kind === "mount")).toEqual(
      [],
    );
  });

  it("leaves nothing when it and its network are destroyed", async () => {
    await hypervisor.boot(oneGuest(userData));
    expect((await findLeftovers(cloud.instance)).map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(["namespace", "link", "mount", "cgroup", "process", "range"]),
    );
    await hypervisor.destroy(ids.server);
    expect(await hypervisor.state(ids.server)).toBe("absent");
    await cloud.dataplane.destroy();
    expect(await findLeftovers(cloud.instance)).toEqual([]);
  });
});
