import { existsSync, readFileSync } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CommandError, run } from "../../src/common/process.ts";
import { composeFile, ensureComposeFile } from "../../src/guest/containers/compose.ts";
import { ensurePodman } from "../../src/guest/containers/engine.ts";
import { ensureImage, librariesIn } from "../../src/guest/containers/image.ts";
import { ensureContainerNetwork, wantedNetwork } from "../../src/guest/containers/network.ts";
import { containersSchema } from "../../src/guest/containers/settings.ts";
import {
  defaultInterface,
  freeSubnet,
  isSubnetPool,
  overlap,
  routedRanges,
} from "../../src/guest/containers/subnets.ts";
import type { Host } from "../../src/guest/host.ts";
import type { HostConfig } from "../../src/guest/host-config.ts";
import type { Manifest } from "../../src/guest/manifest.ts";
import { guestPaths } from "../../src/guest/paths.ts";
import type { ServiceSettings } from "../../src/guest/service-description.ts";
import { servingFileOf } from "../../src/guest/serving-file.ts";
import type { Service } from "../../src/guest/unit-names.ts";
import { unitText } from "../../src/guest/units.ts";
import type { ServingSettings } from "../../src/serving/config.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** As the kernel of a host in 10.20.0.0/24 has it, with a container network at 10.89.0.0/24 and another route. */
const routes = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
ens3	00000000	0100140A	0003	0	0	0	00000000	0	0	0
ens3	0000140A	00000000	0001	0	0	0	00FFFFFF	0	0	0
slipway0	0000590A	00000000	0001	0	0	0	00FFFFFF	0	0	0
ens4	00000100	00000000	0001	0	0	0	00FFFFFF	0	0	0
`;
const network = { subnet: "10.89.0.0/24", queueAddress: "10.89.0.2", mtu: 1450 };
const plan = { image: "localhost/slipway:0123456789abcdef", network };
const config = {
  stack: "s",
  host: "server",
  generation: "g1",
  roles: { queue: { port: 6379 }, runtime: {}, frontend: { port: 5100 }, worker: {} },
} as HostConfig;

function settingsWith(serving: ServingSettings = {}): ServiceSettings {
  const payload = { digest: `sha256:${"0".repeat(64)}` } as Manifest["payload"];
  const manifest = { payload, settings: { serving: serving as Record<string, unknown> } };
  const read = servingFileOf({ config, paths: guestPaths("") }, manifest, network.queueAddress).serving;
  return { serving: read, queueServer: "/usr/bin/valkey-server", containers: plan };
}

/** Podman as it is asked, by the words after its name; other commands are run. */
function played(answers: Record<string, string | CommandError> = {}) {
  const asked: string[] = [];
  const host: Pick<Host, "run"> = {
    async run(command, args, options) {
      if (command === "getent") return { stdout: `slipway:x:999:999::/:\n`, stderr: "" };
      if (command !== "systemd-run") return run(command, args, options);
      const words = args.slice(args.indexOf("--") + 2).join(" ");
      asked.push(words);
      const answer = Object.entries(answers).find(([start]) => words.startsWith(start))?.[1];
      if (answer instanceof CommandError) throw answer;
      return { stdout: answer ?? "", stderr: "" };
    },
  };
  return { host, asked };
}

const unknown = (message: string, status = 125) => new CommandError("podman", [], "", status, "", message);

describe("the containers' subnet", () => {
  it.each([
    ["10.89.0.0/16", true],
    ["192.168.7.0/24", true],
    ["10.89.0.0/25", false],
    ["10.0.0.0/7", false],
    ["10.89.0.1/16", false],
    ["10.89.0.0", false],
    ["300.0.0.0/8", false],
    ["fd00::/16", false],
  ])("may come from %s: %s", (pool, good) => {
    expect(isSubnetPool(pool)).toBe(good);
    expect(containersSchema.safeParse({ addressPool: pool }).success).toBe(good);
  });

  it("is the first of the pool in which the host knows nobody", () => {
    expect(routedRanges(routes, "slipway0")).toEqual(["10.20.0.0/24", "0.1.0.0/24"]);
    expect(defaultInterface(routes)).toBe("ens3");
    expect(freeSubnet("10.20.0.0/16", ["10.20.0.0/24", "10.20.1.128/25"])).toBe("10.20.2.0/24");
    expect(freeSubnet("10.20.0.0/24", ["10.20.0.7/32"])).toBeUndefined();
    expect(freeSubnet("10.255.255.0/24", ["0.0.0.0/1"])).toBeUndefined();
    expect(overlap("10.0.0.0/8", "10.89.3.0/24")).toBe(true);
    expect(overlap("10.88.0.0/16", "10.89.0.0/16")).toBe(false);
  });

  it("stays what it is for as long as it fits, and has the MTU of the way out unless told otherwise", async () => {
    const kernel = { table: routes, mtuOf: async (name: string) => (name === "ens3" ? 1442 : undefined) };
    const settings = (over: object) => containersSchema.parse(over);
    const existing = { subnet: "10.89.7.0/24" };
    expect(await wantedNetwork(settings({}), existing, kernel)).toEqual({
      subnet: "10.89.7.0/24",
      queueAddress: "10.89.7.2",
      mtu: 1442,
    });
    expect(await wantedNetwork(settings({ mtu: 1300 }), undefined, kernel)).toMatchObject({
      subnet: "10.89.0.0/24",
      mtu: 1300,
    });
    const moved = settings({ addressPool: "10.20.0.0/20" });
    expect(await wantedNetwork(moved, existing, kernel)).toMatchObject({ subnet: "10.20.1.0/24" });
    const full = settings({ addressPool: "10.20.0.0/24" });
    await expect(wantedNetwork(full, existing, kernel)).rejects.toThrow("10.20.0.0/24 has no /24");
  });
});

describe("the containers' network", () => {
  const kernel = { table: routes, mtuOf: async () => 1450 };
  const settings = containersSchema.parse({});
  const described = (mtu: string) =>
    JSON.stringify([{ name: "slipway", subnets: [{ subnet: "10.89.0.0/24" }], options: { mtu } }]);

  it("is made where there is none, and publishes no names", async () => {
    const { host, asked } = played({ "network inspect": unknown("network slipway: network not found") });
    expect(await ensureContainerNetwork(host, settings, kernel)).toEqual(network);
    expect(asked.at(-1)).toBe(
      "network create --driver=bridge --interface-name=slipway0 --disable-dns --subnet=10.89.0.0/24 --ip-range=10.89.0.128/25 --opt=mtu=1450 slipway",
    );
  });

  it("is left alone where it fits, and made anew where its MTU does not", async () => {
    const fitting = played({ "network inspect": described("1450") });
    expect(await ensureContainerNetwork(fitting.host, settings, kernel)).toEqual(network);
    expect(fitting.asked).toEqual(["network inspect slipway"]);
    const other = played({ "network inspect": described("1500") });
    await ensureContainerNetwork(other.host, settings, kernel);
    expect(other.asked.map((words) => words.split(" ").slice(0, 2).join(" "))).toEqual([
      "network inspect",
      "network rm",
      "network create",
    ]);
  });

  it("of a Podman that fails is no network that is not there", async () => {
    const { host } = played({ "network inspect": unknown("no space left on device") });
    await expect(ensureContainerNetwork(host, settings, kernel)).rejects.toThrow("no space left");
  });
});

describe("the containers' image", () => {
  it("is of the host's libraries, named by what is in it, and made once", async () => {
    const folder = temporaryFolder();
    const runtime = join(folder, "layer");
    await mkdir(join(runtime, "bin"), { recursive: true });
    await symlink(process.execPath, join(runtime, "bin/node"));
    const paths = guestPaths(folder);
    await mkdir(join(paths.release, ".."), { recursive: true });
    const { host, asked } = played({ "image exists": unknown("", 1) });
    const archives: string[] = [];
    const watching: Host["run"] = async (command, args, options) => {
      const archive = args.find((arg) => arg.endsWith("image.tar"));
      if (args.includes("import") && archive) archives.push((await run("tar", ["-tvf", archive])).stdout);
      return host.run(command, args, options);
    };
    const image = await ensureImage({ run: watching, paths } as Host, runtime, "/bin/sh");
    expect(image).toMatch(/^localhost\/slipway:[0-9a-f]{16}$/);
    expect(asked.map((words) => words.split(" ").slice(0, 2).join(" "))).toEqual([
      "image exists",
      "image prune",
      "import --quiet",
    ]);
    expect(archives[0]).toMatch(/ \.\/etc\/passwd$/m);
    expect(archives[0]).toMatch(/^-rwxr-xr-x root\/root .* \.\/\S*\/libc\.so\.6$/m);
    expect(archives[0]).toMatch(/ \.\/bin\/sh$/m);
    const again = played();
    expect(await ensureImage({ run: again.host.run, paths } as Host, runtime, "/bin/sh")).toBe(image);
    expect(again.asked).toEqual([`image exists ${image}`]);
    // and without the queue's server it is another one
    expect(await ensureImage({ run: again.host.run, paths } as Host, runtime, "")).not.toBe(image);
  });

  it("leaves out what a layer brings, and names what is missing", () => {
    const printed = `/layers/a/bin/node:
	linux-vdso.so.1 (0x00007ffd)
	libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f01)
	libonnxruntime.so.1 => /layers/a/x/libonnxruntime.so.1 (0x00007f02)
	/lib64/ld-linux-x86-64.so.2 (0x00007f03)
