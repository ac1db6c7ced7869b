import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { ensureText, readTextIfExists, writeFileAtomic } from "../common/files.ts";
import type { Host } from "./host.ts";
import { installPackages, refreshPackages } from "./packages.ts";
import { SERVICE_USER } from "./unit-names.ts";

const servers = ["/usr/bin/valkey-server", "/usr/bin/redis-server"];
/** Debian and Ubuntu call the package as the server; Valkey is younger. */
const packages = ["valkey-server", "redis-server"];

/** The path of the host's Valkey or Redis; installs one where there is none. The distribution's own instance is switched off. */
export async function ensureQueueServer(
  { run }: Host,
  exists: (path: string) => boolean = existsSync,
): Promise<string> {
  if (!servers.some((path) => exists(path))) await installQueueServer(run);
  const server = servers.find((path) => exists(path));
  if (server === undefined) throw new Error("the package installed neither valkey-server nor redis-server");
  for (const name of packages) {
    if (exists(`/lib/systemd/system/${name}.service`)) await switchOff(run, `${name}.service`);
  }
  return server;
}

/** Asks first: disabling what is disabled takes half a second. */
async function switchOff(run: Host["run"], unit: string): Promise<void> {
  const { stdout } = await run("systemctl", ["show", "-p", "UnitFileState", "-p", "ActiveState", unit]);
  const off = stdout.includes("UnitFileState=disabled") && stdout.includes("ActiveState=inactive");
  if (!off) await run("systemctl", ["disable", "--now", "--quiet", unit]);
}

async function installQueueServer(run: Host["run"]): Promise<void> {
  await refreshPackages(run);
  const reasons: string[] = [];
  for (const name of packages) {
    try {
      await installPackages(run, [name]);
      return;
    } catch (error) {
      reasons.push(String(error));
    }
  }
  throw new Error(`no queue server can be installed\n${reasons.join("\n")}`);
}

/**
 * Writes the queue's configuration where it differs, with a password that is made here once and never leaves the host.
 * @param at where it listens
 * @param durable whether what it took must outlast its own end at any moment
 * @returns whether it was written
 */
export async function ensureQueueConfig(
  { paths, run }: Host,
  at: { host: string; port: number },
  durable: boolean,
): Promise<boolean> {
  let password = (await readTextIfExists(paths.queuePassword))?.trim();
  if (password === undefined || password === "") {
    password = randomBytes(32).toString("base64url");
    await writeFileAtomic(paths.queuePassword, `${password}\n`);
  }
  const config = queueConfig({ ...at, password, folder: "/var/lib/slipway/queue", durable });
  const changed = await ensureText(paths.queueConfig, config, 0o600);
  const files = [paths.queuePassword, paths.queueConfig];
  await run("chown", [`root:${SERVICE_USER}`, ...files]);
  for (const file of files) await chmod(file, 0o640);
  return changed;
}

/**
 * Never evicts what BullMQ keeps. Jobs survive a crash with the loss of at most one second, frames of durable models
 * without any: then each write is on the disk before it is answered.
 */
function queueConfig(queue: {
  host: string;
  port: number;
  password: string;
  folder: string;
  durable: boolean;
}): string {
  const { host, port, password, folder, durable } = queue;
  return [
    `bind ${host}`,
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${folder}`,
    "daemonize no",
    "appendonly yes",
    `appendfsync ${durable ? "always" : "everysec"}`,
    'save ""',
    "maxmemory-policy noeviction",
    "",
  ].join("\n");
}
