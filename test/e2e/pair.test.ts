import { spawn } from "node:child_process";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { askOnce, constantLoad } from "../support/constant-load.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { Slipway } from "./slipway.ts";

const skip = await whyNoGuests();
const root = join(import.meta.dirname, "../..");
const row = { rows: [[3, 107, 71, 37, 0, 32.1, 0.715, 25]] };
/** Of this page each command is run, as it stands there and in its order. */
const howTo = await readFile(join(root, "docs/how-to/development-and-production.md"), "utf8");
const commands = [...howTo.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = ""]) =>
  block
    .split("\n")
    .map((line) => line.replace(/\s+# .*$/, "").trim())
    .filter(Boolean),
);

describe.skipIf(skip !== undefined)(`development and production${skip === undefined ? "" : ` (${skip})`}`, () => {
  let slipway: Slipway;
  let env: Record<string, string>;
  let url: string;
  let load: ReturnType<typeof constantLoad<string>>;

  beforeAll(async () => {
    slipway = await Slipway.create();
    const bin = join(slipway.projectRoot, "commands");
    await mkdir(bin);
    const main = join(root, "src/cli/main.ts");
    await writeFile(join(bin, "slipway"), `#!/bin/sh\nexec ${process.execPath} ${main} "$@"\n`);
    await chmod(join(bin, "slipway"), 0o755);
    const author = { GIT_AUTHOR_NAME: "Ada", GIT_AUTHOR_EMAIL: "ada@example.org" };
    env = {
      ...{ PATH: `${bin}:${process.env.PATH}`, OS_CLOUD: "slipway", SLIPWAY_ENGINE: "embedded" },
      ...{ ...author, GIT_COMMITTER_NAME: "Ada", GIT_COMMITTER_EMAIL: "ada@example.org" },
      // what this machine's user has configured must not decide what is tested
      ...{ GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null", SSH_AUTH_SOCK: "" },
    };
    // the page begins with a project that has no stacks
    await rm(join(slipway.projectRoot, "stacks/Pulumi.production.yaml"));
    expect((await slipway.run(["cloud", "start"])).result).toMatchObject({ ok: true, hypervisor: "nspawn" });
  });
  afterAll(async () => {
    await load?.stop();
    expect(await slipway?.remove()).toEqual([]);
  });

  /** Types a line in one shell after the other; what is exported stays. */
  async function type(line: string) {
    const script = `${line}\nstatus=$?; printf '\\n%s' "$GIT_SSH_COMMAND" >&3; exit $status`;
    const child = spawn("bash", ["-c", script], {
      cwd: slipway.projectRoot,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      timeout: 170_000,
    });
    const texts = ["", ""];
    for (const [index, streams] of [[child.stdout, child.stderr], [child.stdio[3]]].entries()) {
      for (const stream of streams) stream?.on("data", (chunk: Buffer) => (texts[index] += chunk.toString()));
    }
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    const ssh = texts[1]?.trim();
    if (ssh) env.GIT_SSH_COMMAND = ssh;
    return { status, output: stripVTControlCharacters(texts[0] ?? "") };
  }

  /** Runs the page's commands up to the one that begins so, without it. */
  async function readOnTo(beginning: string | undefined): Promise<string> {
    let said = "";
    for (;;) {
      const [next] = commands;
      if (next === undefined || (beginning !== undefined && next.startsWith(beginning))) return said;
      commands.shift();
      const { status, output } = await type(next);
      expect(`${next}: ${status}\n${output}`).toContain(`${next}: 0\n`);
      said += output;
    }
  }

  async function served(): Promise<{ name: string; version: string; digest: string }> {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${url}/v1/predict`, { method: "POST", headers, body: JSON.stringify(row) });
    return ((await answer.json()) as { model: { name: string; version: string; digest: string } }).model;
  }

  it("one command brings both up", async () => {
    await readOnTo("slipway up");
    const file = join(slipway.projectRoot, "stacks/Pulumi.production.yaml");
    const { config } = parse(await readFile(file, "utf8"));
    const accuracy = { table: "models/diabetes/development/data.csv", target: "class", min: 0.7, maxDrop: 0.07 };
    await writeFile(file, stringify({ config: { ...config, "slipway:gate": { watchSeconds: 1, accuracy } } }));
    const said = await readOnTo("slipway train");
    expect(said).toMatch(/development serves:[\s\S]*production serves:/);
    const { result } = await slipway.run(["status", "production"]);
    expect(result).toMatchObject({
      ok: true,
      health: "serving",
      git: expect.stringMatching(/^git@[\d.]+:model\.git$/),
    });
    url = result.url;
    load = constantLoad<string>(
      async (agent) => {
        const { status, text } = await askOnce(agent, `${url}/v1/predict`, {
          body: row,
          signal: AbortSignal.timeout(20_000),
        });
        if (status !== 200) throw new Error(`${status} ${text}`);
        return JSON.parse(text).model.digest;
      },
      { keeping: 1, fresh: 1, idling: 1 },
    );
  });

  it("what development has trained serves on production once it is promoted", async () => {
    const before = await served();
    const said = await readOnTo("slipway ssh");
    const [, digest] = /serves diabetes version 1\.1, (sha256:[0-9a-f]{64})/.exec(said) ?? [];
    expect(digest).toBeDefined();
    expect(await served()).toMatchObject({ name: "diabetes", version: "2", digest });
    expect((await served()).digest).not.toBe(before.digest);
    expect(said).toContain("promote of development 1.1");
    const again = await slipway.run(["promote", "production", "--from", "development"]);
    expect(again).toMatchObject({ exitCode: 0, result: { changed: false } });
  });

  it("a push with the deploy key is released, and whoever pushed reads the gate's result", async () => {
    const said = await readOnTo("slipway down");
    expect(said).toMatch(/remote: slipway: passed accuracy: accuracy 0\.8118 \(621 of 765 rows\)/);
    expect(said).toMatch(/remote: slipway: production serves diabetes 2\.1, release 2\.1, after/);
    expect(await served()).toMatchObject({ version: "2.1" });
    const { releases } = (await slipway.run(["releases", "production"])).result;
    expect(releases.at(-1)).toMatchObject({ release: "2.1", kind: "push", result: "passed", push: { branch: "main" } });
  });

  it("another branch, a model that the gate refuses, and a shell are refused with the reason; the branch stays", async () => {
    const other = await type("git -C diabetes push production HEAD:experiment");
    expect(other.output).toContain("remote: slipway: the branch experiment is not released here: main alone is");
    expect(other.status).toBe(1);

    // hardly trained
    const data = ["--data", "models/diabetes/development/data.csv"];
    await slipway.run(["train", ...data, "--network", "snic", "--epochs", "1", "--output", "worse"]);
    const refused = await type(
      "cd diabetes && git rm -qr . && cp ../worse/* . && git add . && git commit -qm worse && git push production main",
    );
    expect(refused.output).toMatch(/remote: slipway: refused (accuracy|drop): accuracy 0\.\d+ /);
    expect(refused.output).toContain("still serves, and the branch stays where it is");
    expect(refused.status).toBe(1);
    expect(await served()).toMatchObject({ version: "2.1" });

    // the branch is where the good push has left it: git tells in its first words to whoever pushes
    const advertised = await type("git -C diabetes push --dry-run --porcelain production HEAD~1:main");
    expect(advertised.output).toContain("[up to date]");

    const shell = await type(`$GIT_SSH_COMMAND git@${new URL(url).hostname} id`);
    expect(shell.output).toContain("slipway: this key pushes models to production with git, and does nothing else");
    expect(shell.output).not.toContain("uid=");
    expect(shell.status).toBe(1);
  });

  it("`deploy` and `rollback` work upon what was pushed", async () => {
    const back = await slipway.run(["rollback", "production"]);
    expect(back.result).toMatchObject({ ok: true, changed: true, kind: "rollback", model: { version: "2" } });
    expect((await slipway.run(["check", "production"])).result).toMatchObject({ ok: true });
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(new Set(load.answers).size).toBeGreaterThanOrEqual(3);
  });

  it("`down` leaves nothing of either", async () => {
    expect(commands).toEqual(["slipway down development production --yes"]);
    await readOnTo(undefined);
  });
});
