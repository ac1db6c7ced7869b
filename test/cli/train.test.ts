import { spawn } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wantedTraining } from "../../src/cli/training/wanted.ts";
import { verb } from "../../src/cli/verbs/train.ts";
import { importAnyModel } from "../../src/serving/models/import-any.ts";
import { packageTar } from "../../src/serving/models/package.ts";
import { trainingSpecSchema } from "../../src/serving/training/spec.ts";

const root = join(import.meta.dirname, "../..");
const howTo = await readFile(join(root, "docs/how-to/train.md"), "utf8");
const blocks = (language: string) =>
  [...howTo.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"))].map(([, text = ""]) => text.trim());

/** The how-to's commands for this machine, without those that need a host or Python's packages. */
const commands = blocks("sh").filter((line) => !/--on |ADDRESS|python3/.test(line));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-train-test-"));
  await symlink(join(root, "models"), join(folder, "models"));
  await writeFile(join(folder, "risk.json"), blocks("json")[0] ?? "");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs `slipway WORDS --json` in the folder; `onLine` may end it. */
function slipway(words: string[], onLine: (line: Record<string, unknown>, kill: () => void) => void = () => {}) {
  const args = [join(root, "src/cli/main.ts"), words[0] as string, "--json", ...words.slice(1)];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  let rest = "";
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it with matchers
  const lines: any[] = [];
  child.stdout.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) {
      lines.push(JSON.parse(part));
      onLine(lines.at(-1), () => child.kill("SIGINT"));
    }
  });
  return new Promise<{ code: number | null; lines: typeof lines; result: (typeof lines)[0] }>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, lines, result: lines.at(-1) }));
  });
}

const data = ["--data", "models/diabetes/development/data.csv"];

