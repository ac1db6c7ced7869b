import { spawn } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../src/common/wait.ts";
import { askOnce, constantLoad } from "../support/constant-load.ts";
import { writeFickleModel } from "./fickle.ts";
import { inside } from "./guests/inside.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { Slipway } from "./slipway.ts";

const root = join(import.meta.dirname, "../..");
const skip = await whyNoGuests();

/** What `podman ps --format json` tells. */
interface Container {
  Id: string;
  Names: string[];
  Ports: unknown;
}

/** The commands of the page's shell blocks. */
async function pageCommands(): Promise<string[]> {
  const text = await readFile(join(root, "docs/how-to/containers.md"), "utf8");
  const blocks = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block = ""]) => block);
  return blocks.flatMap((block) => block.split("\n")).filter(Boolean);
}

describe.skipIf(skip !== undefined)(`services in containers${skip === undefined ? "" : ` (${skip})`}`, () => {
  let slipway: Slipway;
  let url: string;
  let golden: { rows: number[][]; outputs: number[] };
  let page: string[];

  /** Types the page's next command, which is about this, as a person would in the project's folder. */
  const type = async (about: string) => {
    const line = page.shift() ?? "";
    expect(line).toContain(about);
    const env = {
      ...process.env,
      PATH: `${join(slipway.home, "bin")}:${process.env.PATH}`,
      SLIPWAY_ENGINE: "embedded",
    };
    const child = spawn("bash", ["-c", line], { cwd: slipway.projectRoot, env, timeout: 170_000 });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    const status = await new Promise((resolve) => child.on("close", resolve));
    expect(status, output).toBe(0);
    return output;
  };
  let host: ReturnType<typeof inside>;
  const containers = async (): Promise<Container[]> =>
    JSON.parse(await host.inGuest("podman", "ps", "--format", "json"));
  const names = async () => (await containers()).flatMap(({ Names }) => Names).sort();
  const predict = () =>
    fetch(`${url}/v1/predict`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ rows: golden.rows }),
    }).then(
      (answer) => answer.json() as Promise<{ model: { version: string }; predictions: { probability: number }[] }>,
    );
  const load = () =>
    constantLoad((agent) => askOnce(agent, `${url}/v1/predict`, { body: { rows: golden.rows.slice(0, 2) } }), {
      keeping: 2,
      fresh: 1,
      idling: 2,
    });

  beforeAll(async () => {
    slipway = await Slipway.create();
    await mkdir(join(slipway.home, "bin"));
    const command = join(slipway.home, "bin/slipway");
    await writeFile(command, `#!/bin/sh\nexec '${process.execPath}' '${join(root, "src/cli/main.ts")}' "$@"\n`);
    await chmod(command, 0o755);
    page = await pageCommands();
    golden = JSON.parse(await readFile(join(root, "models/diabetes/production/golden.json"), "utf8"));
    await type("cloud start --containers");
    await type("set image");
    await type("addressPool");
    await type("up production");
    const { result } = await slipway.run(["status", "production"]);
    url = result.url;
    host = inside(join(slipway.home, "cloud"), result.hosts[0].id);
  });
  afterAll(async () => {
    expect(await slipway?.remove()).toEqual([]);
  });

  it("answer what they do on the host itself, from a network with the host's MTU and a subnet of the pool", async () => {
    const { predictions } = await predict();
    for (const [at, { probability }] of predictions.entries())
      expect(probability).toBeCloseTo(golden.outputs[at] ?? -1, 5);
    const listed = await type("podman ps");
    for (const name of ["queue", "runtime-default-0", "runtime-default-1", "frontend-a", "worker-1"]) {
      expect(listed).toContain(`slipway-${name}\n`);
    }
    const { shell } = host;
    const mtus = await shell(
      'cat /sys/class/net/slipway0/mtu /sys/class/net/ens3/mtu; podman exec slipway-worker-1 /opt/slipway/current/runtime/bin/node -p \'require("fs").readFileSync("/sys/class/net/eth0/mtu", "utf8").trim()\'',
    );
    expect(mtus.trim().split("\n")).toEqual(["1450", "1450", "1450"]);
    expect(await shell("ip -4 -oneline address show slipway0")).toContain(" 10.89.0.1/24 ");
  });

  it("publish no port: the queue listens in its container alone, as nobody who may do anything", async () => {
    const { shell } = host;
    const listening = await shell("ss --no-header --listening --tcp --numeric");
    expect(listening).toMatch(/:5100\b/);
    expect(listening).not.toMatch(/:6379\b/);
    for (const { Ports } of await containers()) expect(Ports ?? []).toEqual([]);
    const status = await shell("grep -h -E '^(Uid|CapEff|NoNewPrivs)' /proc/$(pgrep -o valkey-server)/status");
    expect(status).toMatch(/^CapEff:\s0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\s1$/m);
    expect(status).not.toMatch(/^Uid:\s0\b/m);
  });

  it("`scale worker=3` has three workers do jobs, and touches nothing else", async () => {
    const before = await containers();
    await type("worker=3");
    const after = await containers();
    expect(after.map(({ Id }) => Id)).toEqual(expect.arrayContaining(before.map(({ Id }) => Id)));
    expect(after.flatMap(({ Names }) => Names)).toEqual(
      expect.arrayContaining([1, 2, 3].map((number) => `slipway-worker-${number}`)),
    );
    const { shell } = host;
    const body = { rows: Array.from({ length: 2000 }, (_, row) => golden.rows[row % golden.rows.length]) };
    const jobs = Array.from({ length: 24 }, async () => {
      const options = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
      const { id } = (await (await fetch(`${url}/v1/jobs`, options)).json()) as { id: string };
      const done = async () => {
        const job = (await (await fetch(`${url}/v1/jobs/${id}`)).json()) as { state: string };
        return job.state === "completed" || undefined;
      };
      await waitFor(`job ${id}`, done, { timeoutMs: 120_000, maxIntervalMs: 500 });
    });
    await Promise.all(jobs);
    // a worker does jobs in processes of its own, which are there once it had one
    for (const number of [1, 2, 3]) {
      expect(await shell(`systemctl status --no-pager --full slipway-worker@${number}`)).toContain("/job.mjs");
    }
    expect(await readFile(join(slipway.projectRoot, "stacks/Pulumi.production.yaml"), "utf8")).toMatch(/worker: 3/);
  });

  it("with another number of runtimes all of them are exchanged, and no request fails", async () => {
    const { answers, failures, stop } = load();
    await type("runtime=3");
    await stop();
    console.log(`${answers.length} requests while containers were exchanged, ${failures.length} of them failed`);
    expect(failures).toEqual([]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await names()).toEqual(
      expect.arrayContaining(["slipway-frontend-b", "slipway-runtime-default-2", "slipway-worker-3"]),
    );
    expect(await names()).not.toContain("slipway-frontend-a");
  });

  it("a model is released by its digest without another container and without a failed request", async () => {
    const before = await containers();
    const { answers, failures, stop } = load();
    await type("deploy production");
    await stop();
    console.log(`${answers.length} requests during a model's release, ${failures.length} of them failed`);
    expect(failures).toEqual([]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect((await predict()).model.version).toBe("2");
    expect((await containers()).map(({ Id }) => Id).sort()).toEqual(before.map(({ Id }) => Id).sort());
  });

  it("a model that the host refuses leaves the old one", async () => {
    const fickle = await writeFickleModel(slipway.projectRoot);
    const { exitCode, result } = await slipway.run(["deploy", "production", "--model", fickle]);
    expect(result.error).toMatchObject({ code: "E_GATE_FAILED" });
    expect(exitCode).toBe(6);
    expect((await predict()).model.version).toBe("2");
    expect(await type("rollback")).toContain("diabetes version 1");
  });

  it("run from the compose file alike, by another tool", async () => {
    await type("podman-compose");
    const answering = async () => (await predict().catch(() => undefined))?.model.version;
    expect(await waitFor("the composed services", answering, { timeoutMs: 120_000 })).toBe("1");
    const composed = await names();
    expect(composed.filter((name) => name.startsWith("slipway_worker_"))).toHaveLength(3);
    expect(composed.filter((name) => name.startsWith("slipway_runtime-default-"))).toHaveLength(3);
    const { shell } = host;
    expect((await shell("podman-compose --file /etc/slipway/compose.yaml config")).length).toBeGreaterThan(0);
    expect(
      await shell("cat /sys/class/net/$(podman network inspect slipway --format '{{.NetworkInterface}}')/mtu"),
    ).toBe("1450\n");
    expect(await shell("ss --no-header --listening --tcp --numeric")).not.toMatch(/:6379\b/);
  });

  it("`down` leaves nothing", async () => {
    expect(await type("down production")).toContain("production is gone; nothing with its tag is left");
    expect(page).toEqual([]);
  });
});
