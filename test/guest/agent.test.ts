import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { digestOf as digestOfText } from "../../src/common/digest.ts";
import { waitFor } from "../../src/common/wait.ts";
import { deploy, resume, servicesOnWayBack, settleInterrupted } from "../../src/guest/agent.ts";
import { converge } from "../../src/guest/converge.ts";
import type { Manifest } from "../../src/guest/manifest.ts";
import { ManifestWatch } from "../../src/guest/manifest-watch.ts";
import type { ReleaseReport, ReleaseStatus } from "../../src/guest/release-progress.ts";
import { type ReleaseRecord, readReleaseRecord, writeReleaseRecord } from "../../src/guest/release-record.ts";
import { type Gate, gateSchema } from "../../src/guest/release-terms.ts";
import { FAILING_BEFORE } from "../../src/guest/releasing/failing-already.ts";
import { readReleaseHistory } from "../../src/guest/releasing/history.ts";
import { payloadServices } from "../../src/guest/unit-names.ts";
import { loadedVersions } from "../../src/serving/models/registry.ts";
import { readRegistry } from "../../src/serving/models/registry-file.ts";
import { noteRecycling } from "../../src/serving/runtime/recyclings.ts";
import { askOnce, constantLoad } from "../support/constant-load.ts";
import { fakeHost } from "./fake-host.ts";

/** A host that serves its first release. */
async function servingHost() {
  const fake = await fakeHost();
  const manifest = await fake.release(1, { output: 0.25 });
  await converge(fake.host, manifest, { restart: payloadServices });
  fake.commands.length = 0;
  const first = { schemaVersion: 1, sequence: 1, manifest } as const;
  const status = async () => (await (await fetch(`${fake.frontend.url()}/v1/release`)).json()) as ReleaseStatus;
  return {
    ...fake,
    first,
    status,
    found: (next: Manifest) => ({ manifest: next, document: fake.seal(next) }),
    deploy: (next: Manifest, record: Omit<ReleaseRecord, "schemaVersion"> = first) =>
      deploy(fake.host, record, { manifest: next, document: fake.seal(next) }),
    inMemory: async () => loadedVersions(await readRegistry(fake.paths.models)),
  };
}

/** What systemd tells of the queue and two runtimes: one was restarted, one is about to be. */
const twoDeaths =
  "NRestarts=1\nSubState=running\n\nNRestarts=0\nSubState=auto-restart\n\nNRestarts=0\nSubState=running\n";
const restarts = (commands: string[]) => commands.filter((line) => line.startsWith("systemctl restart"));
const watching = (manifest: Manifest, gate: Partial<Gate>): Manifest => ({ ...manifest, gate: gateSchema.parse(gate) });
const digestOf = ({ models }: Manifest) => models[0]?.digest;

