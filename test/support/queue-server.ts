import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findCommand } from "../../src/cloud/host-packages.ts";
import { unpackDebianPackages } from "../../src/common/debian-packages.ts";
import { endingWithParent } from "../../src/common/ending-with-parent.ts";
import { messageOf } from "../../src/common/errors.ts";
import { cacheHome } from "../../src/common/home.ts";
import { run } from "../../src/common/process.ts";
import { freePort } from "./tcp.ts";

/** A Valkey or Redis that can be started: its path, and where its libraries lie if it is not installed. */
interface QueueProgram {
  path: string;
  libraries?: string;
}

/** What each server is made of, in Debian and Ubuntu. Its libraries are found by what the program asks for. */
const servers = {
  "valkey-server": ["valkey-server", "valkey-tools"],
  "redis-server": ["redis-server", "redis-tools"],
};

/** The queue's server for tests, or why there is none. Looked for once a process. */
export const queueProgram: QueueProgram | { absent: string } = await findQueueProgram();

/** For `describe.skipIf` and a title: why tests of the queue cannot run here; undefined where they can. */
export const queueAbsent: string | undefined = "absent" in queueProgram ? queueProgram.absent : undefined;

/** The machine's own server, else the distribution's package, unpacked in the cache and not installed. */
async function findQueueProgram(): Promise<QueueProgram | { absent: string }> {
  for (const name of Object.keys(servers)) {
    const path = await findCommand(name);
    if (path !== undefined) return { path };
  }
  const reasons: string[] = [];
  for (const name of Object.keys(servers) as (keyof typeof servers)[]) {
    try {
      return await unpackedProgram(name);
    } catch (error) {
      reasons.push(`${name}: ${messageOf(error).split("\n").at(-1)}`);
    }
  }
  return { absent: `no queue server is at hand: ${reasons.join("; ")}` };
}

async function unpackedProgram(name: keyof typeof servers): Promise<QueueProgram> {
  const cache = join(cacheHome(), "test-queue-servers");
  const root = join(cache, name);
  if (!existsSync(root)) {
    await mkdir(cache, { recursive: true });
    const scratch = await mkdtemp(join(cache, "unpack-"));
    try {
      const tree = await unpackDebianPackages(servers[name], scratch);
      await unpackMissingLibraries(join(tree, "usr/bin", name), scratch);
      await rename(tree, root);
    } catch (error) {
      if (!existsSync(root)) throw error; // another run may have been faster
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }
  const libraries = join(root, "usr/lib");
  const [architecture = ""] = existsSync(libraries)
    ? (await readdir(libraries)).filter((folder) => folder.includes("-linux-"))
    : [];
  return { path: join(root, "usr/bin", name), libraries: join(libraries, architecture) };
}

/** Puts the libraries that this machine lacks into the program's tree. They need nothing further themselves: the start would tell. */
async function unpackMissingLibraries(program: string, scratch: string): Promise<void> {
  const { stdout } = await run("ldd", [program]);
  const missing = [...stdout.matchAll(/^\s*(\S+) => not found/gm)].map(([, soname]) => libraryPackage(soname ?? ""));
  if (missing.length === 0) return;
  const more = join(scratch, "libraries");
  await mkdir(more);
  const tree = await unpackDebianPackages(missing, more);
  await run("cp", ["-a", `${tree}/.`, join(scratch, "tree")]);
}

/** The package of a shared library, as Debian's policy names it: `liblzf.so.1` is in liblzf1, `liblua5.1.so.0` in liblua5.1-0. */
function libraryPackage(soname: string): string {
  const [, name = soname, version = ""] = /^(.+)\.so\.(\d+)$/.exec(soname) ?? [];
  return /\d$/.test(name) ? `${name}-${version}` : `${name}${version}`;
}

/** A queue server of a test's own, on loopback. */
export interface QueueServer {
  /** As a host's `serving.json` has it. */
  queue: { host: string; port: number; passwordFile: string };
  password: string;
  pid: () => number;
  /** Ends it; nothing waits on disk unless it writes a log of its appends. */
  stop: (signal?: NodeJS.Signals) => Promise<void>;
  /** Starts it again at the same place, with what the log of its appends holds. */
  restart: () => Promise<void>;
}

/**
 * Starts a server with a password on a free port; the test must stop it, and the kernel does when the test's process is killed.
 * @param folder for its files, one server each
 * @param persistent whether it writes each change to a log on disk once a second, as a host's does, or at once, and reads it at a restart
 */
export async function startQueueServer(
  folder: string,
  { persistent = false }: { persistent?: boolean | "always" } = {},
): Promise<QueueServer> {
  const password = randomBytes(12).toString("hex");
  const passwordFile = join(folder, "queue-password");
  await writeFile(passwordFile, `${password}\n`);
  const config = join(folder, "queue.conf");
  const start = async (port: number) => {
    const lines = [
      "bind 127.0.0.1",
      `port ${port}`,
      `requirepass ${password}`,
      `dir ${folder}`,
      "daemonize no",
      `appendonly ${persistent ? "yes" : "no"}`,
      `appendfsync ${persistent === "always" ? "always" : "everysec"}`,
      'save ""',
      "maxmemory-policy noeviction",
    ];
    await writeFile(config, `${lines.join("\n")}\n`, { mode: 0o600 });
    return launch(config);
  };
  const { port, launched } = await onFreePort(start);
  let server = launched;
  return {
    queue: { host: "127.0.0.1", port, passwordFile },
    password,
    pid: () => server.pid,
    stop: (signal = "SIGKILL") => server.end(signal),
    restart: async () => {
      server = await start(port);
    },
  };
}

interface Launched {
  pid: number;
  end: (signal: NodeJS.Signals) => Promise<void>;
}

/** Starts the server and waits until it takes connections. Throws with what it printed when it ends instead. */
async function launch(config: string): Promise<Launched> {
  if ("absent" in queueProgram) throw new Error(queueProgram.absent);
  const { path, libraries } = queueProgram;
  const env = { ...process.env, ...(libraries !== undefined && { LD_LIBRARY_PATH: libraries }) };
  const [command = path, ...args] = await endingWithParent([path, config]);
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let ended = false;
  const end = once(child, "close").then(() => {
    ended = true;
  });
  await new Promise<void>((resolve, reject) => {
    const look = (chunk: Buffer) => {
      output += chunk.toString();
      if (/ready to accept connections/i.test(output)) resolve();
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    child.once("error", reject);
    child.once("close", (code) => reject(new Error(`the queue server ended with ${code}\n${output}`)));
  });
  return {
    pid: child.pid as number,
    end: async (signal) => {
      if (!ended) child.kill(signal);
      await end;
    },
  };
}

/** A port that was free may be taken by another test before the server has it: then another is tried. */
async function onFreePort(start: (port: number) => Promise<Launched>): Promise<{ port: number; launched: Launched }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    try {
      return { port, launched: await start(port) };
    } catch (error) {
      if (attempt === 5 || !messageOf(error).includes("in use")) throw error;
    }
  }
}
