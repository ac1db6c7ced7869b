import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { failureOf } from "../support/workbench.ts";
import { cli, type Kind, missing, OfficialBench } from "./support/bench.ts";
import { comparable } from "./support/comparable.ts";

// the CLI is started several times in each test, and Node with Pulumi's SDK below it
vi.setConfig({ testTimeout: 120_000 });

const killedUp = fileURLToPath(new URL("support/killed-up.ts", import.meta.url));
const directions: [Kind, Kind][] = [
  ["official", "embedded"],
  ["embedded", "official"],
];
const kinds: Kind[] = ["embedded", "official"];

describe.skipIf(cli === undefined || missing.length > 0)("one state and two engines", () => {
  let bench: OfficialBench;
  beforeEach(async () => {
    bench = await OfficialBench.create();
  });
  afterEach(() => bench.dispose());

  describe.each(directions)("made by the %s engine", (maker, taker) => {
    test(`the ${taker} one finds it unchanged, changes it, and it goes back`, async () => {
      const made = await bench.run(maker, "up");
      expect(made.outputs).toMatchObject({ shape: "one", secret: "hush-hush", limits: { cpu: 2, names: ["a"] } });

      expect((await bench.run(taker, "preview")).changes).toEqual({ same: 4 });
      expect(bench.steps()).toEqual([]);
      expect((await bench.run(taker, "up")).changes).toEqual({ same: 4 });
      expect(await bench.engines[taker].outputs(bench.stack)).toEqual(made.outputs);

      const changed = await bench.run(taker, "up", { shape: "two" });
      expect(changed.changes).toEqual({ create: 1, same: 4 });
      expect(bench.steps()).toEqual(["create poems"]);
      expect(changed.outputs).toMatchObject({ shape: "two", nested: { list: [1, "two", 2.5] } });

      expect((await bench.run(maker, "preview", { shape: "two" })).changes).toEqual({ same: 5 });
      expect((await bench.run(maker, "up")).changes).toEqual({ delete: 1, same: 4 });
      expect(bench.steps()).toEqual(["delete poems"]);

      expect((await bench.run(taker, "destroy")).changes).toEqual({ delete: 4 });
      expect((await bench.latest()).resources ?? []).toEqual([]);
    });

    test(`an export of it is imported and worked on by the ${taker} one`, async () => {
      await bench.run(maker, "up");
      const file = join(bench.folder, "export.json");
      await bench.pulumi("stack", "export", "--stack", "dev", "--file", file);
      await bench.pulumi("stack", "import", "--stack", "dev", "--file", file);
      expect((await bench.run(taker, "up")).changes).toEqual({ same: 4 });
      expect(JSON.parse(await bench.pulumi("stack", "output", "--json", "--show-secrets", "--stack", "dev"))).toEqual(
        await bench.engines.embedded.outputs(bench.stack),
      );
    });

    test(`a wrong passphrase stops the ${taker} one before it touches anything`, async () => {
      await bench.run(maker, "up");
      const before = await bench.checkpoint();
      const stranger = { ...bench.stack, passphrase: "open barley" };
      for (const verb of ["preview", "up", "destroy", "verify", "outputs"] as const) {
        expect(await failureOf(bench.engines[taker][verb](stranger))).toMatchObject({ code: "E_PASSPHRASE_WRONG" });
      }
      expect(await bench.checkpoint()).toBe(before);
      expect(await bench.locks()).toEqual([]);
    });

    test(`while it works the ${taker} one is locked out, and an interruption leaves a state to go on from`, async () => {
      const controller = new AbortController();
      const running = failureOf(bench.run(maker, "up", { end: "hang" }, { signal: controller.signal }));
      await waitFor(
        "the program to hang",
        async () => bench.messages().join().includes("the shape is one") || undefined,
        {
          timeoutMs: 30_000,
        },
      );
      expect(await failureOf(bench.engines[taker].up(bench.stack))).toMatchObject({
        code: "E_LOCKED",
        message: expect.stringMatching(/locked by .*\(pid \d+/),
      });
      controller.abort();
      expect(await running).toMatchObject({ code: "E_INTERRUPTED", exitCode: 130 });
      expect(await bench.locks()).toEqual([]);
      await bench.run(taker, "up");
      expect((await bench.run(maker, "preview")).changes).toEqual({ same: 4 });
    });

    test(`when it is killed, the ${taker} one breaks its lock and goes on`, async () => {
      const killed = killable(bench, maker);
      const [lock] = await waitFor(
        "the run to hold its lock",
        async () => {
          const locks = await bench.locks();
          return locks.length > 0 ? locks : undefined;
        },
        { timeoutMs: 30_000 },
      );
      process.kill(lock?.pid ?? 0, "SIGKILL");
      await killed;
      await bench.run(taker, "up");
      expect(bench.messages()).toContainEqual(expect.stringContaining("warning: broke the lock of"));
      expect((await bench.run(maker, "preview")).changes).toEqual({ same: 4 });
    });
  });

  describe.each(kinds)("the %s engine", (kind) => {
    test("respects the lock of another machine", async () => {
      await bench.run(kind, "up");
      await bench.lockFromElsewhere();
      const before = await bench.checkpoint();
      for (const verb of ["up", "destroy"] as const) {
        expect(await failureOf(bench.run(kind, verb))).toMatchObject({
          code: "E_LOCKED",
          exitCode: 7,
          message: expect.stringContaining("ann@elsewhere (pid 1"),
        });
      }
      expect(await bench.checkpoint()).toBe(before);
      expect((await bench.run(kind, "preview")).changes).toEqual({ same: 4 });
    });

    test("leaves nothing of a preview of a stack that was never made", async () => {
      expect((await bench.run(kind, "preview")).changes).toEqual({ create: 4 });
      expect(await bench.engines[kind].outputs(bench.stack)).toBeUndefined();
      expect(await failureOf(bench.run(kind, "destroy"))).toMatchObject({ code: "E_STACK_UNKNOWN" });
    });

    test("foresees the outputs, and keeps secret ones to itself", async () => {
      const { outputs } = await bench.run(kind, "preview");
      expect(outputs).toMatchObject({ shape: "one", limits: { cpu: 2, names: ["a"] } });
      expect(outputs.secret).toBe(kind === "official" ? "[secret]" : "hush-hush");
    });

    test("tells why a program failed", async () => {
      expect(await failureOf(bench.run(kind, "up", { end: "throw" }))).toMatchObject({
        code: "E_PROGRAM_FAILED",
        message: "Error: cannot go on in shape one",
      });
      expect(await failureOf(bench.run(kind, "preview", { end: "documented" }))).toMatchObject({
        code: "E_PAYLOAD_MISSING",
        message: "nothing is published",
        details: ["looked on the shelf"],
        hint: "Publish a book.",
      });
    });

    test("shows no secret and refuses a checkpoint that is torn", async () => {
      await bench.run(kind, "up");
      expect(JSON.stringify(bench.events)).not.toContain("hush");
      await writeFile(bench.checkpointPath, (await bench.checkpoint()).slice(0, -20));
      expect(await failureOf(bench.run(kind, "up"))).toMatchObject({ code: "E_STATE_DAMAGED" });
    });
  });

  test("the same program makes the same state and the same steps with both", async () => {
    const other = await OfficialBench.create();
    try {
      await bench.run("official", "up");
      await other.run("embedded", "up");
      expect(other.steps()).toEqual(bench.steps());
      expect(comparable(await other.latest())).toEqual(comparable(await bench.latest()));
      await bench.run("official", "up", { shape: "two" });
      await other.run("embedded", "up", { shape: "two" });
      expect(other.steps()).toEqual(bench.steps());
      expect(comparable(await other.latest())).toEqual(comparable(await bench.latest()));
    } finally {
      await other.dispose();
    }
  });
});

/** An `up` whose lock names a process that may be killed: the CLI's own, or one that is started for it. */
function killable(bench: OfficialBench, kind: Kind): Promise<unknown> {
  if (kind === "official") return failureOf(bench.run(kind, "up", { end: "hang" }));
  const child = spawn(process.execPath, [killedUp, JSON.stringify(bench.with({ end: "hang" }))], { stdio: "inherit" });
  return new Promise((resolve) => child.once("close", resolve));
}