describe("deploy", () => {
  it("brings a new model into service without restarting anything", async () => {
    const { release, deploy, served, commands, entries, paths, inMemory, status } = await servingHost();
    const next = await release(2, { output: 0.75 });
    const kept = await deploy(next);
    expect((await status()).last.failure).toBeUndefined();
    expect(kept).toEqual({ sequence: 2, manifest: next });
    expect(await served()).toMatchObject({ model: digestOf(next), output: 0.75 });
    expect(restarts(commands)).toEqual([]);
    const { name, version, digest } = next.models[0] ?? {};
    const model = { name, version, digest };
    expect(entries().at(-1)).toMatchObject({ type: "verdict", sequence: 2, ok: true, model, outputs: [0.75, 0.75] });
    expect(await readReleaseRecord(paths)).toEqual({ schemaVersion: 1, sequence: 2, manifest: next });
    expect(await inMemory()).toEqual([{ ...model, live: true, default: true }]);
    expect(await status()).toMatchObject({
      serves: { sequence: 2, model },
      last: { sequence: 2, model, result: "passed", phase: "settle", figures: { latencyMs: expect.any(Number) } },
    });
  });

  it.each<[string, object, string, string]>([
    [
      "misses its golden rows",
      { golden: 0.5 },
      "gate",
      "the golden question: 0.75 is served, 0.5 expected (element 1)",
    ],
    ["cannot be loaded", { torn: true }, "load", "m 2 cannot be loaded: the model is torn"],
    ["fails when it is asked again", { failsAfter: 2 }, "gate", "the model breaks"],
    ["is much slower", { slowMs: 300 }, "gate", "at most 3 times as long is allowed"],
    [
      "is asked by another input",
      { input: "x" },
      "gate",
      "clients of m 1 would be refused: input input (FP32 [-1, 1]) is not taken any more; input x",
    ],
  ])("keeps the old model when the new one %s, and says why", async (_what, model, phase, reason) => {
    const { release, deploy, served, first, entries, paths, inMemory, commands, status } = await servingHost();
    const next = await release(2, { output: 0.75, ...model });
    expect(await deploy(next)).toEqual({ sequence: 2, manifest: first.manifest });
    expect(await served()).toMatchObject({ model: digestOf(first.manifest), output: 0.25 });
    expect(restarts(commands)).toEqual([]);
    const failure = { reason: expect.stringContaining(reason), lines: [expect.stringContaining(reason)] };
    expect(entries().at(-1)).toMatchObject({
      type: "verdict",
      sequence: 2,
      ok: false,
      model: { digest: digestOf(first.manifest) },
      failure: { step: phase, ...failure },
    });
    expect(await readReleaseRecord(paths)).toEqual({ schemaVersion: 1, sequence: 2, manifest: first.manifest });
    expect(await inMemory()).toMatchObject([{ version: "1", live: true }]);
    expect(await status()).toMatchObject({
      serves: { sequence: 1, model: { version: "1" } },
      last: { sequence: 2, model: { version: "2" }, result: "kept", phase, failure: { phase, ...failure } },
    });
  });

  it("brings one of other inputs into service where its gate allows that", async () => {
    const { release, deploy, served } = await servingHost();
    await deploy(watching(await release(2, { output: 0.75, input: "x" }), { watchSeconds: 0, allowNewInputs: true }));
    expect(await served()).toMatchObject({ output: 0.75 });
  });

  it("takes a model back that fails once requests go to it, and nobody who asks meanwhile pays for that", async () => {
    const { release, deploy, served, first, entries, inMemory, commands, frontend, status, meddling } =
      await servingHost();
    const next = watching(await release(2, { output: 0.75 }), { watchSeconds: 60 });
    let asking = true;
    const answers = new Set<number>();
    const load = (async () => {
      while (asking) {
        const body = JSON.stringify({ rows: [[1]] });
        const headers = { "content-type": "application/json" };
        answers.add((await fetch(`${frontend.url()}/v1/predict`, { method: "POST", headers, body })).status);
      }
    })();
    const ended = deploy(next);
    const isWatched = async () => (await status()).last?.phase === "watch" || undefined;
    await waitFor("the watch", isWatched, { timeoutMs: 30_000, intervalMs: 10 });
    expect(answers).toEqual(new Set([200]));
    meddling.breaks = 0.75;
    await ended;
    asking = false;
    await load;
    expect(answers).toEqual(new Set([200]));
    expect(entries().at(-1)).toMatchObject({
      ok: false,
      model: { version: "1" },
      failure: { step: "watch", reason: expect.stringMatching(/answers of m 2 are failures|the model breaks/) },
    });
    expect(await served()).toMatchObject({ model: digestOf(first.manifest), output: 0.25 });
    expect(await inMemory()).toMatchObject([{ version: "1", live: true }]);
    expect(restarts(commands)).toEqual([]);
  });

  it.each([
    ["gate", "before anything was sent to it", false],
    ["watch", "once it answers", true],
  ])("takes a model back in the %s whose processes die again and again %s", async (step, _when, once) => {
    const { release, deploy, host, entries, inMemory } = await servingHost();
    const run = host.run;
    host.run = async (command, args, options) => {
      if (!args.includes("NRestarts")) return run(command, args, options);
      const died = (await inMemory()).some(({ version, live }) => version === "2" && (live || !once));
      return { stdout: died ? twoDeaths : "", stderr: "" };
    };
    await deploy(watching(await release(2, { output: 0.75 }), { watchSeconds: 20 }));
    const reason = "slipway-runtime@default-0.service and slipway-runtime@default-1.service died 2 times";
    expect(entries().at(-1)).toMatchObject({ ok: false, failure: { step, reason } });
  });

  it.each([
    ["again", "kept"],
    ["once", "passed"],
  ])("watches from when a runtime that died is back: a model that takes it down %s is %s", async (deaths, result) => {
    const { release, deploy, host, status, runtime, inMemory } = await servingHost();
    const run = host.run;
    const back: Promise<number>[] = [];
    let backAt = Number.POSITIVE_INFINITY;
    let looks = 0;
    host.run = async (command, args, options) => {
      if (!args.includes("NRestarts")) return run(command, args, options);
      const isLive = (await inMemory()).some(({ version, live }) => version === "2" && live);
      if (!isLive || ++looks === 1) return { stdout: "", stderr: "" };
      // away for longer than the watch lasts, and taken down again within the time that begins with its return
      if (looks === 2) {
        await runtime.stop();
        back.push(
          sleep(600)
            .then(runtime.restart)
            .then(() => (backAt = performance.now())),
        );
      }
      const diedAgain = deaths === "again" && performance.now() > backAt + 150;
      return { stdout: `NRestarts=${diedAgain ? 2 : 1}\nSubState=running\n`, stderr: "" };
    };
    await deploy(watching(await release(2, { output: 0.75 }), { watchSeconds: 0.3 }));
    await Promise.all(back);
    expect(back).toHaveLength(1);
    const { last } = await status();
    expect(last).toMatchObject({ sequence: 2, result });
    if (deaths === "again")
      expect(last.failure).toMatchObject({ phase: "watch", reason: expect.stringContaining("died 2 times") });
  });

  it("takes no runtime that made room for a fresh process for one that died", async () => {
    const { release, deploy, host, status, inMemory, paths } = await servingHost();
    const run = host.run;
    const startedAt = () => process.hrtime.bigint() / 1000n;
    let recycled = 0;
    host.run = async (command, args, options) => {
      if (!args.includes("NRestarts")) return run(command, args, options);
      const isLive = (await inMemory()).some(({ version, live }) => version === "2" && live);
      if (isLive && recycled < 3) {
        await noteRecycling(paths.runtimeDir, "default-0");
        recycled++;
      }
      return {
        stdout: `NRestarts=${recycled}\nSubState=running\nExecMainStartTimestampMonotonic=${startedAt()}\n`,
        stderr: "",
      };
    };
    await deploy(watching(await release(2, { output: 0.75 }), { watchSeconds: 0.3 }));
    expect(recycled).toBe(3);
    expect((await status()).last).toMatchObject({ sequence: 2, result: "passed" });
    // nor is what serves one that takes its runtimes down
    const kept = await release(3, { output: 0.5 });
    await deploy(kept, { sequence: 2, manifest: await release(2, { output: 0.75 }) });
    expect((await status()).last.figures).not.toHaveProperty(FAILING_BEFORE);
  });

  it("ends its watch for a release that comes after it", async () => {
    const { release, host, first, found, status } = await servingHost();
    const next = watching(await release(2, { output: 0.75 }), { watchSeconds: 3600 });
    await deploy(host, first, found(next), async () => "newer");
    expect((await status()).last).toMatchObject({ result: "passed", phase: "settle" });
  });

  it("refuses a model whose bytes are not the manifest's, without a restart", async () => {
    const { release, deploy, served, files, entries, commands } = await servingHost();
    const next = await release(2, { output: 0.75 });
    files.set(next.models[0]?.path ?? "", "something else");
    await deploy(next);
    expect((await served()).output).toBe(0.25);
    expect(entries().at(-1)).toMatchObject({ ok: false, failure: { step: "fetch" } });
    expect(restarts(commands)).toEqual([]);
  });

  it("does nothing but remember the release that serves already, when it is published again", async () => {
    const { deploy, first, status, inMemory } = await servingHost();
    const again = { ...first.manifest, sequence: 3, gate: gateSchema.parse({ watchSeconds: 3600 }) };
    expect(await deploy(again)).toEqual({ sequence: 3, manifest: again });
    expect(await status()).toMatchObject({ serves: { sequence: 3 }, last: { result: "passed" } });
    expect(await inMemory()).toMatchObject([{ version: "1", live: true }]);
  });

  it("lets a new payload's own bootstrap do the work", async () => {
    const { release, deploy, host, commands, entries, first, paths } = await servingHost();
    const next = await release(2, { output: 0.25 }, 2);
    const run = host.run;
    host.run = async (command, args, options) => {
      if (!command.endsWith("/runtime/bin/node")) return run(command, args, options);
      commands.push(`bootstrap ${args.at(-1)}`);
      return { stdout: `${JSON.stringify({ outputs: [0.25] })}\n`, stderr: "" };
    };
    expect(await deploy(next)).toEqual({ sequence: 2, manifest: next });
    expect(next.payload.digest).not.toBe(first.manifest.payload.digest);
    expect(commands).toEqual(["bootstrap upgrade"]);
    expect(entries().at(-1)).toMatchObject({ ok: true, outputs: [0.25] });
    expect(await readReleaseHistory(paths)).toMatchObject([
      { sequence: 2, result: "passed", payload: next.payload.digest },
    ]);
  });

  it("goes back to the old payload when the new one's bootstrap fails", async () => {
    const { release, deploy, host, served, entries, first } = await servingHost();
    const next = await release(2, { output: 0.25 }, 2);
    const run = host.run;
    const failure = { step: "units", reason: "no", lines: ["no"] };
    host.run = async (command, args, options) =>
      command.endsWith("/runtime/bin/node")
        ? { stdout: JSON.stringify({ failure }), stderr: "" }
        : run(command, args, options);
    await deploy(next);
    expect((await served()).payload).toBe(first.manifest.payload.digest);
    expect(entries().at(-1)).toMatchObject({ sequence: 2, ok: false, failure });
  });

  it("says so when the way back fails as well, and names no model as serving", async () => {
    const { release, deploy, host, entries, runtime, paths } = await servingHost();
    const next = watching(await release(2, { output: 0.75 }), { watchSeconds: 20 });
    const run = host.run;
    let looks = 0;
    host.run = async (command, args, options) => {
      if (args[0] === "start") throw new Error("systemd is gone");
      if (!args.includes("NRestarts")) return run(command, args, options);
      const inWatch = looks++ > 1; // before them come a look ahead of the load and one in the gate
      if (inWatch) await runtime.stop();
      return { stdout: inWatch ? "NRestarts=5\n" : "NRestarts=0\n", stderr: "" };
    };
    await deploy(next);
    const verdict = entries().at(-1);
    expect(verdict).toMatchObject({ ok: false, failure: { step: "watch" } });
    expect(verdict).not.toHaveProperty("model");
    expect(verdict?.type === "verdict" && verdict.failure?.lines.at(-1)).toBe(
      "and the way back failed: systemd is gone",
    );
    expect(await readReleaseHistory(paths)).toMatchObject([{ sequence: 2, result: "broken" }]);
  });
});

