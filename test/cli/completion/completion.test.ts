import { existsSync, readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { run } from "../../../src/common/process.ts";
import { Slipway } from "../../e2e/slipway.ts";
import { Terminal, whyNoTerminal } from "../../support/terminal.ts";
import { ensureShell, libraries } from "./shells.ts";

vi.setConfig({ testTimeout: 60_000 });

const verbs = readdirSync(join(import.meta.dirname, "../../../src/cli/verbs")).map((file) => file.replace(".ts", ""));
const common = ["--json", "--quiet", "--verbose", "--stack", "--os-cloud", "--engine", "--yes", "--help"];
let slipway: Slipway;
/** Files with the completions, by shell. */
const files: Record<string, string> = {};
/** A folder of the project, an environment without Node, and clouds of the user's own and of the embedded cloud. */
let place: { cwd: string; env: NodeJS.ProcessEnv };

beforeAll(async () => {
  slipway = await Slipway.create();
  for (const shell of ["bash", "zsh", "fish"]) {
    const { exitCode, stdout } = await slipway.print(["completion", shell]);
    expect(exitCode).toBe(0);
    files[shell] = join(slipway.home, `completion.${shell}`);
    await writeFile(files[shell], stdout);
  }
  const stacks = join(slipway.projectRoot, "stacks");
  await writeFile(join(stacks, "Pulumi.staging.yaml"), "config: {}\n");
  // names that a shell would run, or take for more than one
  for (const name of ["$(touch pwned)", "`touch pwned`", "two words"])
    await writeFile(join(stacks, `Pulumi.${name}.yaml`), "");
  const home = join(slipway.projectRoot, "home");
  await mkdir(join(home, ".config/openstack"), { recursive: true });
  const clouds =
    "# mine\nclouds:\n  # a comment: not a cloud\n  mine:\n    auth:\n      username: me\n  'team':\n    auth: {}\n  $(touch pwned): {}\nother:\n  no: 1\n";
  await writeFile(join(home, ".config/openstack/clouds.yaml"), clouds);
  await writeFile(join(slipway.home, "clouds.yaml"), "clouds:\n    slipway:\n        auth: {}\n");
  // what completes must not start Node: it would take a second at each key
  const bin = join(home, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "node"), "#!/bin/sh\necho NODE-WAS-STARTED\n", { mode: 0o755 });
  const cwd = join(slipway.projectRoot, "models/diabetes/production");
  place = { cwd, env: { PATH: `${bin}:/usr/bin:/bin`, HOME: home, TERM: "dumb", LC_ALL: "C.UTF-8" } };
});
afterAll(async () => {
  expect(existsSync(join(place.cwd, "pwned"))).toBe(false);
  expect(await slipway.remove()).toEqual([]);
});

/** What every shell has to answer: words before the cursor, the last one being completed, and the candidates. */
const cases: [string[], string[]][] = [
  [[""], verbs],
  [["st"], ["stack", "status"]],
  [
    ["--json", "re"],
    ["refresh", "releases", "render"],
  ],
  [["stack", "re"], ["rename"]],
  [["stack", "export", "stag"], ["staging"]],
  [
    ["config", ""],
    ["get", "rm", "set"],
  ],
  [["refresh", "--clear"], ["--clear-pending-creates"]],
  [
    ["up", ""],
    ["lab", "production", "staging"],
  ],
  [["up", "st"], ["staging"]],
  [
    ["--stack", ""],
    ["lab", "production", "staging"],
  ],
  [
    ["status", "--os-cloud", ""],
    ["mine", "slipway", "team"],
  ],
  [
    ["cloud", "st"],
    ["start", "status", "stop"],
  ],
  [
    ["cloud", "--hypervisor", ""],
    ["auto", "fake", "nspawn", "qemu"],
  ],
  [
    ["logs", "--"],
    [...common, "--console", "--follow", "--lines"],
  ],
  [["up", "--model", "golden"], ["golden.json"]],
  [["check", "--timeout", ""], []],
  [
    ["completion", ""],
    ["bash", "fish", "zsh"],
  ],
];

