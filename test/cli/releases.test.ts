import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { waitFor } from "../../src/common/wait.ts";
import { consoleOf, PaperProject } from "./paper-project.ts";
import { PlayedHost } from "./played-host.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

const development = "models/diabetes/development";
const production = "models/diabetes/production";
// a range of this run's own: another may be under way beside it
const prefix = `127.${64 + (process.pid % 128)}.${Math.floor(Math.random() * 256)}.`;
let host: PlayedHost;
let project: PaperProject;

const gate = {
  watchSeconds: 1,
  maxMegabytes: 1,
  accuracy: { table: "models/diabetes/development/data.csv", target: "class", min: 0.7, maxDrop: 0.2 },
  command: [
    "sh",
    "-c",
    'test -f "$SLIPWAY_MODEL_DIR/model.onnx" && echo "judged $SLIPWAY_MODEL_DIGEST at $SLIPWAY_ENDPOINT"',
  ],
};

/** A function: it takes no rows. */
const OTHER = `export function other(n: number): number { return n + 1; }
export const golden = [{ arguments: { n: 1 }, result: 2 }];
`;

/** The gate of the stack from now on. */
async function setGate(over: object): Promise<void> {
  await project.addStack("live", { "slipway:frontendPort": host.port, "slipway:gate": { ...gate, ...over } });
}

const slipway = (...args: string[]) => project.run(args);

beforeAll(async () => {
  host = await PlayedHost.start(prefix);
  project = await PaperProject.create(() => consoleOf(host.journal), { externalCidr: `${prefix}0/28` });
  await setGate({});
  host.follow(async () => {
    const note = await readFile(project.stackFile("live", "publication.json"), "utf8").catch(() => undefined);
    return note === undefined ? undefined : JSON.parse(note);
  });
  const { result } = await slipway("up", "live");
  expect(result).toMatchObject({ ok: true, release: { sequence: 1 }, model: { version: "1" } });
});
afterAll(async () => {
  await host?.stop();
  await project?.remove();
});