describe("where what serves takes its runtimes down", () => {
  /** What systemd tells: both runtimes died so often, the last time just now. */
  const diedJustNow = (times: number) => {
    const state = `NRestarts=${times}\nSubState=running\nExecMainStartTimestampMonotonic=${process.hrtime.bigint() / 1000n}\n`;
    return `${state}\n${state}`;
  };

  /** A host on which runtimes die, as it seems, at every look for as long as `isDying`, and a model that is released to it. */
  async function dyingHost(isDying: (inMemory: { version: string; live: boolean }[]) => boolean) {
    const serving = await servingHost();
    const { host, release, inMemory } = serving;
    const run = host.run;
    let deaths = 2;
    host.run = async (command, args, options) => {
      if (!args.includes("NRestarts")) return run(command, args, options);
      if (isDying(await inMemory())) deaths += 2;
      return { stdout: diedJustNow(deaths), stderr: "" };
    };
    const next = watching(await release(2, { output: 0.75 }), { watchSeconds: 0.1 });
    const pauses: number[] = [];
    const pause = async (ms: number) => {
      pauses.push((await inMemory()).length);
      await sleep(Math.min(ms, 50));
      return "over" as const;
    };
    const releaseIt = () => deploy(host, serving.first, serving.found(next), pause);
    return { ...serving, next, pauses, releaseIt };
  }

  it("a good model takes its place, and what was before it goes out of memory with the switch", async () => {
    const { releaseIt, next, served, status, pauses } = await dyingHost((versions) =>
      versions.some(({ version }) => version === "1"),
    );
    expect(await releaseIt()).toEqual({ sequence: 2, manifest: next });
    expect(await served()).toMatchObject({ output: 0.75 });
    expect((await status()).last).toMatchObject({ result: "passed", figures: { runtimesFailingBefore: 2 } });
    expect(new Set(pauses)).toEqual(new Set([1]));
  });

  it("one that takes them down as well does not", async () => {
    const { releaseIt, first, served, status, inMemory } = await dyingHost(() => true);
    expect(await releaseIt()).toEqual({ sequence: 2, manifest: first.manifest });
    expect(await served()).toMatchObject({ output: 0.25 });
    expect((await status()).last).toMatchObject({ result: "kept", phase: "watch" });
    expect(await inMemory()).toMatchObject([{ version: "1", live: true }]);
  });
});

