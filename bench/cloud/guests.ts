import { spawn } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeConfigDrive } from "../../src/cloud/hypervisors/nspawn/guest-folder.ts";
import { nspawnEnvironment } from "../../src/cloud/hypervisors/nspawn/launch.ts";
import { diskOf, ensureMounted, unmountBelow } from "../../src/cloud/hypervisors/nspawn/overlay.ts";
import { ensureGuestImage } from "../../src/cloud/images/guest-image.ts";
import { addSample, median, type Samples, table } from "../report.ts";
import { Client } from "./client.ts";
import { startBenchCloud } from "./started.ts";

const [rounds, many] = [3, 10];
const giveUpMs = 60_000;
/** The guest's clock is the machine's: what it says at its last command needs no look from outside. */
const userData = "#cloud-config\nruncmd:\n- true\n- echo LAST-COMMAND $(date +%s%N) > /dev/console\n";

/** From the POST, or the start of a bare nspawn, to the last `runcmd`; and ten servers that were asked for at once. As Markdown. */
export async function measureGuests(folder: string, tell: (line: string) => void): Promise<string> {
  const samples: Samples = new Map();
  const image = await ensureGuestImage({ kind: "usual", log: tell });
  const cloud = await startBenchCloud(folder, "nspawn");
  const client = await Client.of(cloud.cloudsFile, "slipway");
  try {
    const boot = await serverMaker(client);
    await boot("warm-up");
    for (let round = 0; round < rounds; round++) {
      tell(`round ${round + 1}`);
      addSample(samples, "bare boot", await bareBoot(join(folder, `bare-${round}`), image.rootfs));
      addSample(samples, "server, from the POST", await boot(`one-${round}`));
    }
    const begun = Date.now();
    const all = await Promise.all(Array.from({ length: many }, (_, index) => boot(`many-${index}`)));
    for (const ms of all) addSample(samples, `one of ${many} at once`, ms);
    tell(`${many} at once: ${Date.now() - begun} ms`);
  } finally {
    client.close();
    await cloud.remove();
  }
  const ratio = median(samples.get("server, from the POST") ?? []) / median(samples.get("bare boot") ?? []);
  return `\n${table(samples, "ms to the last runcmd")}\n\nA server ÷ a bare boot: **${ratio.toFixed(2)}**`;
}

/** Makes a server, waits for its last command, and deletes it. @returns milliseconds from the POST to that command */
async function serverMaker(client: Client): Promise<(name: string) => Promise<number>> {
  const { images } = await client.make("GET", "/image/v2/images");
  const { flavors } = await client.make("GET", "/compute/v2.1/flavors");
  const { network } = await client.make("POST", "/network/v2.0/networks", { network: { name: "bench" } });
  const subnet = { network_id: network.id, ip_version: 4, cidr: "10.98.0.0/24" };
  await client.make("POST", "/network/v2.0/subnets", { subnet });
  const fields = {
    ...{ imageRef: images[0].id, flavorRef: flavors[0].id, networks: [{ uuid: network.id }] },
    user_data: Buffer.from(userData).toString("base64"),
  };
  return async (name) => {
    const begun = Date.now();
    const { server } = await client.make("POST", "/compute/v2.1/servers", { server: { ...fields, name } });
    const path = `/compute/v2.1/servers/${server.id}`;
    const said = await lastCommand(async () => {
      const answer = await client.ask("POST", `${path}/action`, { "os-getConsoleOutput": {} });
      return answer.status === 200 ? JSON.parse(answer.text).output : "";
    });
    await client.ask("DELETE", path);
    while ((await client.ask("GET", path)).status !== 404) await sleep(100);
    return said - begun;
  };
}

/** The same image, the same user-data, by nspawn alone. */
async function bareBoot(folder: string, image: string): Promise<number> {
  const disk = diskOf(folder, image);
  await mkdir(folder, { recursive: true });
  await ensureMounted(disk, "slipway-bench");
  const begun = Date.now();
  await writeConfigDrive(disk.target, {
    "openstack/latest/meta_data.json": JSON.stringify({ uuid: crypto.randomUUID(), hostname: "bare", name: "bare" }),
    "openstack/latest/user_data": userData,
  });
  const args = ["--quiet", `--directory=${disk.target}`, "--register=no", "--keep-unit", "--boot", "--private-network"];
  const guest = spawn("systemd-nspawn", [...args, "--console=read-only", "--resolv-conf=off"], {
    env: nspawnEnvironment,
  });
  let console = "";
  guest.stdout.setEncoding("utf8").on("data", (text: string) => {
    console += text;
  });
  const ended = new Promise<void>((resolve) => guest.once("close", () => resolve()));
  try {
    return (await lastCommand(async () => console)) - begun;
  } finally {
    const children = await readFile(`/proc/${guest.pid}/task/${guest.pid}/children`, "utf8").catch(() => "");
    for (const pid of children.split(" ").filter(Boolean)) process.kill(Number(pid), "SIGKILL");
    guest.kill("SIGKILL");
    await ended;
    await unmountBelow(folder);
  }
}

/** Milliseconds since 1970 at which the guest said that it was done. */
async function lastCommand(look: () => Promise<string>): Promise<number> {
  const end = Date.now() + giveUpMs;
  while (Date.now() < end) {
    const found = /LAST-COMMAND (\d+)/.exec(await look());
    if (found !== null) return Number(found[1]) / 1e6;
    await sleep(200);
  }
  throw new Error(`the last command did not run within ${giveUpMs} ms`);
}
