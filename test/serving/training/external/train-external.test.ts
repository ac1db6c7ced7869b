import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { importModel } from "../../../../src/serving/models/import.ts";
import { readPackage } from "../../../../src/serving/models/package.ts";
import { type EpochProgress, externalTrainerSchema, type LogLine } from "../../../../src/serving/training/contract.ts";
import { trainModel } from "../../../../src/serving/training/train-model.ts";
import { exampleModel } from "../../support.ts";
import { diabetesRows, unpacked } from "../support.ts";

const data = { path: diabetesRows };
const spec = { kind: "external", trainer: "ours", task: "binary", parameters: { depth: 3 } };
const hasNumpy = spawnSync("python3", ["-c", "import numpy"], { stdio: "ignore" }).status === 0;

/** A trainer of a host whose command is a Node program. */
function nodeTrainer(program: string, options: object = {}) {
  const command = [process.execPath, "--input-type=module", "-e", `import * as fs from "node:fs";\n${program}`];
  return { ours: externalTrainerSchema.parse({ command, ...options }) };
}

const env = (name: string) => `process.env.SLIPWAY_TRAINING_${name}`;
const example = JSON.stringify(exampleModel("development"));
/** Leaves the model that Keras trained on the same rows. */
const leaveExample = `for (const name of ["model.json", "model.h5"]) fs.copyFileSync(${example} + "/" + name, ${env("OUTPUT")} + "/" + name);`;