describe("a version on trial", () => {
  it("serves beside the live one until it is promoted or given up", async () => {
    const { release, deploy, served, first, inMemory, status } = await servingHost();
    const other = (await release(2, { output: 0.75 })).models[0] as Manifest["models"][number];
    const canary: Manifest = {
      ...first.manifest,
      sequence: 2,
      // of what names no version all goes to it: what the live one must answer is asked of that one nevertheless
      trial: { model: other, traffic: { mode: "canary", percent: 100 } },
    };
    const tried = await deploy(canary);
    expect(await served()).toMatchObject({ model: other.digest, output: 0.75 });
    expect(await inMemory()).toMatchObject([
      { version: "1", live: true },
      { version: "2", live: false, trial: { mode: "canary", percent: 100 } },
    ]);
    expect(await status()).toMatchObject({
      serves: { model: { version: "1" } },
      last: { trial: { model: { version: "2" } } },
    });

    await deploy({ ...first.manifest, sequence: 3 }, tried);
    expect(await inMemory()).toMatchObject([{ version: "1", live: true }]);

    await deploy({ ...canary, sequence: 4 });
    const { trial, ...promoted } = { ...canary, sequence: 5, models: [other] };
    await deploy(promoted, { sequence: 4, manifest: canary });
    expect(await served()).toMatchObject({ model: other.digest, output: 0.75 });
    const [only, ...rest] = await inMemory();
    expect(only).toMatchObject({ version: "2", live: true });
    expect(only).not.toHaveProperty("trial");
    expect(rest).toEqual([]);
  });

  it("that takes or answers something else than the live one is not tried", async () => {
    const { release, deploy, first, inMemory, entries } = await servingHost();
    const model = (await release(2, { output: 0.75, width: 2 })).models[0] as Manifest["models"][number];
    const trial = { model, traffic: { mode: "canary" as const, percent: 10 } };
    await deploy({ ...first.manifest, sequence: 2, trial });
    const { ok, failure } = entries().at(-1) as { ok: boolean; failure?: { step: string; lines: string[] } };
    expect({ ok, step: failure?.step }).toEqual({ ok: false, step: "gate" });
    expect(JSON.stringify(failure)).toContain("cannot be a canary: it takes or answers something else");
    expect(await inMemory()).toMatchObject([{ version: "1", live: true }]);
  });

  it("as a shadow is given up where its answers are farther from the live one's than its gate allows", async () => {
    const { release, deploy, first, frontend, inMemory, entries, status } = await servingHost();
    const model = (await release(2, { output: 0.75 })).models[0] as Manifest["models"][number];
    const trial = { model, traffic: { mode: "shadow" as const, percent: 100 } };
    const shadow = (sequence: number, gate: Partial<Gate>) =>
      deploy(watching({ ...first.manifest, sequence, trial }, gate), {
        sequence: sequence - 1,
        manifest: first.manifest,
      });
    const load = constantLoad((agent) => askOnce(agent, `${frontend.url()}/v1/predict`, { body: { rows: [[1]] } }), {
      keeping: 1,
      fresh: 0,
      idling: 0,
    });
    await shadow(2, { watchSeconds: 60, shadowDiffering: 0.5 });
    const differing = /^(\d+) of \1 answers of m 2 differ from the live version's: 100 %, 50 % are allowed$/;
    expect(entries().at(-1)).toMatchObject({
      ok: false,
      failure: { step: "watch", reason: expect.stringMatching(differing) },
    });
    await shadow(3, { watchSeconds: 60, shadowLargestDifference: 0.2 });
    const reason = "an answer of m 2 is 0.5 from the live version's, at most 0.2 is allowed";
    expect(entries().at(-1)).toMatchObject({ ok: false, failure: { step: "watch", reason } });
    expect(await inMemory()).toMatchObject([{ version: "1", live: true }]);
    await shadow(4, { watchSeconds: 0.2, shadowDiffering: 1, shadowLargestDifference: 0.5 });
    await load.stop();
    expect((await status()).last).toMatchObject({ result: "passed", figures: { shadowLargestDifference: 0.5 } });
    expect(load.failures).toEqual([]);
    expect(new Set(load.answers.map(({ status }) => status))).toEqual(new Set([200]));
  });

  it("that is no good leaves nothing", async () => {
    const { release, deploy, first, inMemory, entries } = await servingHost();
    const model = (await release(2, { output: 0.75, golden: 0.5 })).models[0] as Manifest["models"][number];
    const trial = { model, traffic: { mode: "shadow" as const, percent: 100 } };
    await deploy({ ...first.manifest, sequence: 2, trial });
    expect(entries().at(-1)).toMatchObject({ ok: false, model: { version: "1" }, failure: { step: "gate" } });
    expect(await inMemory()).toMatchObject([{ version: "1", live: true }]);
  });
});