describe("`train` on this machine", () => {
  it("does what the how-to says, in its order: each model has the digest that a stack would serve", async () => {
    expect(commands).toHaveLength(3);
    for (const command of commands) {
      const words = command.split(/\s+/);
      expect(words.slice(0, 3)).toEqual(["npx", "slipway", "train"]);
      const { code, result } = await slipway(words.slice(2));
      expect([command, code, result]).toMatchObject([command, 0, { ok: true }]);
      expect(result.metrics.accuracy).toBeGreaterThan(0.75);
      const output = words[words.indexOf("--output") + 1] as string;
      const { digest } = await packageTar(await importAnyModel(join(folder, output)));
      expect(digest).toBe(result.digest);
      if (!command.includes("--parent")) continue;
      const parent = JSON.parse(await readFile(join(folder, output, "training.json"), "utf8")).parent;
      expect(parent).toBe((await packageTar(await importAnyModel(join(folder, "trained/risk")))).digest);
    }
  });

  it("tells each epoch, and leaves no folder where the gate is not passed", async () => {
    const words = ["train", ...data, "--network", "snic", "--epochs", "3", "--min-accuracy", "1", "--output", "bad"];
    const { code, lines, result } = await slipway(words);
    expect(lines.filter(({ type }) => type === "epoch")).toMatchObject([
      { epoch: 1, epochs: 3, loss: expect.any(Number), accuracy: expect.any(Number) },
      { epoch: 2 },
      { epoch: 3 },
    ]);
    expect([code, result]).toMatchObject([
      6,
      {
        ok: false,
        error: { code: "E_GATE_FAILED", details: [expect.stringMatching(/^not passed: accuracy 0\.\d+ /)] },
      },
    ]);
    expect(await readdir(folder)).not.toContain("bad");
  });

  it("runs a trainer of one's own, whose files are named from here", async () => {
    const model = join(root, "models/diabetes/production");
    for (const name of ["model.json", "model.h5"]) await cp(join(model, name), join(folder, name));
    await writeFile(
      join(folder, "own.mjs"),
      `import { copyFileSync } from "node:fs";
       import { basename } from "node:path";
       console.log(JSON.stringify({ epoch: 1, epochs: 1, loss: 0.5 }));
       for (const file of process.argv.slice(2)) copyFileSync(file, process.env.SLIPWAY_TRAINING_OUTPUT + "/" + basename(file));`,
    );
    const command = [process.execPath, "own.mjs", "model.json", "model.h5"];
    const { code, lines, result } = await slipway([
      ...["train", ...data, "--task", "binary", "--output", "own", "--", ...command],
    ]);
    expect([code, result]).toMatchObject([0, { ok: true, metrics: { rows: 77, accuracy: expect.any(Number) } }]);
    expect(lines.filter(({ type }) => type === "epoch")).toMatchObject([{ epoch: 1, loss: 0.5 }]);
  });

  it("that is interrupted ends with 130 and leaves nothing", async () => {
    const words = ["train", ...data, "--network", "snic", "--epochs", "100000", "--output", "never"];
    const { code, result } = await slipway(words, ({ type }, kill) => {
      if (type === "epoch") kill();
    });
    expect([code, result]).toMatchObject([130, { ok: false, error: { code: "E_INTERRUPTED" } }]);
    expect(await readdir(folder)).not.toContain("never");
  });

  const rows = join(root, "models/diabetes/development/data.csv");
  const snic = { data: rows, network: "snic" };
  it.each([
    ["no rows", { network: "snic", output: "x" }, "E_USAGE", /rows/],
    ["no file of rows", { ...snic, data: "nothing.csv", output: "x" }, "E_USAGE", /nothing\.csv/],
    ["no output", snic, "E_USAGE", /folder/],
    ["an output with something in it", { ...snic, output: root }, "E_USAGE", /no empty folder/],
    ["a number out of its bounds", { ...snic, epochs: 0, output: "x" }, "E_TRAINING_INVALID", /spec\.epochs/],
    ["what is for hosts", { ...snic, output: "x", publish: "a" }, "E_USAGE", /--publish/],
    ["a host with a folder", { ...snic, output: "x", on: "http://127.0.0.1:9" }, "E_USAGE", /host keeps/],
    ["a parent that is none", { ...snic, parent: "x", on: "http://127.0.0.1:9" }, "E_USAGE", /digest/],
    ["no URL", { ...snic, on: "ftp://127.0.0.1" }, "E_USAGE", /URL/],
  ] as const)("%s is refused", async (_, args, code, message) => {
    const call = verb.handler({ json: false, quiet: true, verbose: false, ...args } as never);
    await expect(call).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe("what is to be trained", () => {
  it("is the specification, with what the command line says in its place", async () => {
    const path = join(folder, "spec.json");
    const gate = { minAccuracy: 0.9, maxLoss: 1 };
    const spec = { kind: "network", loss: "mse", epochs: 7, gate, earlyStopping: { patience: 3, minDelta: 0.1 } };
    await writeFile(path, JSON.stringify(spec));
    const changed = { spec: path, epochs: 9, seed: 5, patience: 4, minAccuracy: 0.5, command: [] };
    expect(await wantedTraining(changed)).toEqual({
      trainers: {},
      spec: {
        ...spec,
        epochs: 9,
        seed: 5,
        earlyStopping: { patience: 4, minDelta: 0.1 },
        gate: { minAccuracy: 0.5, maxLoss: 1 },
      },
    });
    expect((await wantedTraining({ spec: path, command: [] })).spec).toEqual(spec);
  });

  it("is a network by its name", async () => {
    const { spec } = await wantedTraining({ network: "snic", command: [] });
    expect(trainingSpecSchema.parse(spec)).toMatchObject({ epochs: 150, batchSize: 10, loss: "binary_crossentropy" });
  });

  it.each([
    [{ command: [] }, "E_USAGE"],
    [{ spec: "a", network: "snic", command: [] }, "E_USAGE"],
    [{ command: ["train"] }, "E_USAGE"],
    [{ network: "snic", command: ["train"] }, "E_USAGE"],
    [{ spec: "nowhere.json", command: [] }, "E_TRAINING_INVALID"],
  ] as const)("is not said by %j", async (args, code) => {
    await expect(wantedTraining(args)).rejects.toMatchObject({ code });
  });
});