describe("an external trainer", () => {
  it("gets its inputs, tells its progress, and its model is judged on rows that it has not seen", async () => {
    const progress: EpochProgress[] = [];
    const log: LogLine[] = [];
    const program = `
      const lines = fs.readFileSync(${env("DATA")}, "utf8").trim().split("\\n");
      console.log("rows", lines.length, lines[0].split(",").length);
      console.log(JSON.stringify(JSON.parse(fs.readFileSync(${env("SPEC")}, "utf8"))));
      console.log("parent", fs.readdirSync(${env("PARENT")}).sort().join(" "));
      console.log("sees", Object.keys(process.env).sort().join(" "));
      console.error("a warning");
      for (let epoch = 1; epoch <= 2; epoch++) console.log(JSON.stringify({ epoch, epochs: 2, loss: 1 / epoch }));
      fs.writeFileSync(${env("OUTPUT")} + "/metrics.json", '{"loss": 0.25}');
      ${leaveExample}
    `;
    const parent = await unpacked(await importModel(exampleModel("production")));
    process.env.SLIPWAY_TEST_SECRET = "not for trainers";
    const result = await trainModel(
      { spec: { ...spec, gate: { minAccuracy: 0.7, betterThanParent: true } }, data, parent },
      { trainers: nodeTrainer(program), onProgress: (told) => progress.push(told), onLog: (line) => log.push(line) },
    ).finally(() => delete process.env.SLIPWAY_TEST_SECRET);

    expect(progress.map(({ epoch, epochs, loss }) => [epoch, epochs, loss])).toEqual([
      [1, 2, 1],
      [2, 2, 0.5],
    ]);
    const printed = log.filter(({ source }) => source === "stdout").map(({ text }) => text);
    expect(printed[0]).toBe("rows 689 9"); // a header and 765 rows less the hold-out of 77
    expect(JSON.parse(printed[1] ?? "")).toMatchObject({
      task: "binary",
      features: 8,
      targets: 1,
      seed: 1,
      parameters: { depth: 3 },
    });
    expect(printed[2]).toMatch(/parent data.csv golden.json model.onnx slipway-model.json/);
    expect(printed[3]).not.toContain("SECRET");
    expect(
      printed[3]?.split(" ").filter((name) => !/^(SLIPWAY_TRAINING_|PATH|HOME|TMPDIR|LANG|LC_ALL|TZ)/.test(name)),
    ).toEqual(["sees"]);
    expect(log).toContainEqual(expect.objectContaining({ source: "stderr", text: "a warning" }));
    expect(result.metrics).toMatchObject({
      rows: 77,
      accuracy: expect.any(Number),
      parentAccuracy: expect.any(Number),
    });
    expect(result.verdict.checks).toHaveLength(2);

    const { card, training } = await readPackage((await unpacked(result.package)).folder);
    expect(card.rows?.input.columns?.[0]).toMatch(/^pregnancies/);
    expect(JSON.parse(training ?? "")).toMatchObject({
      kind: "external",
      trainer: "ours",
      parent: parent.digest,
      epochs: 2,
      reported: { loss: 0.25 },
      rows: { training: 688, holdOut: 77 },
    });
  });

  it.skipIf(!hasNumpy)("may be written in Python: the example of the how-to", async () => {
    const script = fileURLToPath(new URL("../../../../docs/how-to/trainer/train.py", import.meta.url));
    const trainers = { ours: externalTrainerSchema.parse({ command: ["python3", script] }) };
    const epochs: number[] = [];
    const { metrics, package: model } = await trainModel(
      { spec: { ...spec, parameters: { epochs: 100 } }, data },
      { trainers, onProgress: ({ epoch }) => epochs.push(epoch) },
    );
    expect(epochs).toHaveLength(100);
    expect(metrics.accuracy).toBeGreaterThan(0.7);
    expect(model.card.rows).toMatchObject({ input: { features: 8 }, output: { kind: "binary" } });
  });

  it("that fails is quoted", async () => {
    const trainers = nodeTrainer(`console.error("no memory\\u0007 left"); process.exit(3);`);
    await expect(trainModel({ spec, data }, { trainers })).rejects.toMatchObject({
      code: "E_TRAINING_FAILED",
      message: "the trainer ours ended with exit code 3; its last line: no memory  left",
      details: ["no memory  left"],
    });
  });

  it("that takes too long is ended", async () => {
    const trainers = nodeTrainer(`setTimeout(() => undefined, 60_000);`, { timeoutS: 1 });
    await expect(trainModel({ spec, data }, { trainers })).rejects.toMatchObject({ code: "E_TIMEOUT" });
  });

  it("ends with an abort, and with a callback that throws", async () => {
    const trainers = nodeTrainer(`console.log('{"epoch": 1}'); setTimeout(() => undefined, 60_000);`);
    const stop = new AbortController();
    const onProgress = () => stop.abort(new Error("enough"));
    await expect(trainModel({ spec, data }, { trainers, signal: stop.signal, onProgress })).rejects.toThrow("enough");
    const broken = () => {
      throw new Error("the caller's own");
    };
    await expect(trainModel({ spec, data }, { trainers, onProgress: broken })).rejects.toThrow("the caller's own");
  });

  it("may print more than is kept", async () => {
    const log: LogLine[] = [];
    const program = `for (let i = 0; i < 30_000; i++) fs.writeSync(1, "line " + i + "\\n"); ${leaveExample}`;
    await trainModel({ spec, data }, { trainers: nodeTrainer(program), onLog: (line) => log.push(line) });
    expect(log.filter(({ source }) => source === "stdout")).toHaveLength(20_000);
    expect(log.map(({ text }) => text)).toContain("the trainer's further lines are not kept");
  });

  it.each([
    ["nothing", "", /left no model that Slipway can read/],
    ["what is no model", `fs.writeFileSync(${env("OUTPUT")} + "/model.onnx", "garbage");`, /left no model/],
    [
      "a link",
      `fs.symlinkSync("/etc/hostname", ${env("OUTPUT")} + "/model.onnx");`,
      /model.onnx, which is no plain file/,
    ],
    ["a folder", `fs.mkdirSync(${env("OUTPUT")} + "/more");`, /more, which is no plain file/],
    ["metrics that are none", `fs.writeFileSync(${env("OUTPUT")} + "/metrics.json", '{"a": "b"}');`, /metrics.json/],
  ])("that leaves %s has failed", async (_what, program, message) => {
    const training = trainModel({ spec, data }, { trainers: nodeTrainer(program) });
    await expect(training).rejects.toThrow(message);
    await expect(training).rejects.toMatchObject({ code: "E_TRAINING_FAILED" });
  });

  it("is one of the host's: a request brings no command", async () => {
    await expect(trainModel({ spec: { ...spec, trainer: "constructor" }, data }, { trainers: {} })).rejects.toThrow(
      'this host has no trainer "constructor"',
    );
    await expect(trainModel({ spec: { ...spec, command: ["sh"] }, data })).rejects.toThrow(/command/);
  });

  it("whose model takes other rows has failed", async () => {
    const narrow = (await readFile(diabetesRows, "utf8")).replace(/^[^,]*,/gm, "");
    await expect(trainModel({ spec, data: { text: narrow } }, { trainers: nodeTrainer(leaveExample) })).rejects.toThrow(
      "the model takes rows of 8 numbers, the data has 7",
    );
  });
});