describe("settleInterrupted", () => {
  /** The agent is killed in the midst of a release: at its first step of this name. */
  async function interrupted(step: string, tries = 1) {
    const serving = await servingHost();
    const { host, deploy, release, paths } = serving;
    const next = watching(await release(2, { output: 0.75 }), { watchSeconds: 1 });
    const journalled = host.journal.step.bind(host.journal);
    const killed = Promise.withResolvers<void>();
    host.journal.step = async (name, act) => {
      if (name !== step) return journalled(name, act);
      killed.resolve();
      return new Promise(() => undefined);
    };
    void deploy(next);
    await killed.promise;
    host.journal.step = journalled;
    const record = (await readReleaseRecord(paths)) as ReleaseRecord;
    expect(record).toMatchObject({ sequence: 1, underway: { manifest: next, switched: step === "watch", tries: 1 } });
    if (record.underway) record.underway.tries = tries;
    return { ...serving, next, record };
  }

  it("takes a release back that had not passed its gate", async () => {
    const { host, record, first, served, inMemory, entries, paths } = await interrupted("gate");
    expect(await inMemory()).toHaveLength(2);
    expect(await settleInterrupted(host, record)).toEqual({ sequence: 2, manifest: first.manifest });
    expect((await served()).output).toBe(0.25);
    expect(await inMemory()).toMatchObject([{ version: "1", live: true }]);
    expect(entries().at(-1)).toMatchObject({ sequence: 2, ok: false, model: { version: "1" } });
    expect(await readReleaseHistory(paths)).toMatchObject([
      { sequence: 2, result: "kept", failure: { phase: "load", reason: expect.stringContaining("interrupted") } },
    ]);
  });

  it("goes on with one that answered already, and does not do so twice", async () => {
    const { host, record, next, served, inMemory, entries } = await interrupted("watch");
    expect(await settleInterrupted(host, record)).toEqual({ sequence: 2, manifest: next });
    expect((await served()).output).toBe(0.75);
    expect(await inMemory()).toMatchObject([{ version: "2", live: true }]);
    expect(entries().at(-1)).toMatchObject({ sequence: 2, ok: true });

    const again = await interrupted("watch", 2);
    expect(await settleInterrupted(again.host, again.record)).toMatchObject({ sequence: 2, manifest: { sequence: 1 } });
    expect((await again.served()).output).toBe(0.25);
    expect(await again.inMemory()).toMatchObject([{ version: "1", live: true }]);
  });

  it("leaves a record alone that tells of none", async () => {
    const { host, first } = await servingHost();
    expect(await settleInterrupted(host, first)).toBe(first);
  });
});

