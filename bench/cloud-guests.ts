/**
 * How long a server of the embedded cloud takes from POST to its last `runcmd`, beside a bare boot of the same image with the same config drive
 * and a like NIC (`bench/cloud/bare-guest.ts`): what those need is there before they start, at once, while for servers all counts from POST.
 * All guests of a round run until the last has booted. Root; prints Markdown.
 *
 *     node_modules/.bin/node bench/cloud-guests.ts [rounds] [guests at once]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cgroupMode, instanceGroup } from "../src/cloud/hypervisors/nspawn/cgroups.ts";
import { guestFiles } from "../src/cloud/hypervisors/nspawn/guest-folder.ts";
import { ensureGuestImage } from "../src/cloud/images/guest-image.ts";
import { run } from "../src/common/process.ts";
import { waitFor } from "../src/common/wait.ts";
import { driveInTree, groupsFolder, prepareBare, type StartedGuest } from "./cloud/bare-guest.ts";
import { Client } from "./cloud/client.ts";
import { cpuTaken } from "./cloud/cpu.ts";
import { whenMarked } from "./cloud/marked-consoles.ts";
import { startBenchCloud } from "./cloud/started.ts";
import { addSample, machineLine, median, type Samples, table } from "./report.ts";

const rounds = Number(process.argv[2] ?? 5);
const atOnce = Number(process.argv[3] ?? 10);
const mark = "the-last-runcmd";
const userData = `#cloud-config\nruncmd:\n- echo one\n- echo ${mark} > /dev/console\n`;

/** A way to boot guests. */
interface Way {
  /** Makes what can be there before, and returns what boots the guest. */
  prepare(name: string): Promise<() => Promise<StartedGuest>>;
  /** The control groups of guests with these names. */
  groups(names: string[]): Promise<string[]>;
  /** Processes around them, besides this one. */
  processes: number[];
}

const times: Samples = new Map();
const cpu: Samples = new Map();

/** Boots guests at once, notes how long each took and what CPU they took together, and ends them. */
async function measure(series: string, way: Way, names: string[]): Promise<void> {
  const taken = async () => cpuTaken(await way.groups(names), [process.pid, ...way.processes]);
  const boots = await Promise.all(names.map((name) => way.prepare(name)));
  const before = await taken();
  const guests = await Promise.all(boots.map((boot) => boot()));
  try {
    const consoles = guests.map(({ consoleFile }) => consoleFile);
    const marked = await whenMarked(consoles, mark);
    const after = await taken();
    const took = guests.map(({ begun }, index) => (marked[index] as number) - begun);
    for (const each of took) addSample(times, series, each);
    const [inside, around] = [after.guests - before.guests, after.around - before.around];
    const rest = after.machine - before.machine - inside - around;
    addSample(cpu, `${series}: guests`, inside);
    addSample(cpu, `${series}: around them`, around);
    addSample(cpu, `${series}: the rest of the machine`, rest);
    const [time, ...shares] = [median(took), inside, around, rest].map(Math.round);
    console.error(`${series}: ${time} ms; CPU of the guests, around them, the rest: ${shares.join(", ")} ms`);
  } finally {
    for (const { end } of guests) await end();
  }
}

const folder = await mkdtemp(join(tmpdir(), "slipway-bench-"));
const { rootfs } = await ensureGuestImage({ log: console.error });
const cloud = await startBenchCloud(folder, "nspawn");
try {
  const client = await Client.of(cloud.cloudsFile, "slipway", atOnce);
  const { network } = await client.make("POST", "/network/v2.0/networks", { network: { name: "net" } });
  const subnet = { network_id: network.id, cidr: "10.1.0.0/24", ip_version: 4 };
  await client.make("POST", "/network/v2.0/subnets", { subnet });
  const { images } = await client.make("GET", "/image/v2/images");
  const { flavors } = await client.make("GET", "/compute/v2.1/flavors");
  const servers = "/compute/v2.1/servers";
  const filesOf = (id: string) => guestFiles(join(folder, "cloud", "guests", id));
  const user_data = Buffer.from(userData).toString("base64");
  const parts = { imageRef: images[0].id, flavorRef: flavors[0].id, networks: [{ uuid: network.id }], user_data };
  const mode = await cgroupMode();
  if (mode.kind === "unusable") throw new Error(mode.reason);

  const bootServer = async (name: string) => {
    const begun = performance.now();
    const { server } = await client.make("POST", servers, { server: { name, ...parts } });
    const isGone = async () => ((await client.ask("GET", `${servers}/${server.id}`)).status === 404 ? true : undefined);
    const end = async () => {
      await client.make("DELETE", `${servers}/${server.id}`);
      await waitFor(`the end of ${name}`, isGone, { timeoutMs: 60_000, intervalMs: 50 });
    };
    return { begun, consoleFile: filesOf(server.id).console, id: server.id as string, end };
  };
  const ours: Way = {
    prepare: async (name) => () => bootServer(name),
    groups: async () => [instanceGroup(mode, cloud.info.instance)],
    processes: [cloud.info.pid],
  };

  // the first guest brings the image into memory, and its config drive is what the bare ones are given
  const drive = join(folder, "config-drive");
  const first = await bootServer("first");
  await whenMarked([first.consoleFile], mark);
  await run("cp", ["--archive", join(filesOf(first.id).root, driveInTree), drive]);
  await first.end();

  const bare: Way = {
    prepare: (name) => prepareBare({ folder: join(folder, name), name, rootfs, drive }),
    groups: async (names) => Promise.all(names.map(async (name) => join(await groupsFolder(), name))),
    processes: [],
  };
  const namesFor = (series: string, count: number) =>
    Array.from({ length: count }, (_, index) => `bench-${process.pid}-${series}-${index}`);
  for (let round = 0; round < rounds; round++) {
    await measure("bare", bare, namesFor(`${round}`, 1));
    await measure("ours", ours, namesFor(`${round}`, 1));
    if (atOnce === 1) continue;
    await measure(`bare, ${atOnce} at once`, bare, namesFor(`m${round}`, atOnce));
    await measure(`ours, ${atOnce} at once`, ours, namesFor(`m${round}`, atOnce));
  }
  client.close();

  const ratio = (samples: Samples, [one, other]: [string, string]) =>
    (median(samples.get(one) ?? []) / median(samples.get(other) ?? [])).toFixed(2);
  const both = (suffix: string): [string, string] => [`ours${suffix}`, `bare${suffix}`];
  const severally = atOnce === 1 ? "" : `; ${atOnce} at once ${ratio(times, both(`, ${atOnce} at once`))}`;
  console.log(machineLine(rounds), "\n");
  console.log(table(times, "ms"));
  console.log(`\nours ÷ bare: ${ratio(times, both(""))}${severally}\n`);
  console.log("CPU time from the first start, or POST, to the last mark:\n");
  console.log(table(cpu, "ms"));
} finally {
  await cloud.remove();
  await rm(folder, { recursive: true, force: true });
}
