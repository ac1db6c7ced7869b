import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../src/common/process.ts";
import { waitFor } from "../../src/common/wait.ts";
import type { ReleaseReport, ReleaseStatus } from "../../src/guest/release-progress.ts";
import { isAlive } from "../support/alive.ts";
import { connectTo } from "../support/tcp.ts";
import { inside } from "./guests/inside.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { listOf, logIn, postJson } from "./openstack-http.ts";
import { Slipway } from "./slipway.ts";

interface Golden {
  rows: number[][];
  outputs: number[];
}

const models = join(import.meta.dirname, "../../models/diabetes");
const goldenOf = async (variant: string) =>
  JSON.parse(await readFile(join(models, variant, "golden.json"), "utf8")) as Golden;
// Not part of the project: it has no licence.
const snic = join(import.meta.dirname, "../../../shared/data/snic/production");
const skip = await whyNoGuests();

describe.skipIf(skip !== undefined)(
  `from an empty cloud to a served prediction${skip === undefined ? "" : ` (${skip})`}`,
  () => {
    let slipway: Slipway;
    // biome-ignore lint/suspicious/noExplicitAny: the final object of `up`, looked into with matchers
    let first: any;

    beforeAll(async () => {
      slipway = await Slipway.create();
      const cloud = await slipway.run(["cloud", "start"]);
      expect(cloud.result).toMatchObject({ ok: true, hypervisor: "nspawn" });
    });
    afterAll(async () => {
      expect(await slipway?.remove()).toEqual([]);
    });

    it("`up` ends with the predictions that Keras computed", async () => {
      const { exitCode, result } = await slipway.run(["up", "production"]);
      expect(result).toMatchObject({
        ok: true,
        engine: "embedded",
        changed: true,
        model: { name: "diabetes", version: "1" },
      });
      expect(exitCode).toBe(0);
      first = result;
      await expectGolden(result.url, await goldenOf("production"));
    });

    it("answers the routes of the system that it replaces", async () => {
      const page = await fetch(`${first.url}/predictions`, { method: "POST" });
      expect(page.status).toBe(200);
      const lines = (await readFile(join(models, "production", "data.csv"), "utf8")).trim().split("\n");
      expect((await page.text()).match(/<tr/g)).toHaveLength(lines.length); // the first names the columns, in both
      for (const path of ["/", "/accuracy", "/predictions", "/version", "/v2/health/live", "/v2/health/ready"]) {
        expect((await fetch(first.url + path)).status).toBe(200);
      }
    });

    it("predicts through the queue", async () => {
      const { rows, outputs } = await goldenOf("production");
      const made = await postJson(`${first.url}/v1/jobs`, { rows });
      expect(made.status).toBe(202);
      const { id } = (await made.json()) as { id: string };
      let job = { state: "" } as { state: string; result?: { predictions: { probability: number }[] } };
      for (let look = 0; look < 50 && job.state !== "completed"; look++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        job = (await (await fetch(`${first.url}/v1/jobs/${id}`)).json()) as typeof job;
      }
      expect(job.state).toBe("completed");
      expect(job.result?.predictions.map(({ probability }) => probability)).toEqual(
        outputs.map((p) => expect.closeTo(p, 5)),
      );
    });

    it("keeps every other port closed: a connection times out", async () => {
      const host = new URL(first.url).hostname;
      expect(await connectTo(host, 5100)).toBe("connected");
      expect(await connectTo(host, 6379)).toBe("timed out");
    });

    it("a second `up` changes nothing and says so", async () => {
      const { result, exitCode } = await slipway.run(["up", "production"]);
      expect(result).toMatchObject({ ok: true, changed: false, url: first.url, hosts: [{ id: first.hosts[0].id }] });
      expect(exitCode).toBe(0);
    });

    it("`preview`, `status`, `check` and `logs` agree", async () => {
      expect((await slipway.run(["preview", "production"])).result).toMatchObject({ ok: true, plan: [] });
      expect((await slipway.run(["status", "production"])).result).toMatchObject({
        ok: true,
        health: "serving",
        url: first.url,
      });
      expect((await slipway.run(["check", "production"])).result).toMatchObject({
        ok: true,
        model: { digest: first.model.digest },
      });
      const { result } = await slipway.run(["logs", "production"]);
      expect(result.journal.at(-1).entry).toMatchObject({ type: "verdict", ok: true });
    });

    it("another model replaces the first on the same host, and `logs --follow` tells it meanwhile", async () => {
      const isVerdict = (line: object) => (line as { entry?: { sequence?: number } }).entry?.sequence === 2;
      const follow = ["logs", "production", "--follow"];
      const following = slipway.run(follow, { kill: { signal: "SIGINT", at: isVerdict } });
      const { result } = await slipway.run(["up", "production", "--model", "models/diabetes/development"]);
      const { exitCode, lines } = await following;
      expect(lines.find(isVerdict)).toMatchObject({ type: "journal", host: "server-g1", entry: { ok: true } });
      expect(exitCode).toBe(130);
      expect(result).toMatchObject({
        ok: true,
        changed: true,
        model: { version: "2" },
        hosts: [{ id: first.hosts[0].id }],
      });
      expect(result.model.digest).not.toBe(first.model.digest);
      await expectGolden(first.url, await goldenOf("development"));
    });

    it("a release wakes its host, whose agent may be killed in it: whoever asks meanwhile is answered", async () => {
      const variants = { production: await goldenOf("production"), development: await goldenOf("development") };
      const callers = keepAsking(first.url, Object.values(variants));
      const status = async () => (await (await fetch(`${first.url}/v1/release`)).json()) as ReleaseStatus;
      const agent = inside(join(slipway.home, "cloud"), first.hosts[0].id);
      for (const variant of ["production", "development"] as const) {
        const { result } = await slipway.run([
          "payload",
          "push",
          "production",
          "--model",
          `models/diabetes/${variant}`,
        ]);
        expect((await fetch(`${first.url}/v1/release/look`, { method: "POST" })).status).toBe(202);
        const answers = async () => (await status()).serves.sequence === result.sequence;
        await waitFor("the switch", async () => (await answers()) || undefined, { timeoutMs: 60_000, intervalMs: 20 });
        await expectGolden(first.url, variants[variant]);
        if (variant === "production") await agent.inGuest("systemctl", "kill", "-s", "KILL", "slipway-agent.service");
        await waitUntil("its end", async () => (await status()).last.result !== "underway", 60_000);
        const { serves, last } = await status();
        expect(serves).toMatchObject({ sequence: result.sequence, model: result.model });
        expect(last).toMatchObject({ sequence: result.sequence, result: "passed", phase: "settle" });
        console.log(`release ${variant}, milliseconds by phase: ${JSON.stringify(last.ms)}`);
      }
      const { releases } = (await (await fetch(`${first.url}/v1/releases`)).json()) as { releases: ReleaseReport[] };
      expect(releases.map(({ sequence, result }) => [sequence, result])).toEqual(
        [4, 3, 2, 1].map((sequence) => [sequence, "passed"]),
      );
      const counted = await callers.end();
      console.log(`${counted.answered} answers, ${counted.problems.length} problems`);
      expect(counted.problems).toEqual([]);
      expect(counted.answered).toBeGreaterThan(100);
    });

    it.skipIf(!existsSync(snic))("the source system's own model predicts as it did there", async () => {
      const { result } = await slipway.run(["up", "production", "--model", snic]);
      expect(result).toMatchObject({ ok: true, changed: true });
      const rows = (await readFile(join(snic, "pima-indians-diabetes.csv"), "utf8")).trim().split("\n");
      await expectGolden(first.url, {
        rows: rows.map((row) => row.split(",").slice(0, 8).map(Number)),
        outputs: [0.34846, 0.57979, 0.60525, 0.27471, 0.26593, 0.26512, 0.48892],
      });
      expect((await slipway.run(["up", "production", "--model", "models/diabetes/development"])).result).toMatchObject({
        ok: true,
      });
    });

    describe("the guest serves again, without us, after it was", () => {
      const act = async (action: object) => {
        const { headers, endpoint } = await logIn(slipway);
        const answer = await postJson(`${endpoint("compute")}/servers/${first.hosts[0].id}/action`, action, headers);
        expect(answer.status).toBe(202);
      };
      const verdict = async () => {
        const { journal } = (await slipway.run(["logs", "production"])).result;
        return journal.findLast(({ entry }: { entry: { type: string } }) => entry.type === "verdict");
      };
      const guest = () => inside(join(slipway.home, "cloud"), first.hosts[0].id);
      const isOff = async () => {
        const [server] = (await listOf(slipway, "compute", "servers/detail")) as { status: string }[];
        return server?.status === "SHUTOFF";
      };
      const ways: Record<string, () => Promise<void>> = {
        "rebooted from inside": () => guest().reboot(),
        "rebooted by Nova": () => act({ reboot: { type: "SOFT" } }),
        "killed and rebooted by Nova": () => act({ reboot: { type: "HARD" } }),
        "killed from outside, and started by Nova": async () => {
          process.kill(Number(await guest().nspawn()), "SIGKILL");
          await waitUntil("the server to be off", isOff, 20_000);
          await act({ "os-start": null });
        },
      };
      it.each(Object.keys(ways))("%s", async (way) => {
        const [booted, earlier] = [await guest().nspawn(), await verdict()];
        await ways[way]?.();
        await waitUntil("another boot", async () => ![undefined, booted].includes(await guest().nspawn()), 60_000);
        await waitUntil("the endpoint", () => healthy(first.url), 60_000);
        await waitUntil("its verdict", async () => (await verdict()).boot !== earlier.boot, 60_000);
        expect((await verdict()).entry).toMatchObject({ ok: true, model: { version: earlier.entry.model.version } });
        await expectGolden(first.url, await goldenOf("development"));
      });
    });

    it("a daemon that was killed finds everything again, and nobody who asks the endpoint notices", async () => {
      const things = async () => ({
        servers: await listOf(slipway, "compute", "servers/detail"),
        ports: await listOf(slipway, "network", "ports"),
        addresses: await listOf(slipway, "network", "floatingips"),
      });
      const before = await things();
      const { pid } = (await slipway.run(["cloud", "status"])).result;
      process.kill(pid, "SIGKILL");
      await waitUntil("the daemon to be gone", async () => !isAlive(pid), 5000);
      await expectGolden(first.url, await goldenOf("development"));
      expect((await slipway.run(["cloud", "start"])).result).toMatchObject({ ok: true });
      expect(await things()).toEqual(before);
      expect((await slipway.run(["up", "production", "--model", "models/diabetes/development"])).result).toMatchObject({
        ok: true,
        changed: false,
      });
    });

    it("`down --backup` fetches the host's models and jobs, and leaves nothing with the stack's tag", async () => {
      const folder = join(slipway.projectRoot, "saved");
      const { result, exitCode } = await slipway.run(["down", "production", "--yes", "--backup", folder]);
      expect(result, JSON.stringify(result)).toMatchObject({ ok: true, leftovers: [], kept: [] });
      const { stdout } = await run("tar", ["-tf", result.backup.file]);
      const queue = expect.stringMatching(/^queue\/appendonlydir\/.*\.aof$/);
      expect(stdout.split("\n")).toEqual(expect.arrayContaining(["models/registry.json", "release.json", queue]));
      expect(exitCode).toBe(0);
      expect(await healthy(first.url)).toBe(false);
    });
  },
);

