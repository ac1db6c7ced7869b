import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { run } from "../../../src/common/process.ts";
import { encryptText, keyOf } from "../../../src/engine/embedded/secrets/passphrase.ts";
import { logIn, postJson } from "../../e2e/openstack-http.ts";
import { PaperProject } from "../paper-project.ts";

// The real command line as a process, over state as the official engine wrote it. Each case has stacks of its own.
vi.setConfig({ testTimeout: 120_000 });

const root = join(import.meta.dirname, "../../..");
const official = fileURLToPath(new URL("../../engine/fixtures/official/.pulumi/stacks/wide/", import.meta.url));
const page = join(root, "docs/reference/state.md");
const env = { PULUMI_CONFIG_PASSPHRASE: "x" };
const secretSignature = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" };

let project: PaperProject;
let salt: string;
let sealed: string;

beforeAll(async () => {
  project = await PaperProject.create();
  const text = await readFile(join(official, "dev.json"), "utf8");
  salt = JSON.parse(text).checkpoint.latest.secrets_providers.state.salt;
  sealed = encryptText(await keyOf("x", salt), '"hush"');
});
afterAll(() => project?.remove());

const slipway = (args: string[], more: Record<string, string> = {}) => project.run(args, { env: { ...env, ...more } });
const stateFolder = () => join(project.slipway.home, "state/.pulumi/stacks/slipway");
const stateFile = (stack: string) => join(stateFolder(), `${stack}.json`);
const stackFile = (stack: string) => join(project.slipway.projectRoot, "stacks", `Pulumi.${stack}.yaml`);

/** A stack whose state holds its root and one component below it, with a secret. */
async function stackWithState(stack: string, change: (latest: Latest) => void = () => undefined): Promise<string> {
  await project.addStack(stack);
  const file = JSON.parse(await readFile(join(official, "dev.json.bak"), "utf8"));
  const { latest } = file.checkpoint;
  const [rootResource] = latest.resources;
  const urn = `urn:pulumi:${stack}::slipway::pulumi:pulumi:Stack::slipway-${stack}`;
  Object.assign(rootResource, { urn, outputs: { note: { ...secretSignature, ciphertext: sealed } } });
  const part = `urn:pulumi:${stack}::slipway::test:index:Part::part`;
  latest.resources.push({ urn: part, custom: false, type: "test:index:Part", parent: urn, dependencies: [urn] });
  delete latest.pending_operations;
  file.checkpoint.stack = `organization/slipway/${stack}`;
  change(latest);
  const text = JSON.stringify(file);
  await mkdir(stateFolder(), { recursive: true });
  await writeFile(stateFile(stack), text);
  return text;
}
// biome-ignore lint/suspicious/noExplicitAny: a checkpoint, looked at as it is
type Latest = any;
const latestOf = async (stack: string): Promise<Latest> =>
  JSON.parse(await readFile(stateFile(stack), "utf8")).checkpoint.latest;

