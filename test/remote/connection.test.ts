import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import ssh2 from "ssh2";
import { afterEach, describe, expect, it } from "vitest";
import { waitFor } from "../../src/common/wait.ts";
import { awaitSsh } from "../../src/remote/await-ssh.ts";
import { connectSsh, type SshConnection, type SshTarget } from "../../src/remote/connection.ts";
import { makeKeyPair } from "../../src/remote/key-pair.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { SshHost } from "./ssh-host.ts";

const hasAgent = spawnSync("ssh-add", ["-?"]).error === undefined;

const login = makeKeyPair();
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function startHost(...options: Parameters<typeof SshHost.start>): Promise<SshHost> {
  const host = await SshHost.start(...options);
  closing.push(() => host.stop());
  return host;
}

const targetOf = (host: SshHost, more: Partial<SshTarget> = {}): SshTarget => ({
  host: "127.0.0.1",
  port: host.port,
  user: "debian",
  name: "server-g1",
  hostKeys: host.keys,
  identities: [{ key: login.private }],
  ...more,
});

async function logIn(target: SshTarget): Promise<SshConnection> {
  const connection = await connectSsh(target);
  closing.push(() => connection.close());
  return connection;
}

describe("the host's key", () => {
  it("is one of the pinned ones, or nobody logs in", async () => {
    const [host, other] = [await startHost(), await startHost()];
    await expect(connectSsh(targetOf(host, { hostKeys: other.keys }))).rejects.toMatchObject({
      code: "E_HOST_KEY",
      exitCode: 5,
      details: [expect.stringMatching(/^presented: SHA256:/), expect.stringMatching(/^pinned: {4}SHA256:/)],
    });
    expect(host.attempts).toEqual([]);
  });

  it("of another kind than the pinned ones is refused as well", async () => {
    const host = await startHost();
    const rsa = ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 }).public.split(" ");
    const hostKeys = [{ type: rsa[0] ?? "", base64: rsa[1] ?? "" }];
    await expect(connectSsh(targetOf(host, { hostKeys }))).rejects.toMatchObject({ code: "E_HOST_KEY" });
    expect(host.attempts).toEqual([]);
  });

  it("that is not known at all is not asked for", async () => {
    const host = await startHost();
    await expect(connectSsh(targetOf(host, { hostKeys: [] }))).rejects.toMatchObject({ code: "E_HOST_KEY" });
    await expect(awaitSsh(targetOf(host, { hostKeys: [] }), patience(10_000))).rejects.toMatchObject({
      code: "E_HOST_KEY",
    });
    expect(host.attempts).toEqual([]);
  });
});

describe("a login", () => {
  it("tries the keys in order", async () => {
    const host = await startHost({ authorized: [login.public] });
    const stranger = makeKeyPair();
    const connection = await logIn(targetOf(host, { identities: [{ key: stranger.private }, { key: login.private }] }));
    expect(await connection.run("echo in")).toBe("in\n");
  });

  it.skipIf(!hasAgent)("may be an agent's: the key never leaves it", async () => {
    const host = await startHost({ authorized: [login.public] });
    const connection = await logIn(targetOf(host, { identities: [{ agent: await startAgent(login.private) }] }));
    expect(await connection.run("echo in")).toBe("in\n");
  });

  it("that the host refuses is told at once, with the name", async () => {
    const host = await startHost({ authorized: [] });
    const failure = await awaitSsh(targetOf(host), patience(30_000)).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "E_SSH", message: "server-g1 does not let in debian with the keys at hand" });
  });

  it("waits for a host that does not listen yet, and tells the last reason when it never does", async () => {
    const free = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => free.once("listening", resolve));
    const { port } = free.address() as { port: number };
    await new Promise((resolve) => free.close(resolve));
    const nobody = { ...targetOf(await startHost()), port };
    await expect(awaitSsh(nobody, patience(1500))).rejects.toMatchObject({
      code: "E_SSH",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it("goes through a host in between", async () => {
    const [between, host] = [await startHost(), await startHost()];
    const through = await logIn(targetOf(between, { name: "the jump host" }));
    const connection = await logIn(targetOf(host, { through }));
    expect(await connection.run("echo far")).toBe("far\n");
    const astray = targetOf(host, { through, hostKeys: between.keys });
    await expect(connectSsh(astray)).rejects.toMatchObject({ code: "E_HOST_KEY" });
  });
});

describe("a command", () => {
  it("reads its input to the last byte", async () => {
    const connection = await logIn(targetOf(await startHost()));
    const chunk = Buffer.alloc(100_000, "x");
    const input = Readable.from(Array.from({ length: 80 }, () => chunk));
    expect((await connection.run("wc -c", { input })).trim()).toBe("8000000");
  });

  it("that fails has its status and its last words", async () => {
    const connection = await logIn(targetOf(await startHost()));
    await expect(connection.run("echo first >&2; echo no space left >&2; exit 7")).rejects.toMatchObject({
      name: "RemoteCommandError",
      status: 7,
      message: "no space left",
    });
  });

  it("that ends before it has read everything is told by its status, not by the torn pipe", async () => {
    const connection = await logIn(targetOf(await startHost()));
    const input = Readable.from(Array.from({ length: 200 }, () => Buffer.alloc(100_000)));
    await expect(connection.run("head -c 10 >/dev/null; exit 3", { input })).rejects.toMatchObject({ status: 3 });
  });

  it("has a deadline", async () => {
    const connection = await logIn(targetOf(await startHost()));
    await expect(connection.run("sleep 60", { timeoutMs: 300 })).rejects.toMatchObject({ code: "E_TIMEOUT" });
    expect(await connection.run("echo still here")).toBe("still here\n");
  });

  it("ends with the interruption", async () => {
    const connection = await logIn(targetOf(await startHost()));
    const reason = new Error("Ctrl-C");
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 100);
    await expect(connection.run("sleep 60", { signal: controller.signal })).rejects.toBe(reason);
  });

  it("whose connection breaks fails, and so does every later one", async () => {
    const host = await startHost();
    const connection = await logIn(targetOf(host));
    setTimeout(() => host.cut(), 200);
    await expect(connection.run("sleep 60")).rejects.toMatchObject({ code: "E_SSH" });
    await expect(connection.run("true")).rejects.toMatchObject({ code: "E_SSH" });
  });
});

/** OpenSSH's own agent, holding one key. @returns its socket */
async function startAgent(key: string): Promise<string> {
  const folder = temporaryFolder();
  const [socket, file] = [join(folder, "agent"), join(folder, "key")];
  writeFileSync(file, key, { mode: 0o600 });
  const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
  closing.push(() => void agent.kill());
  await waitFor("the agent", async () => existsSync(socket) || undefined, { timeoutMs: 10_000 });
  execFileSync("ssh-add", ["-q", file], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: "ignore" });
  return socket;
}

function patience(timeoutMs: number) {
  return { timeoutMs, signal: new AbortController().signal };
}
