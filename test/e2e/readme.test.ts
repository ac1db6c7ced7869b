import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { Slipway } from "./slipway.ts";

const skip = await whyNoGuests();

/** Runs a line as a person would type it, in the project's folder. */
function type(line: string, cwd: string): Promise<{ status: number | null; output: string }> {
  const child = spawn("bash", ["-c", line], { cwd, env: { ...process.env, CI: "true" }, timeout: 170_000 });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve) =>
    child.on("close", (status) => resolve({ status, output: stripVTControlCharacters(output) })),
  );
}

/** The commands of the README's shell blocks, without their comments. */
async function readmeCommands(): Promise<string[]> {
  const text = await readFile(join(import.meta.dirname, "../../README.md"), "utf8");
  const blocks = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block = ""]) => block);
  return blocks
    .flatMap((block) => block.split("\n"))
    .map((line) => line.replace(/\s+#.*$/, "").trim())
    .filter(Boolean);
}

describe.skipIf(skip !== undefined)(`the README's commands${skip === undefined ? "" : ` (${skip})`}`, () => {
  let slipway: Slipway;
  let first: string;
  beforeAll(async () => {
    slipway = await Slipway.create();
  });
  afterAll(async () => {
    expect(await slipway?.remove()).toEqual([]);
  });

  it("are those that are run here", async () => {
    // `npm test` is what runs this; the rest is typed below, in this order
    expect(await readmeCommands()).toEqual(["npm start", "npm test", "npm run stop"]);
  });

  it("`npm start` ends with a prediction and the next three commands", async () => {
    const { status, output } = await type("npm start", slipway.projectRoot);
    expect(output).toMatch(/production serves:\n\s+engine\s+embedded\n\s+cloud\s+slipway/);
    expect(output).toMatch(/model\s+diabetes version 1, sha256:[0-9a-f]{64}\n\s+prediction\s+classes 0 1 0 0 0 0 1/);
    expect(output).toMatch(/times\s+.*provision .*bootstrap .*attach .*check /);
    expect(status).toBe(0);
    first = output;
  });

  it("a second `npm start` changes nothing and says so", async () => {
    const { status, output } = await type("npm start", slipway.projectRoot);
    expect(output).toContain("production serves; nothing changed:");
    expect(status).toBe(0);
  });

  it("the commands that it prints work as they are, the last of them takes everything down", async () => {
    const next = (first.split("Next:\n")[1] ?? "")
      .trim()
      .split("\n")
      .map((line) => line.trim());
    expect(next).toHaveLength(3);
    const [predict = "", deploy = "", stop = ""] = next;
    expect(JSON.parse((await type(predict, slipway.projectRoot)).output)).toMatchObject({
      model: { name: "diabetes", version: "1" },
    });
    expect(await type(deploy, slipway.projectRoot)).toMatchObject({
      status: 0,
      output: expect.stringContaining("diabetes version 2"),
    });
    expect(stop).toBe("npm run stop");
    const { status, output } = await type(stop, slipway.projectRoot);
    expect(output).toMatch(/Nothing is left.*\n(\s+\w+\s+\d+ removed, 0 left\n){6}/);
    expect(status).toBe(0);
  });

  it("every verb of its table exists", async () => {
    const text = await readFile(join(import.meta.dirname, "../../README.md"), "utf8");
    const verbs = [...text.matchAll(/^\| `([a-z]+)/gm)].map(([, verb]) => verb);
    expect(verbs.length).toBeGreaterThan(5);
    for (const verb of verbs)
      expect((await type(`node bin/slipway.mjs ${verb} --help`, slipway.projectRoot)).status).toBe(0);
  });
});