describe.concurrent("slipway stack", () => {
  it("tells outputs, secrets only when asked to", async () => {
    await stackWithState("telling", ({ resources: [rootResource] }) => {
      Object.assign(rootResource.outputs, { address: "192.0.2.1", ports: [80, 443] });
    });
    const output = (...args: string[]) => slipway(["stack", "output", ...args, "--stack", "telling"]);
    const all = { address: "192.0.2.1", note: "[secret]", ports: [80, 443] };
    expect((await output()).result).toMatchObject({ ok: true, stack: "telling", outputs: all });
    expect((await output("--show-secrets")).result.outputs).toEqual({ ...all, note: "hush" });
    expect((await output("ports")).result).toMatchObject({ name: "ports", value: [80, 443] });
    expect((await output("note", "--show-secrets")).result.value).toBe("hush");
    expect((await output("adress")).result).toMatchObject({
      ok: false,
      error: { code: "E_USAGE", hint: "Choose one of address, note, ports." },
    });
    const stranger = await slipway(["stack", "output", "--show-secrets", "--stack", "telling"], {
      PULUMI_CONFIG_PASSPHRASE: "y",
    });
    expect(stranger.result.error.code).toBe("E_PASSPHRASE_WRONG");
  });

  it("lists stacks with a file or state, and what is wrong with one", async () => {
    await stackWithState("listed");
    await mkdir(stateFolder(), { recursive: true });
    await writeFile(stateFile("torn"), '{"version":3,');
    const { result } = await slipway(["stack", "ls"]);
    const byName = new Map(result.stacks.map((stack: { name: string }) => [stack.name, stack]));
    expect(byName.get("listed")).toMatchObject({ resourceCount: 2, lastUpdate: "2026-11-21T06:26:58.091681143Z" });
    expect(byName.get("production")).toMatchObject({ updateInProgress: false });
    expect(byName.get("torn")).toMatchObject({ problem: expect.stringContaining("it is not JSON") });
  });

  it("exports what is there, and takes it back", async () => {
    const text = await stackWithState("moved");
    const { latest } = JSON.parse(text).checkpoint;
    const { result } = await slipway(["stack", "export", "moved"]);
    expect(result).toMatchObject({ ok: true, version: 3, deployment: latest });
    const clear = (await slipway(["stack", "export", "moved", "--show-secrets"])).result.deployment;
    expect(clear.resources[0].outputs.note).toEqual({ ...secretSignature, plaintext: '"hush"' });

    const file = join(project.slipway.projectRoot, "moved.json");
    clear.pending_operations = [{ type: "updating", resource: clear.resources[1] }];
    await writeFile(file, JSON.stringify({ version: 3, deployment: clear }));
    const imported = await slipway(["stack", "import", "moved", "--file", file]);
    expect(imported.result).toMatchObject({ ok: true, resources: 2 });
    expect(imported.lines).toContainEqual(
      expect.objectContaining({ text: expect.stringContaining("removing pending operation 'updating'") }),
    );
    const after = await latestOf("moved");
    expect(after.pending_operations).toBeUndefined();
    expect(after.resources[0].outputs.note.ciphertext).toMatch(/^v1:/);
    expect(await readFile(`${stateFile("moved")}.bak`, "utf8")).toBe(text);
  });

  it.each([
    ["another stack's", (d: Latest) => d, "foreign", /from a different stack \(foreign != strict-1\)/],
    ["a contradictory", (d: Latest) => ({ ...d, resources: d.resources.toReversed() }), "strict-2", /not before it/],
    ["another engine's", (d: Latest) => ({ ...d, manifest: { ...d.manifest, magic: "0" } }), "strict-3", /magic/],
  ])("refuses to import %s deployment, and leaves the state as it is", async (_what, change, owner, message) => {
    const stack = owner === "foreign" ? "strict-1" : owner;
    const before = await stackWithState(stack);
    const other = JSON.parse(before.replaceAll(stack, owner)).checkpoint.latest;
    const file = join(project.slipway.projectRoot, `${stack}-import.json`);
    await writeFile(file, JSON.stringify({ version: 3, deployment: change(other) }));
    const { result, exitCode } = await slipway(["stack", "import", stack, "--file", file]);
    expect(result.error).toMatchObject({ code: "E_USAGE", message: expect.stringMatching(message) });
    expect(exitCode).toBe(2);
    expect(await readFile(stateFile(stack), "utf8")).toBe(before);
    if (owner !== "foreign") return;
    expect((await slipway(["stack", "import", stack, "--file", file, "--force"])).result.ok).toBe(true);
    expect((await latestOf(stack)).resources[0].urn).toContain(":foreign::");
  });

  it("renames everything that has the name, and no stack over another", async () => {
    await stackWithState("early", (latest) => {
      const [, part] = latest.resources;
      part.propertyDependencies = { a: [latest.resources[0].urn] };
      const reference = { "4dabf18193072939515e22adb298388d": "5cf8f73096256a8f31e491e813e4eb8e", urn: part.urn };
      latest.resources[0].outputs.part = reference;
      latest.resources[0].outputs.text = part.urn;
    });
    const pulumi = join(project.slipway.home, "state/.pulumi");
    for (const [folder, name] of [
      ["history", "early-12.history.json"],
      ["backups", "early.12.json"],
    ] as const) {
      await mkdir(join(pulumi, folder, "slipway/early"), { recursive: true });
      await writeFile(join(pulumi, folder, "slipway/early", name), "{}");
    }
    await mkdir(join(project.slipway.home, "stacks/early"), { recursive: true });
    await writeFile(project.stackFile("early", "kept"), "");
    const taken = await slipway(["stack", "rename", "production", "--stack", "early"]);
    expect(taken.result.error).toMatchObject({ code: "E_USAGE", message: expect.stringContaining("already exists") });

    const { result } = await slipway(["stack", "rename", "late", "--stack", "early"]);
    expect(result).toMatchObject({ ok: true, stack: "late", renamedFrom: "early" });
    const [stack, part] = (await latestOf("late")).resources;
    expect(stack.urn).toBe("urn:pulumi:late::slipway::pulumi:pulumi:Stack::slipway-late");
    expect(part).toMatchObject({
      urn: "urn:pulumi:late::slipway::test:index:Part::part",
      parent: stack.urn,
      dependencies: [stack.urn],
      propertyDependencies: { a: [stack.urn] },
    });
    expect(stack.outputs).toMatchObject({
      part: { urn: part.urn },
      text: "urn:pulumi:early::slipway::test:index:Part::part",
      note: { ciphertext: sealed },
    });
    expect([existsSync(stackFile("early")), existsSync(stackFile("late"))]).toEqual([false, true]);
    expect([existsSync(stateFile("early")), existsSync(`${stateFile("early")}.bak`)]).toEqual([false, true]);
    expect(existsSync(project.stackFile("late", "kept"))).toBe(true);
    expect(await readdir(join(pulumi, "history/slipway/late"))).toEqual(["late-12.history.json"]);
    expect(await readdir(join(pulumi, "backups/slipway/late"))).toEqual(["late.12.json"]);
    expect((await slipway(["stack", "export", "early"])).result.error.code).toBe("E_STACK_UNKNOWN");
  });

  it("removes a stack once it has no resources, or leaves them behind", async () => {
    await stackWithState("full");
    await mkdir(join(project.slipway.home, "stacks/full"), { recursive: true });
    expect((await slipway(["stack", "rm", "full"])).result.error).toMatchObject({
      code: "E_USAGE",
      hint: "Add --yes.",
    });
    const refused = await slipway(["stack", "rm", "full", "--yes"]);
    expect(refused.result.error.message).toBe("full still has 2 resources; removal rejected");
    expect(existsSync(stateFile("full"))).toBe(true);
    const { result } = await slipway(["stack", "rm", "full", "--yes", "--force", "--preserve-config"]);
    expect(result).toMatchObject({ ok: true, leftBehind: 2 });
    expect(existsSync(stateFile("full"))).toBe(false);
    expect(existsSync(`${stateFile("full")}.bak`)).toBe(true);
    expect(existsSync(join(project.slipway.home, "stacks/full"))).toBe(true);
    expect((await slipway(["stack", "rm", "full", "--yes"])).result).toMatchObject({ ok: true, leftBehind: 0 });
    expect([existsSync(stackFile("full")), existsSync(join(project.slipway.home, "stacks/full"))]).toEqual([
      false,
      false,
    ]);
  });

  it("breaks locks from elsewhere that nothing else breaks", async () => {
    await stackWithState("held");
    const locks = join(project.slipway.home, "state/.pulumi/locks/organization/slipway/held");
    await mkdir(locks, { recursive: true });
    const timestamp = new Date(Date.now() - 60_000).toISOString();
    const theirs = { pid: 7, username: "ada", hostname: `not-${hostname()}`, timestamp };
    await writeFile(join(locks, "theirs.json"), JSON.stringify(theirs));
    const refused = await slipway(["stack", "rename", "unheld", "--stack", "held"]);
    expect(refused.result.error).toMatchObject({
      code: "E_LOCKED",
      message: expect.stringMatching(/ada@not-.* \(pid 7, since \d+ s\)/),
      hint: expect.stringContaining("slipway stack cancel"),
    });
    const { result } = await slipway(["stack", "cancel", "held", "--yes"]);
    expect(result.broken).toEqual([expect.stringContaining("ada@")]);
    expect(await readdir(locks)).toEqual([]);
    expect((await slipway(["stack", "rename", "unheld", "--stack", "held"])).result.ok).toBe(true);
  });
});