describe("`deploy`", () => {
  it("of what serves already does nothing, and says so", async () => {
    const { exitCode, result } = await slipway("deploy", "live");
    expect(result).toMatchObject({ ok: true, changed: false, release: { sequence: 1 } });
    expect(exitCode).toBe(0);
  });

  it("releases another model after the gate here, without the engine, by what the endpoint tells", async () => {
    const { exitCode, result, lines } = await slipway("deploy", "live", "--model", development, "--watch", "2");
    expect(result).toMatchObject({
      ok: true,
      changed: true,
      kind: "deploy",
      model: { version: "2" },
      release: { sequence: 2 },
      trial: null,
      gate: {
        here: [
          { name: "size", passed: true },
          { name: "accuracy", passed: true, figures: { rows: 765 } },
          { name: "drop", passed: true },
          { name: "command", passed: true },
        ],
        host: { failed: 0 },
      },
    });
    expect(exitCode).toBe(0);
    const phases = lines.flatMap(({ phase, state }) => (state === "done" ? [phase] : []));
    expect(phases.toSorted()).toEqual(["authenticate", "bootstrap", "check", "gate", "model", "publish"]);
    expect(lines.map(({ text }) => text)).toContainEqual(
      `judged ${result.model.digest} at http://${new URL(result.url).host}`,
    );
    // what the hosts are told of it
    expect(host.reports.at(-1)).toMatchObject({ origin: { kind: "deploy", by: expect.stringMatching(/^\S+@\S+$/) } });
  });

  // Equal accuracy on seven rows is no proof: the larger table tells the two apart.
  it("is refused here with exit 6 where the model loses accuracy, before anything is published", async () => {
    await setGate({ accuracy: { ...gate.accuracy, maxDrop: 0.01 } });
    const { exitCode, result } = await slipway("deploy", "live", "--model", production);
    expect(result.error).toMatchObject({
      code: "E_GATE_FAILED",
      message: expect.stringMatching(
        /the gate refuses the model here, drop: accuracy 0\.7\d+ .* the model that serves 0\.8\d+/,
      ),
    });
    expect(exitCode).toBe(6);
    await setGate({ command: ["sh", "-c", "echo no good; exit 3"] });
    const own = await slipway("deploy", "live", "--model", production);
    expect(own.result.error).toMatchObject({
      code: "E_GATE_FAILED",
      message: expect.stringContaining("command: sh ended with 3"),
      details: expect.arrayContaining(["no good"]),
    });
    await setGate({ maxMegabytes: 0.001 });
    const large = await slipway("deploy", "live", "--model", production);
    expect(large.result.error).toMatchObject({ code: "E_GATE_FAILED", message: expect.stringContaining("size: ") });
    await setGate({});
    expect(host.reports).toHaveLength(2);
  });

  it("that the host refuses ends with 6 and the host's lines; the old release is published again", async () => {
    host.refuses = ({ models }) => (models[0]?.version === "2" ? undefined : "it is slow");
    const { exitCode, result } = await slipway("deploy", "live", "--model", production);
    expect(result.error).toMatchObject({
      code: "E_GATE_FAILED",
      message: "step gate: it is slow",
      hint: "The old model (version 2) still serves: mend the new one and release it again.",
      details: ["a line of the host"],
    });
    expect(exitCode).toBe(6);
    host.refuses = () => undefined;
    const { result: noted } = await slipway("releases", "live");
    expect(noted.releases.slice(2)).toMatchObject([
      { sequence: 3, kind: "deploy", result: "kept", failure: { phase: "gate", reason: "it is slow" } },
      { sequence: 4, kind: "restore", model: { version: "2" } },
    ]);
    const again = await slipway("deploy", "live", "--model", development);
    expect(again.result).toMatchObject({ ok: true, changed: false, release: { sequence: 4 } });
  });

  it("of a model that is none changes nothing", async () => {
    const broken = await project.copyModel("broken");
    await writeFile(join(broken, "model.h5"), "no weights");
    const { exitCode, result } = await slipway("deploy", "live", "--model", broken);
    expect(result.error).toMatchObject({ code: "E_MODEL_INVALID" });
    expect(exitCode).toBe(2);
    expect(host.reports.at(-1)).toMatchObject({ sequence: 4 });
  });

  it("follows the console where the endpoint does not tell of releases", async () => {
    host.tellsReleases = false;
    const { result } = await slipway("deploy", "live", "--model", production);
    host.tellsReleases = true;
    expect(result).toMatchObject({ ok: true, changed: true, model: { version: "3" }, release: { sequence: 5 } });
  });

  it("is refused while another command holds the stack, which is named", async () => {
    const busy = project.run(["deploy", "live", "--model", development], {
      kill: { at: ({ phase, state }) => phase === "gate" && state === "start", afterMs: 30_000 },
    });
    host.refuses = () => "it is not wanted"; // so that what serves stays
    const [one, other] = await Promise.all([busy, slipway("deploy", "live", "--model", development)]);
    host.refuses = () => undefined;
    const codes = [one, other].map(({ result }) => result.error?.code).sort();
    expect(codes).toEqual(["E_GATE_FAILED", "E_LOCKED"]);
    const locked = [one, other].find(({ result }) => result.error?.code === "E_LOCKED");
    expect(locked?.result.error.message).toMatch(/`slipway deploy live` \(\S+, pid \d+ on /);
    expect(locked?.exitCode).toBe(7);
  });
});

describe("a trial", () => {
  it("serves beside what does, and takes its place or goes", async () => {
    const canary = await slipway("deploy", "live", "--model", development, "--canary", "20");
    expect(canary.result).toMatchObject({
      ok: true,
      kind: "canary",
      model: { version: "3" },
      trial: { model: { version: "4" }, mode: "canary", percent: 20 },
    });
    expect((await slipway("status", "live")).result).toMatchObject({ release: { trial: { mode: "canary" } } });
    const other = await slipway("deploy", "live", "--model", production);
    expect(other.result.error).toMatchObject({ code: "E_USAGE", message: "version 4 is on trial on live" });
    const promoted = await slipway("promote", "live");
    expect(promoted.result).toMatchObject({ ok: true, kind: "promote", model: { version: "4" }, trial: null });
    expect((await slipway("promote", "live")).result.error).toMatchObject({ code: "E_USAGE" });

    await slipway("deploy", "live", "--model", production, "--shadow", "100");
    const aborted = await slipway("abort", "live");
    expect(aborted.result).toMatchObject({ ok: true, kind: "abort", model: { version: "4" }, trial: null });
  });
});

describe("`rollback` and `releases`", () => {
  it("brings back the release before, or the one that is named", async () => {
    const { result, exitCode } = await slipway("rollback", "live");
    expect(exitCode).toBe(0);
    expect(result).toMatchObject({ ok: true, changed: true, kind: "rollback", model: { version: "3" } });
    const named = await slipway("rollback", "live", "2");
    expect(named.result).toMatchObject({ ok: true, changed: true, model: { version: "2" } });
    expect((await slipway("rollback", "live", "3")).result.error).toMatchObject({
      code: "E_USAGE",
      message: "release 3 of live never served: its result is kept",
    });
    expect((await slipway("rollback", "live", "999")).result.error).toMatchObject({ code: "E_USAGE" });
  });

  it("tells who released what, when, and how it ended; and what differs between two", async () => {
    const { result } = await slipway("releases", "live");
    expect(result.releases.slice(0, 2)).toMatchObject([
      { sequence: 1, kind: "up", result: "passed", model: { version: "1" }, source: ["here", "host"] },
      { sequence: 2, kind: "deploy", result: "passed", model: { version: "2" } },
    ]);
    expect(result.releases.every(({ by }: { by?: string }) => /^\S+@\S+$/.test(by ?? ""))).toBe(true);
    const diff = await slipway("releases", "diff", "1", "2", "--stack", "live");
    const names = diff.result.differences.map(({ name }: { name: string }) => name);
    expect(names).toEqual(["version", "digest", "kind", "at"]);
    const { stdout } = await project.slipway.print(["releases", "live"]);
    expect(stdout.split("\n")[0]).toMatch(/^RELEASE +AT +BY +KIND +MODEL +PAYLOAD +RESULT +TIME$/);
  });
});

describe("a model that refuses what clients of the one that serves ask", () => {
  it("is not released without a word: what differs is told, and nothing is published", async () => {
    const other = join(project.slipway.projectRoot, "other.ts");
    await writeFile(other, OTHER);
    const before = host.reports.length;
    const { exitCode, result } = await slipway("deploy", "live", "--model", other);
    expect(exitCode).toBe(6);
    expect(result.error).toMatchObject({
      code: "E_GATE_FAILED",
      message: expect.stringMatching(
        /^the gate refuses the model here, inputs: .* input \S+ \(FP32 \[-1, 8\]\) is not taken any more; .* rows are not taken/,
      ),
      hint: expect.stringContaining("--allow-new-inputs"),
    });
    expect(host.reports).toHaveLength(before);

    // said so, it is the host's to judge
    host.refuses = ({ gate, models }) => (gate?.allowNewInputs ? `${models[0]?.name} is not wanted` : undefined);
    await setGate({ accuracy: undefined, command: undefined });
    const allowed = await slipway("deploy", "live", "--model", other, "--allow-new-inputs");
    expect(allowed.result.error).toMatchObject({ code: "E_GATE_FAILED", message: "step gate: diabetes is not wanted" });
    // the host takes up by itself what the command has published again
    const both = () => (host.reports.length < before + 2 ? undefined : host.reports.slice(before));
    const reports = await waitFor("the host to take up the old release", async () => both(), { timeoutMs: 10_000 });
    expect(reports).toMatchObject([{ result: "kept" }, { origin: { kind: "restore" } }]);
    host.refuses = () => undefined;
  });
});

describe("`lock`", () => {
  it("tells that nobody works, and releases what is not locked", async () => {
    expect((await slipway("lock", "status", "live")).result).toMatchObject({ ok: true, local: null, shared: null });
    expect((await slipway("lock", "release", "live")).result).toMatchObject({ ok: true, released: null });
  });
});

describe("`scale`", () => {
  it("releases the same with another number of workers, which the stack's file has from then on", async () => {
    const { exitCode, result } = await slipway("scale", "live", "worker=3");
    expect(result).toMatchObject({ ok: true, changed: true, kind: "scale" });
    expect(exitCode).toBe(0);
    expect(host.reports.at(-1)).toMatchObject({ origin: { kind: "scale" } });
    const { settings } = host.manifest();
    expect(settings).toMatchObject({ scale: { worker: 3 } });
    expect((await slipway("config", "get", "scale", "--stack", "live")).result.value).toBe('{"worker":3}');
    expect((await slipway("scale", "worker=3", "--stack", "live")).result).toMatchObject({ ok: true, changed: false });
    // what is not named stays
    expect((await slipway("scale", "runtime=1", "live")).result).toMatchObject({ ok: true, changed: true });
    expect(host.manifest().settings).toMatchObject({ scale: { worker: 3, runtime: 1 } });
    const { result: up } = await slipway("up", "live");
    expect(up.release).toMatchObject({ sequence: host.manifest().sequence });
  });

  it.each([
    [["live"], "how many of what?"],
    [["live", "worker=0"], "worker=0 is not understood"],
    [["live", "queue=2"], "queue=2 is not understood"],
    [["live", "other", "worker=2"], "other is not understood"],
  ])("does not understand %j", async (words, message) => {
    const { exitCode, result } = await slipway("scale", ...words);
    expect(result.error).toMatchObject({ code: "E_USAGE", message });
    expect(exitCode).toBe(2);
  });
});