describe("the history", () => {
  it("has each release once, the last 200, and passes over what is none", async () => {
    const { paths, release, deploy, first, frontend } = await servingHost();
    await deploy(await release(2, { output: 0.75, torn: true }));
    const [{ sequence: _, ...report }] = (await readReleaseHistory(paths)) as [ReleaseReport];
    const lines = Array.from({ length: 250 }, (_, at) => JSON.stringify({ ...report, sequence: at + 10 }));
    writeFileSync(paths.releaseHistory, `${lines.join("\n")}\n{"sequence": 999, "torn`);
    await writeReleaseRecord(paths, first);
    await deploy(await release(100, { output: 0.75 }));
    const { releases } = (await (await fetch(`${frontend.url()}/v1/releases`)).json()) as { releases: ReleaseReport[] };
    expect(releases).toHaveLength(200);
    expect(releases[0]).toMatchObject({ sequence: 100, result: "passed" });
    expect(releases[1]?.sequence).toBe(259);
    expect(new Set(releases.map(({ sequence }) => sequence)).size).toBe(200);
  });
});

describe("a model package", () => {
  it("that is no tar fails its step in words", async () => {
    const { release, deploy, files, entries } = await servingHost();
    const next = await release(2, { output: 0.75 });
    const content = "not a tar";
    const model = { ...next.models[0], path: "files/x", digest: digestOfText(content), size: content.length };
    files.set("files/x", content);
    await deploy({ ...next, models: [{ name: "m", version: "2", ...model }] });
    expect(entries().at(-1)).toMatchObject({
      ok: false,
      failure: { step: "fetch", reason: "files/x cannot be unpacked" },
    });
  });
});