describe("bash", () => {
  /** Answers as bash itself would ask, in a function that was made with \`complete\`. */
  async function candidates(words: string[]): Promise<string[]> {
    const script = `source "$1"; shift; complete -p slipway >/dev/null || exit 9
      COMP_WORDS=(slipway "$@"); COMP_CWORD=$#; _slipway; for one in "\${COMPREPLY[@]}"; do echo "$one"; done`;
    const { stdout } = await run("bash", ["--norc", "-c", script, "bash", files.bash ?? "", ...words], place);
    return stdout.split("\n").filter(Boolean);
  }

  it.each(cases)("slipway %j", async (words, expected) => {
    expect((await candidates(words)).sort()).toEqual([...expected].sort());
  });

  it("knows that it makes three words of --option=value", async () => {
    expect(await candidates(["up", "--stack", "=", "pro"])).toEqual(["production"]);
    expect((await candidates(["up", "--stack", "="])).sort()).toEqual(["lab", "production", "staging"]);
    expect(await candidates(["--stack", "=", "production", "logs", "--fo"])).toEqual(["--follow"]);
  });

  it.skipIf(whyNoTerminal !== undefined)("completes what is typed", async () => {
    const terminal = Terminal.open(["bash", "--norc", "-i"], place);
    terminal.type(`PS1='> '; slipway() { echo "typed:$*."; }; source ${files.bash}\n`);
    terminal.type("slipway rend\t --hos\tserver\n");
    await terminal.shows("typed:render --host server.");
    terminal.close();
  });
});

const fish = await ensureShell("fish");
const whyNoFish = "reason" in fish ? fish.reason : undefined;

describe.skipIf(whyNoFish !== undefined)(`fish${whyNoFish === undefined ? "" : ` (skipped: ${whyNoFish})`}`, () => {
  it.each(cases)("slipway %j", async (words, expected) => {
    const { root } = fish as { root: string };
    const script = `set fish_function_path ${root}/usr/share/fish/functions; source ${files.fish}; complete -C "$argv"`;
    const env = { ...place.env, LD_LIBRARY_PATH: libraries(root) };
    const line = ["slipway", ...words].join(" ");
    const { stdout } = await run(join(root, "usr/bin/fish"), ["--no-config", "-c", script, line], { ...place, env });
    const found = stdout.split("\n").map((one) => one.split("\t")[0] ?? "");
    expect(found.filter(Boolean).sort()).toEqual([...expected].sort());
  });
});

const zsh = await ensureShell("zsh");
const whyNoZsh = "reason" in zsh ? zsh.reason : whyNoTerminal;

describe.skipIf(whyNoZsh !== undefined)(`zsh${whyNoZsh === undefined ? "" : ` (skipped: ${whyNoZsh})`}`, () => {
  let terminal: Terminal;
  beforeAll(async () => {
    const { root } = zsh as { root: string };
    const functions = `${root}/usr/share/zsh/functions`;
    const modules = libraries(root, "zsh");
    const start = join(slipway.home, "start.zsh");
    await writeFile(
      start,
      `module_path=(${modules}/*); fpath=(${functions} ${functions}/**/*(/N)); autoload -Uz compinit; compinit -u -D
       PS1='> '; slipway() { print -r -- "typed:$*." }; source ${files.zsh}; print ready\n`,
    );
    terminal = Terminal.open([join(root, "bin/zsh"), "-f", "-i"], place);
    terminal.type(`source ${start}\n`);
    await terminal.shows("ready");
  });
  afterAll(() => terminal?.close());

  it.each([
    ["rend\t", "render"],
    ["--json rend\t", "--json render"],
    ["up sta\t", "up staging"],
    ["--stack=sta\t up --mod\tgolden\t", "--stack=staging up --model=golden.json"],
    ["status --os-cloud te\t", "status --os-cloud team"],
    ["cloud --hypervisor fa\t start", "cloud --hypervisor fake start"],
    ["cloud dest\t --adm\t", "cloud destroy --admin"],
    ["completion zs\t", "completion zsh"],
  ])("slipway %j", async (typed, completed) => {
    terminal.type(`slipway ${typed}\n`);
    await terminal.shows(new RegExp(`typed:${completed} ?\\.`));
  });

  it("lists the verbs with what they do", async () => {
    terminal.type("slipway \t");
    for (const verb of [...verbs].sort()) await terminal.shows(`${verb} `);
    await terminal.shows("create or change a stack");
    terminal.type("\x03");
  });
});

it("refuses a shell that it does not know, and takes the user's own where none is named", async () => {
  const refused = await slipway.run(["completion", "tcsh"]);
  expect(refused.result.error).toMatchObject({ code: "E_USAGE", hint: "Choose one of bash, zsh, fish." });
  expect(refused.exitCode).toBe(2);
  const own = await slipway.run(["completion"], { env: { SHELL: "/usr/bin/fish" } });
  expect(own.result).toMatchObject({ ok: true, shell: "fish", script: expect.stringContaining("complete -c slipway") });
});
