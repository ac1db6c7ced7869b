import { constants, type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { isErrno } from "../../../common/errors.ts";
import { namesIn, readTextIfExists, writeFileAtomic } from "../../../common/files.ts";
import { run } from "../../../common/process.ts";
import { waitFor } from "../../../common/wait.ts";
import { guestName, guestNamespace, links } from "../../network/linux/names.ts";
import { ipBatch, listNamespaces, netnsFolder, processesInNamespace } from "../../network/linux/netns.ts";
import type { BalancerEngine, BalancerPlan } from "../engine.ts";
import { haproxyConfig, sockets } from "./config.ts";
import { healthOf } from "./statistics.ts";

interface HaproxyOptions {
  instance: string;
  /** Each balancer's configuration lies in a folder below it. */
  stateDir: string;
}

export const balancerProgram = "haproxy";

const answerTimeoutMs = 2000;

/** In the balancer's folder: the configuration that runs, which the next one is not before it does. */
const appliedFile = "applied";

/**
 * One HAProxy a balancer, in the namespace that its VIP's port is plugged into. It runs on without the cloud, is found by its namespace,
 * and is told apart by its configuration's name, which is in its command line.
 */
export function createHaproxyEngine({ instance, stateDir }: HaproxyOptions): BalancerEngine {
  const folderOf = (id: string) => join(stateDir, "balancers", id);
  const namespaceOf = (id: string) => guestNamespace(instance, id);

  async function processesOf(id: string): Promise<number[]> {
    const name = namespaceOf(id);
    return (await listNamespaces(name)).includes(name) ? processesInNamespace(name) : [];
  }

  async function health(id: string) {
    const csv = await ask(folderOf(id), "show stat\n");
    return csv === undefined ? undefined : healthOf(csv);
  }

  return {
    health,

    async keepOnly(ids) {
      for (const id of await namesIn(join(stateDir, "balancers"))) {
        if (!ids.includes(id)) await rm(folderOf(id), { recursive: true, force: true });
      }
    },

    async apply(plan, replaced) {
      const { id } = plan;
      const namespace = namespaceOf(id);
      await ipBatch(namespace, addressCommands(plan));
      const folder = folderOf(id);
      const name = guestName(instance, id);
      const config = haproxyConfig(plan);
      const running = await health(id);
      if (running !== undefined && (await readTextIfExists(join(folder, appliedFile))) === config) return;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFileAtomic(join(folder, name), config);
      const old = await processesOf(id);
      // returns when the new one listens; the old ones end with their connections
      const takeOver = old.length === 0 ? [] : ["-sf", ...old.map(String)];
      const command = [balancerProgram, "-D", "-C", folder, "-f", name, ...takeOver];
      await run("nsenter", [`--net=${join(netnsFolder, namespace)}`, ...command], { env: { PATH: process.env.PATH } });
      if (running !== undefined) replaced(running);
      await writeFileAtomic(join(folder, appliedFile), config);
    },

    async remove(id) {
      for (const pid of await processesOf(id)) kill(pid);
      const gone = async () => ((await processesOf(id)).length === 0 ? true : undefined);
      await waitFor("a load balancer to end", gone, { timeoutMs: 10_000, intervalMs: 20 });
      await rm(folderOf(id), { recursive: true, force: true });
    },
  };
}

function addressCommands({ vip, prefixLength, gatewayIp }: BalancerPlan): string[] {
  const nic = links.nic(0);
  return [
    "link set lo up",
    `link set ${nic} up`,
    `address replace ${vip}/${prefixLength} dev ${nic}`,
    ...(gatewayIp === null ? [] : [`route replace default via ${gatewayIp} dev ${nic}`]),
  ];
}

/** What HAProxy answers on its socket; undefined where none listens. The folder's path may be longer than a socket's may. */
async function ask(folder: string, command: string): Promise<string | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(folder, constants.O_DIRECTORY | constants.O_RDONLY);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
  try {
    return await exchange(`/proc/self/fd/${handle.fd}/${sockets.stats}`, command);
  } finally {
    await handle.close();
  }
}

function exchange(path: string, command: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    const parts: Buffer[] = [];
    socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error("no answer")));
    socket.on("connect", () => socket.write(command));
    socket.on("data", (part: Buffer) => parts.push(part));
    socket.on("error", () => resolve(undefined));
    socket.on("end", () => resolve(Buffer.concat(parts).toString("utf8")));
    socket.on("close", () => resolve(undefined));
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error; // ended by itself
  }
}