describe("slipway config", () => {
  const typed = (command: string) =>
    run("bash", ["-c", `node ${join(root, "bin/slipway.mjs")} ${command}`], {
      cwd: project.slipway.projectRoot,
      env: { ...process.env, ...env },
    });

  it("seals secrets with the state's salt, out of standard input alone", async () => {
    await stackWithState("sealing");
    const refused = await slipway(["config", "set", "pw", "open", "--secret", "--stack", "sealing"]);
    expect(refused.result.error).toMatchObject({ code: "E_USAGE", hint: expect.stringContaining("pipe it in") });
    const open = await slipway(["config", "set", "openstack:password", "open", "--stack", "sealing"]);
    expect(open.result.error.message).toBe("openstack:password looks like a secret");
    await typed(`config set openstack:password --secret --stack sealing <<< 'psst "now"'`);
    const text = await readFile(stackFile("sealing"), "utf8");
    expect(text).toMatch(new RegExp(`^encryptionsalt: ${salt.replace(/[+]/g, "\\+")}$`, "m"));
    expect(text).not.toContain("psst");
    const get = (passphrase: string) =>
      slipway(["config", "get", "openstack:password", "--stack", "sealing"], { PULUMI_CONFIG_PASSPHRASE: passphrase });
    expect((await get("x")).result).toMatchObject({ value: 'psst "now"', secret: true });
    expect((await get("y")).result.error.code).toBe("E_PASSPHRASE_WRONG");
    const all = await slipway(["config", "--stack", "sealing"], { PULUMI_CONFIG_PASSPHRASE: "y" });
    expect(all.result.config["openstack:password"]).toEqual({ secret: true });
  });
});