describe("servicesOnWayBack", () => {
  it("follows what changed, and how far it had come", async () => {
    const { release } = await fakeHost();
    const manifest = await release(1, { output: 0.25 });
    const payload = await release(2, { output: 0.75 }, 2);
    const model = await release(2, { output: 0.75 });
    expect(servicesOnWayBack(manifest, model, { step: "gate", keptFrontend: false })).toEqual({
      restart: [],
      asTheyAre: [],
    });
    expect(servicesOnWayBack(manifest, payload, { step: "switch", keptFrontend: false })).toEqual({
      restart: payloadServices,
      asTheyAre: [],
    });
    expect(servicesOnWayBack(manifest, payload, { step: "gate", keptFrontend: true })).toEqual({
      restart: ["runtime", "worker"],
      asTheyAre: ["frontend"],
    });
    expect(servicesOnWayBack(manifest, payload, { step: "layers", keptFrontend: true })).toEqual({
      restart: [],
      asTheyAre: payloadServices,
    });
  });
});

describe("ManifestWatch", () => {
  it("answers a higher manifest, and none for the same or a lower one", async () => {
    const { host, release, publish } = await fakeHost();
    const watch = new ManifestWatch(host.config);
    const manifest = await release(5, { output: 1 });
    publish(manifest);
    expect(await watch.next(5, 0)).toBeUndefined();
    expect(await new ManifestWatch(host.config).next(4, 0)).toMatchObject({ manifest });
  });

  it("waits out a missing, a forged and a foreign manifest, complaining once of each", async () => {
    const { host, release, publish, files, seal } = await fakeHost();
    const said: string[] = [];
    const watch = new ManifestWatch(host.config, (message) => said.push(message));
    const manifest = await release(5, { output: 1 });
    await watch.next(0, 0);
    await watch.next(0, 0);
    files.set("manifest", seal(manifest).replace('"sequence":5', '"sequence":6'));
    await watch.next(0, 0);
    publish({ ...manifest, stack: "other" });
    await watch.next(0, 0);
    expect(said).toEqual([
      "no manifest: the manifest's source answers 404",
      "no manifest: the manifest's signature does not fit the stack's key",
      "no manifest: the manifest is that of the stack other",
    ]);
    publish(manifest);
    expect(await watch.next(0, 0)).toMatchObject({ manifest });
  });
});

describe("resume", () => {
  it("gives the verdict of a boot on what serves, without a restart", async () => {
    const { host, first, entries, commands } = await servingHost();
    expect(host.journal.hasVerdict()).toBe(false);
    await resume(host, first.manifest);
    expect(host.journal.hasVerdict()).toBe(true);
    expect(entries().at(-1)).toMatchObject({ type: "verdict", sequence: 1, ok: true, outputs: [0.25, 0.25] });
    expect(restarts(commands)).toEqual([]);
  });

  it("tells what does not serve any more", async () => {
    const { host, first, entries, meddling } = await servingHost();
    meddling.instead = 0.5;
    await resume(host, first.manifest);
    expect(entries().at(-1)).toMatchObject({
      type: "verdict",
      ok: false,
      failure: { step: "gate", reason: "the golden question: 0.5 is served, 0.25 expected (element 1)" },
    });
  });
});
