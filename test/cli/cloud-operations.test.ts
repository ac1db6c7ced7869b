import { spawn } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { cloudPlace } from "../../src/cli/named-clouds.ts";
import { logIn } from "../e2e/openstack-http.ts";
import { Slipway } from "../e2e/slipway.ts";

vi.setConfig({ testTimeout: 60_000 });

let slipway: Slipway;
beforeAll(async () => {
  slipway = await Slipway.create();
});
afterAll(async () => {
  await slipway.run(["cloud", "destroy", "--yes", "--name", "ci"]);
  expect(await slipway.remove()).toEqual([]);
});

const cloud = async (...args: string[]) => {
  const { exitCode, result } = await slipway.run(["cloud", ...args]);
  return { exitCode, ...result };
};

const networks = async (): Promise<string[]> => {
  const { headers, endpoint } = await logIn(slipway);
  const answer = await fetch(`${endpoint("network")}/v2.0/networks`, { headers });
  return ((await answer.json()) as { networks: { name: string }[] }).networks.map(({ name }) => name).toSorted();
};

const makeNetwork = async (name: string) => {
  const { headers, endpoint } = await logIn(slipway);
  const init = { method: "POST", headers: { ...headers, "content-type": "application/json" } };
  const answer = await fetch(`${endpoint("network")}/v2.0/networks`, {
    ...init,
    body: JSON.stringify({ network: { name } }),
  });
  expect(answer.status).toBe(201);
};

describe("several clouds of one project", () => {
  it("run side by side, each with a state, a port and logins of its own", async () => {
    const [usual, ci] = await Promise.all([
      cloud("start", "--hypervisor", "fake"),
      cloud("start", "--hypervisor", "fake", "--name", "ci"),
    ]);
    expect(usual).toMatchObject({ ok: true });
    expect(ci).toMatchObject({ ok: true });
    expect(ci.port).not.toBe(usual.port);
    expect(ci.instance).not.toBe(usual.instance);
    expect((await cloud("list")).clouds).toMatchObject([
      { name: "default", entry: "slipway", running: true, port: usual.port },
      { name: "ci", entry: "slipway-ci", running: true, port: ci.port },
    ]);
    const { variables } = await cloud("env", "--admin", "--name", "ci");
    expect(variables).toMatchObject({ OS_CLOUD: "slipway-ci-admin" });
    const clouds = await readFile(join(slipway.home, "clouds.yaml"), "utf8");
    for (const { authUrl } of [usual, ci]) expect(clouds).toContain(`auth_url: ${authUrl}`);
    expect(await cloud("stop", "--name", "ci")).toMatchObject({ stopped: true });
    expect(await cloud("status", "--name", "ci")).toMatchObject({ running: false });
    expect(await cloud("status")).toMatchObject({ running: true, port: usual.port });
    expect(await cloud("destroy", "--yes", "--name", "ci")).toMatchObject({ ok: true });
    expect((await cloud("list")).clouds).toMatchObject([{ name: "default" }]);
    expect(await readFile(join(slipway.home, "clouds.yaml"), "utf8")).not.toContain("slipway-ci");
    expect(await networks()).toEqual(["public"]);
  });

  it("have names that give no cloud's entry to another, and lead nowhere else", async () => {
    for (const name of ["admin", "x-admin", "../up", "A", "", "a".repeat(32)]) {
      expect(() => cloudPlace("/project", name), name).toThrow(expect.objectContaining({ code: "E_USAGE" }));
    }
    expect(cloudPlace("/project", "ci-2")).toMatchObject({ entry: "slipway-ci-2" });
    expect(await cloud("start", "--name", "admin")).toMatchObject({ exitCode: 2, error: { code: "E_USAGE" } });
  });
});

