import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { waitFor } from "../../src/common/wait.ts";
import { halfMade } from "./support/fake-provider.ts";
import { failureOf, Workbench } from "./support/workbench.ts";

const killedRun = fileURLToPath(new URL("support/killed-run.ts", import.meta.url));

let bench: Workbench;
beforeEach(async () => {
  bench = await Workbench.of("network");
});
afterEach(() => bench.dispose());

/** Runs `up` elsewhere, kills it with SIGKILL once `hangAt` is made, and takes over its cloud. */
async function killedAt(hangAt: string, overrides: Record<string, string> = {}): Promise<void> {
  const objects = join(bench.state, `objects-${Date.now()}.json`);
  const loaded = JSON.stringify([...bench.cloud.objects]);
  const child: ChildProcess = spawn(
    process.execPath,
    [
      killedRun,
      JSON.stringify({ ...bench.with(overrides), env: { TEST_STATE: bench.state } }),
      hangAt,
      objects,
      loaded,
    ],
    { stdio: "inherit" },
  );
  const ended = new Promise((resolve) => child.once("close", resolve));
  try {
    await waitFor("the run to reach its end", () => readFile(objects, "utf8").catch(() => undefined), {
      timeoutMs: 60_000,
    });
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
  bench.cloud.objects.clear();
  for (const [id, object] of JSON.parse(await readFile(objects, "utf8"))) bench.cloud.objects.set(id, object);
}

/** Processes whose environment names a stack's state. */
async function programsOf(state: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const environments = pids.map((pid) => readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")); // gone meanwhile
  return (await Promise.all(environments)).filter((environment) => environment.includes(`TEST_STATE=${state}`));
}

describe("a run that was killed", () => {
  it("takes its program along, which would not end by itself", async () => {
    await killedAt("create Network net");
    await waitFor("the program to end", async () => (await programsOf(bench.state)).length === 0 || undefined, {
      timeoutMs: 5000,
    });
  });

  it("in mid-create is finished by the next one, with the object that it had made", async () => {
    await killedAt("create Network net");
    const { pending_operations } = await bench.latest();
    expect(pending_operations).toContainEqual({
      type: "creating",
      resource: expect.objectContaining({ urn: expect.stringMatching(/Network::net$/), inputs: expect.anything() }),
    });
    expect(await bench.locks()).toHaveLength(1);

    await bench.up();
    expect(bench.messages()).toEqual(
      expect.arrayContaining([
        expect.stringContaining("broke the lock of"),
        expect.stringContaining("interrupted while creating"),
        expect.stringContaining("info: adopted net"),
      ]),
    );
    expect(bench.cloud.calls).not.toContain("create Network net");
    expect(bench.cloud.ofType("Network")).toHaveLength(1);
    expect(bench.cloud.ofType("Instance")).toHaveLength(1);
    expect((await bench.latest()).pending_operations).toBeUndefined();
    expect((await bench.up()).changes).toEqual({ same: 12 });
  });

  it("is cleaned up by destroy, with what it had made", async () => {
    await killedAt("create Network net");
    await bench.destroy();
    expect(bench.cloud.ofType("Network")).toEqual([]);
    expect((await bench.latest()).pending_operations).toBeUndefined();
  });

  it("in mid-replacement ends with one server", async () => {
    await bench.up();
    await killedAt("create Instance server", { "network:userData": "#two" });
    await bench.up({ "network:userData": "#two" });
    expect(bench.cloud.calls).toEqual([]);
    expect(bench.cloud.ofType("Instance")).toHaveLength(1);
    expect((await bench.up({ "network:userData": "#two" })).changes).toEqual({ same: 12 });
  });

  it("with a provider that cannot look is only warned of, as by the official engine", async () => {
    bench.cloud.canFindInterrupted = false;
    await killedAt("create SecGroup group");
    await bench.up();
    expect(bench.cloud.calls).toContain("create SecGroup group");
    // Other creates ran beside it: what the kill left of them differs from run to run.
    expect((await bench.latest()).pending_operations).toContainEqual({
      type: "creating",
      resource: expect.objectContaining({ urn: expect.stringMatching(/SecGroup::group$/) }),
    });
  });
});

describe("a create whose answer was lost", () => {
  it("is found by the next run, not made twice", async () => {
    const lost = new Error("no answer within 60 s");
    bench.cloud.isUncertain = (error) => error === lost;
    bench.cloud.after = (call) => {
      if (call === "create Network net") throw lost;
    };
    expect((await failureOf(bench.up())).message).toContain("no answer within 60 s");
    expect((await bench.latest()).pending_operations).toHaveLength(1);

    bench.cloud.after = () => undefined;
    await bench.up();
    expect(bench.messages()).toContainEqual(expect.stringContaining("info: adopted net"));
    expect(bench.cloud.ofType("Network")).toHaveLength(1);
    expect((await bench.latest()).pending_operations).toBeUndefined();
  });

  it("and that made something broken can be destroyed once the cloud can be asked", async () => {
    bench.cloud.isUncertain = () => true;
    bench.cloud.after = (call) => {
      if (call === "create Network net") throw new Error("no answer");
    };
    await failureOf(bench.up());
    bench.cloud.after = () => undefined;
    bench.cloud.beforeFind = () => {
      throw new Error("503 while looking");
    };
    const failure = await failureOf(bench.destroy());
    expect(failure).toMatchObject({ code: "E_UPDATE_FAILED", message: expect.stringMatching(/Network::net: 503/) });
    expect(bench.cloud.calls).toEqual([]);
    expect((await bench.latest()).pending_operations).toHaveLength(1);

    bench.cloud.beforeFind = (r) => {
      throw halfMade(bench.cloud, r);
    };
    await bench.destroy();
    expect(bench.cloud.ofType("Network")).toEqual([]);
    expect((await bench.latest()).resources).toBeUndefined();
  });
});

it("a deletion that fails after a replacement that never came leaves a state that can be used", async () => {
  await bench.dispose();
  bench = await Workbench.of("options");
  const chain = { "options:parts": "chain" };
  await bench.up(chain);
  bench.cloud.before = (call) => {
    if (call === "create Network root") throw new Error("quota");
  };
  await failureOf(bench.up({ ...chain, "options:region": "R2" }));
  bench.cloud.before = (call) => {
    if (call === "delete SecGroup aside") throw new Error("in use");
  };
  expect((await failureOf(bench.destroy())).message).toContain("in use");
  bench.cloud.before = () => undefined;
  await bench.destroy();
  expect((await bench.latest()).resources).toBeUndefined();
  expect(bench.cloud.objects.size).toBe(0);
});

describe("a lock", () => {
  const lockOf = async (holder: object) => {
    await mkdir(bench.locksPath, { recursive: true });
    await writeFile(join(bench.locksPath, "theirs.json"), JSON.stringify(holder));
  };
  it("of another host is respected and described", async () => {
    const timestamp = new Date(Date.now() - 90_000).toISOString();
    await lockOf({ pid: 1, username: "ada", hostname: "elsewhere", timestamp });
    const failure = await failureOf(bench.up());
    expect(failure.code).toBe("E_LOCKED");
    expect(failure.message).toMatch(/ada@elsewhere \(pid 1, since 9[01] s\)/);
    expect(await bench.locks()).toEqual(["theirs.json"]);
    expect(bench.cloud.calls).toEqual([]);
  });

  it("of a living process here is respected", async () => {
    await lockOf({ pid: process.pid, username: "ada", hostname: hostname(), timestamp: new Date().toISOString() });
    expect(await failureOf(bench.destroy())).toMatchObject({ code: "E_LOCKED" });
  });

  it("whose pid belongs to a younger process is broken", async () => {
    await lockOf({ pid: process.pid, username: "ada", hostname: hostname(), timestamp: "2001-01-01T00:00:00Z" });
    await bench.up();
    expect(await bench.locks()).toEqual([]);
  });

  it("is held while another run works, so the second one fails at once", async () => {
    const { promise: secondIsRefused, resolve: goOn } = Promise.withResolvers<void>();
    bench.cloud.before = () => secondIsRefused;
    const first = bench.up();
    // its first question to the provider: a run that still looks for rivals would give way to the second, as it to the first
    await waitFor("the first run to work", async () => bench.cloud.questions.length > 0 || undefined, {
      timeoutMs: 60_000,
      intervalMs: 10,
    });
    expect(await failureOf(bench.engine.up(bench.stack))).toMatchObject({ code: "E_LOCKED", exitCode: 7 });
    goOn();
    await first;
  });
});

describe("state that cannot be used", () => {
  const untouched = async (operation: () => Promise<unknown>) => {
    const before = await readFile(bench.checkpointPath, "utf8");
    bench.cloud.calls.length = 0;
    const failure = await failureOf(operation());
    expect(await readFile(bench.checkpointPath, "utf8")).toBe(before);
    expect(bench.cloud.calls).toEqual([]);
    return failure;
  };

  it("for want of the passphrase", async () => {
    await bench.up();
    const stranger = { ...bench.stack, passphrase: "wrong" };
    expect(await untouched(() => bench.engine.up(stranger))).toMatchObject({ code: "E_PASSPHRASE_WRONG", exitCode: 2 });
    expect(await untouched(() => bench.engine.destroy(stranger))).toMatchObject({ code: "E_PASSPHRASE_WRONG" });
    expect(await untouched(() => bench.engine.outputs(stranger))).toMatchObject({ code: "E_PASSPHRASE_WRONG" });
  });

  it("because it was damaged", async () => {
    await bench.up();
    const text = await readFile(bench.checkpointPath, "utf8");
    const damages: ((file: { checkpoint: { latest: { resources: unknown[]; manifest: object } } }) => unknown)[] = [
      (file) => file.checkpoint.latest.resources.reverse(),
      (file) => Object.assign(file.checkpoint.latest.manifest, { version: "v9.9.9" }),
      (file) => Object.assign(file.checkpoint.latest, { resources: [{ custom: true }] }),
    ];
    for (const damage of damages) {
      const file = JSON.parse(text);
      damage(file);
      await writeFile(bench.checkpointPath, JSON.stringify(file));
      expect(await untouched(() => bench.up())).toMatchObject({ code: "E_STATE_DAMAGED", exitCode: 2 });
    }
    await writeFile(bench.checkpointPath, text.slice(0, -10));
    expect(await untouched(() => bench.up())).toMatchObject({
      code: "E_STATE_DAMAGED",
      hint: expect.stringContaining(`${bench.checkpointPath}.bak`),
    });
    await writeFile(bench.checkpointPath, text.replace('"version":3', '"version":4,"features":["taint"]'));
    expect(await untouched(() => bench.up())).toMatchObject({ code: "E_UNSUPPORTED" });
    await writeFile(bench.checkpointPath, text.replaceAll("urn:pulumi:dev::network::", "urn:pulumi:prod::network::"));
    expect(await untouched(() => bench.up())).toMatchObject({
      code: "E_STATE_DAMAGED",
      message: expect.stringContaining("another stack, prod::network"),
    });
  });
});

it("every update leaves a backup and a line of history", async () => {
  await bench.up();
  const pulumi = join(bench.state, ".pulumi");
  const ofContent = (names: string[]) => names.filter((name) => !name.endsWith(".attrs"));
  const history = ofContent(await readdir(join(pulumi, "history", "network", "dev")));
  expect(history.map((name) => name.replace(/\d+/, "N")).sort()).toEqual([
    "dev-N.checkpoint.json",
    "dev-N.history.json",
  ]);
  expect(ofContent(await readdir(join(pulumi, "backups", "network", "dev")))).toHaveLength(1);
  expect(JSON.parse(await readFile(`${bench.checkpointPath}.bak`, "utf8")).version).toBe(3);
  expect(await readFile(join(pulumi, "meta.yaml"), "utf8")).toBe("version: 1\n");
  const line = history.find((name) => name.endsWith("history.json")) ?? "";
  const entry = JSON.parse(await readFile(join(pulumi, "history", "network", "dev", line), "utf8"));
  expect(entry).toMatchObject({ kind: "update", result: "succeeded", resourceChanges: { create: 12 } });
});

it("an unknown stack is refused, with those that there are", async () => {
  const failure = await failureOf(bench.engine.up({ ...bench.stack, stack: "prodction" }));
  expect(failure).toMatchObject({ code: "E_STACK_UNKNOWN", hint: expect.stringContaining("choose one of: dev.") });
});