`;
    expect(librariesIn(printed, "/layers/a")).toEqual([
      "/lib/x86_64-linux-gnu/libm.so.6",
      "/lib64/ld-linux-x86-64.so.2",
    ]);
    expect(() => librariesIn(`${printed}	libgone.so.1 => not found\n`, "/layers/a")).toThrow(
      "this host lacks libgone.so.1",
    );
  });

  it("needs Podman, which is installed where it is not there", async () => {
    const commands: string[] = [];
    const host = {
      run: async (command: string, args: string[]) => {
        commands.push([command, ...args.filter((arg) => !arg.startsWith("-"))].join(" "));
        return { stdout: "", stderr: "" };
      },
    };
    await ensurePodman(host, () => true);
    expect(commands).toEqual([]);
    await expect(ensurePodman(host, () => false)).rejects.toThrow("has installed no /usr/bin/podman");
    expect(commands.at(-1)).toMatch(/^apt-get .*install podman crun netavark nftables$/);
  });
});

describe("a unit whose service runs in a container", () => {
  const services: Service[] = ["queue", "runtime", "frontend", "worker"];
  const lineOf = (service: Service, start: string, serving: ServingSettings = {}) =>
    unitText(service, settingsWith(serving))
      .split("\n")
      .find((line) => line.startsWith(start)) ?? "";

  it.each(services)("%s has no right that it does not need, and its processes are the unit's", (service) => {
    const start = lineOf(service, "ExecStart=");
    for (const option of [
      "--cgroups=disabled",
      "--read-only",
      "--user=slipway",
      "--cap-drop=all",
      "--security-opt=no-new-privileges",
      "--pull=never",
      "--sdnotify=conmon",
      plan.image,
    ]) {
      expect(start.split(" ")).toContain(option);
    }
    expect(start).not.toMatch(/--publish|--privileged|--network=host/);
    expect(unitText(service, settingsWith())).toContain("Restart=always");
  });

  it("leads where the service without one does", () => {
    expect(lineOf("runtime", "ExecStart=")).toContain(" --network=none ");
    expect(lineOf("queue", "ExecStart=")).toContain(" --network=slipway --ip=10.89.0.2 ");
    const durable = { models: { m: { durable: true } } };
    expect(lineOf("runtime", "ExecStart=", durable)).toContain(" --network=slipway ");
    expect(lineOf("runtime", "IPAddressAllow=", durable)).toBe("IPAddressAllow=localhost 10.89.0.0/24");
    expect(lineOf("frontend", "Sockets=")).toBe("Sockets=slipway-frontend.socket");
  });

  it("gives more time to stop than the container has", () => {
    const seconds = (line: string) => Number(/(?:--time=|TimeoutStopSec=)(\d+)/.exec(line)?.[1]);
    for (const service of services) {
      expect(seconds(lineOf(service, "ExecStop="))).toBeLessThan(seconds(lineOf(service, "TimeoutStopSec=")));
    }
  });
});

describe("the compose file", () => {
  const instances = { runtimes: [{ name: "default", replicas: 2 }], frontend: "b" as const, workers: 3 };
  const services = ["queue", "runtime", "frontend", "worker"] as const;

  it("has what the units run: the same commands, folders and network", () => {
    const settings = settingsWith({ grpc: { port: 5101 } });
    const file = composeFile(services, settings, plan, instances);
    expect(Object.keys(file.services)).toEqual([
      "queue",
      "runtime-default-0",
      "runtime-default-1",
      "frontend",
      "worker",
    ]);
    for (const [name, service] of Object.entries(file.services)) {
      const unit = unitText(name.replace(/-.*/, "") as Service, settings);
      const start = unit.split("\n").find((line) => line.startsWith("ExecStart=")) ?? "";
      expect(start).toContain(` ${plan.image} ${service.command.join(" ").replace(/default-\d$/, "%i")}`);
      for (const volume of service.volumes) expect(start).toContain(` --volume=${volume} `);
    }
    expect(file.services.worker).toMatchObject({ deploy: { replicas: 3 } });
    expect(file.services.queue).toMatchObject({ networks: { slipway: { ipv4_address: "10.89.0.2" } } });
    expect(file.services["runtime-default-0"]).toMatchObject({ network_mode: "none" });
    expect(file.networks.slipway).toMatchObject({
      driver_opts: { "com.docker.network.driver.mtu": "1450" },
      ipam: { config: [{ subnet: "10.89.0.0/24" }] },
    });
  });

  it("publishes the frontend's ports and nothing else", () => {
    const file = composeFile(services, settingsWith({ grpc: { port: 5101 } }), plan, instances);
    const published = Object.entries(file.services).flatMap(([name, { ports }]) => (ports ? [[name, ports]] : []));
    expect(published).toEqual([["frontend", ["5100:5100", "5101:5101"]]]);
  });

  it("is there for as long as the services run in containers", async () => {
    const paths = guestPaths(temporaryFolder());
    const settings = settingsWith();
    await ensureComposeFile({ config, paths } as Host, settings, instances);
    expect(JSON.parse(readFileSync(paths.compose, "utf8"))).toMatchObject({ name: "slipway" });
    await ensureComposeFile({ config, paths } as Host, { ...settings, containers: undefined }, instances);
    expect(existsSync(paths.compose)).toBe(false);
  });
});