it("the commands of the page on state work as they stand there", async () => {
  await stackWithState("docs");
  const blocks = [...(await readFile(page, "utf8")).matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(
    ([, block]) => block ?? "",
  );
  expect(blocks).toHaveLength(4);
  const lines = blocks.join("").trim().split("\n");
  expect(lines.length).toBeGreaterThan(12);
  // configuration comes last on the page, when its stack was removed
  const [state = "", ends = "", imports = "", configuration = ""] = blocks.map((block) =>
    block.replaceAll("production", "docs"),
  );
  const script = [state, imports, configuration.replaceAll("slipway config", "slipway config --stack docs"), ends].join(
    "",
  );
  const { headers, endpoint } = await logIn(project.slipway);
  const networks = `${endpoint("network").replace(/\/$/, "")}/v2.0/networks`;
  const made = await postJson(networks, { network: { name: "made-elsewhere" } }, headers);
  const { network } = (await made.json()) as { network: { id: string } };
  const { stdout } = await run(
    "bash",
    [
      "-euo",
      "pipefail",
      "-c",
      `slipway() { node ${join(root, "bin/slipway.mjs")} "$@"; }\nset -x\n${script.replace("rename live", "rename live --stack docs")}`,
    ],
    {
      cwd: project.slipway.projectRoot,
      env: {
        ...process.env,
        ...env,
        PASSWORD: "of the docs",
        NETWORK_ID: network.id,
        HOME: project.slipway.projectRoot,
      },
    },
  );
  expect(stdout).toContain("of the docs");
  expect(stdout).toContain('new openstack.networking.Network("uplink"');
  expect(stdout).toContain("renamed docs to live");
  expect(stdout).toContain("live is removed");
});