describe("a cloud's state", () => {
  it("is kept, brought back and emptied, and the cloud answers again at its address", async () => {
    await makeNetwork("kept");
    const { authUrl } = await cloud("status");
    expect(await cloud("snapshot", "1")).toMatchObject({ ok: true, snapshot: { name: "1", servers: 0 } });
    await makeNetwork("later");
    expect(await networks()).toEqual(["kept", "later", "public"]);
    expect(await cloud("restore", "1")).toMatchObject({ exitCode: 2, error: { hint: "Add --yes." } });
    expect(await cloud("restore", "2", "--yes")).toMatchObject({ exitCode: 2, error: { hint: "Choose one of 1." } });
    expect(await cloud("restore", "1", "--yes")).toMatchObject({ ok: true });
    expect(await networks()).toEqual(["kept", "public"]);
    expect(await cloud("reset", "--yes")).toMatchObject({ ok: true });
    expect(await networks()).toEqual(["public"]);
    expect(await cloud("status")).toMatchObject({ running: true, authUrl });
    expect((await cloud("snapshots")).snapshots).toMatchObject([{ name: "1" }]);
    expect(await cloud("snapshot", "1", "--delete")).toMatchObject({ deleted: "1" });
    expect((await cloud("snapshots")).snapshots).toEqual([]);
  });

  it("is asked for where there is none", async () => {
    for (const words of [
      ["reset", "--yes"],
      ["snapshot", "a"],
      ["restore", "a", "--yes"],
    ]) {
      expect(await cloud(...words, "--name", "none")).toMatchObject({ exitCode: 2, error: { code: "E_USAGE" } });
    }
    await expect(stat(join(slipway.home, "clouds", "none"))).rejects.toThrow("ENOENT");
  });
});

describe("the logs", () => {
  it("show what was answered, whom, and no secret", async () => {
    const { headers, endpoint } = await logIn(slipway);
    await fetch(`${endpoint("network")}/v2.0/routers?name=x`, { headers });
    await fetch(`${endpoint("object-store")}/c/o?temp_url_sig=0123secret&temp_url_expires=1`);
    const { lines } = await cloud("log", "--requests", "--lines", "2");
    expect(lines).toMatchObject([
      { method: "GET", url: "/network/v2.0/routers?name=x", status: 200, user: "demo", project: "demo" },
      { method: "GET", url: expect.stringContaining("temp_url_sig=…&temp_url_expires=1"), status: 401 },
    ]);
    const daemon = await cloud("log");
    expect(daemon.lines.at(-1)).toMatchObject({ line: expect.stringContaining("answers at") });
    const all = JSON.stringify([await cloud("log", "--requests", "--lines", "1000"), daemon]);
    for (const secret of ["0123secret", String(headers["x-auth-token"])]) expect(all).not.toContain(secret);
  });

  it("are followed until they are interrupted", async () => {
    const seen: string[] = [];
    let asked = false;
    const { exitCode } = await slipway.run(["cloud", "log", "--requests", "--follow", "--lines", "1"], {
      onLine: ({ url }) => void seen.push(String(url)),
      kill: {
        at: () => !asked,
        after: async () => {
          asked = true;
          await networks();
          await vi.waitFor(() => expect(seen).toContain("/network/v2.0/networks"), { timeout: 20_000 });
        },
        signal: "SIGINT",
      },
    });
    expect(exitCode).toBe(130);
  });
});

describe("a shell", () => {
  it("is for clients of this cloud alone, and its status is the command's", async () => {
    const env = { OS_AUTH_URL: "http://other", OS_PASSWORD: "other" };
    const printed = await slipway.print(["cloud", "shell", "--", "env | grep ^OS_ | sort; exit 7"], { env });
    expect(printed.stdout).toBe(`OS_CLIENT_CONFIG_FILE=${join(slipway.home, "clouds.yaml")}\nOS_CLOUD=slipway\n`);
    expect(printed.exitCode).toBe(7);
    const admin = await slipway.print(["cloud", "shell", "--admin", "--", "printenv", "OS_CLOUD"]);
    expect(admin).toMatchObject({ exitCode: 0, stdout: "slipway-admin\n" });
  });

  it("needs a terminal, and a guest that runs", async () => {
    expect(await cloud("shell")).toMatchObject({ exitCode: 2, error: { code: "E_USAGE" } });
    const { exitCode, stderr } = await slipway.print(["cloud", "shell", "web", "--", "true"]);
    expect(stderr).toMatch(/^E_LOOKUP: the cloud has no server web/);
    expect(exitCode).toBe(3);
  });
});

describe("a cloud in the foreground", () => {
  it("says in a line that it answers, and ends with its standard input", async () => {
    const main = join(import.meta.dirname, "../../src/cli/main.ts");
    const child = spawn(process.execPath, [main, "cloud", "run", "--hypervisor", "fake"], {
      cwd: "/",
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ready = JSON.parse(String((await lines.next()).value));
    expect(ready).toMatchObject({ type: "ready", hypervisor: "fake", env: { OS_CLOUD: "slipway" } });
    expect((await fetch(ready.authUrl)).status).toBe(200);
    expect(await readFile(ready.cloudsFile, "utf8")).toContain(ready.authUrl);
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.stdin.end();
    expect(await ended).toBe(0);
    await expect(stat(ready.cloudsFile)).rejects.toThrow("ENOENT");
  });
});