async function expectGolden(url: string, { rows, outputs }: Golden): Promise<void> {
  const answer = await postJson(`${url}/v1/predict`, { rows });
  const { predictions } = (await answer.json()) as { predictions: { probability: number; class: number }[] };
  expect(predictions.map(({ probability }) => probability)).toEqual(outputs.map((p) => expect.closeTo(p, 5)));
  expect(predictions.map((one) => one.class)).toEqual(outputs.map((p) => (p > 0.5 ? 1 : 0)));
}

/** Asks the first question of some models in two loops, and notes every answer that is none of theirs. */
function keepAsking(url: string, goldens: Golden[]) {
  const counted = { answered: 0, problems: [] as string[] };
  let asking = true;
  const caller = async () => {
    while (asking) {
      try {
        const answer = await postJson(`${url}/v1/predict`, { rows: goldens.map(({ rows }) => rows[0]) });
        const { predictions } = (await answer.json()) as { predictions: { probability: number }[] };
        const fits = goldens.some(
          ({ outputs }, at) => Math.abs((predictions[at]?.probability ?? 2) - (outputs[0] ?? 0)) < 1e-5,
        );
        if (fits) counted.answered++;
        else counted.problems.push(`${answer.status} ${JSON.stringify(predictions)}`);
      } catch (error) {
        counted.problems.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const callers = [caller(), caller()];
  return {
    async end() {
      asking = false;
      await Promise.all(callers);
      return counted;
    },
  };
}

async function healthy(url: string): Promise<boolean> {
  return fetch(`${url}/v2/health/ready`, { signal: AbortSignal.timeout(2000) }).then(
    (answer) => answer.status === 200,
    () => false,
  );
}

function waitUntil(what: string, condition: () => Promise<boolean>, timeoutMs: number): Promise<true> {
  return waitFor(what, async () => (await condition()) || undefined, { timeoutMs, maxIntervalMs: 300 });
}
