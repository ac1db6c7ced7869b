import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { argumentsOf, environmentOf, type ProgramStart } from "../../../src/engine/embedded/program/program.ts";
import { holdsSecrets, namespaceOf, resolveConfiguration } from "../../../src/engine/embedded/project/configuration.ts";
import { loadProject } from "../../../src/engine/embedded/project/project.ts";
import { loadStackFile } from "../../../src/engine/embedded/project/stack-file.ts";
import type { SecretCodec } from "../../../src/engine/embedded/values/state-json.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "slipway-project-"));
  await mkdir(join(root, "stacks"));
});
afterAll(() => rm(root, { recursive: true }));

const codec: SecretCodec = { encrypt: (text) => text, decrypt: (text) => `opened ${text}` };

/** Writes Pulumi.yaml and a stack file, and reads them. */
async function read(project: string, stack = "config: {}") {
  await writeFile(join(root, "Pulumi.yaml"), `name: shop\nruntime: nodejs\n${project}`);
  await writeFile(join(root, "stacks", "Pulumi.dev.yaml"), stack);
  const loaded = await loadProject(root);
  return { project: loaded, file: await loadStackFile(loaded, "dev") };
}

describe("configuration", () => {
  it("merges defaults, the stack's values and overrides", async () => {
    const { project, file } = await read(
      "stackConfigDir: stacks\nconfig:\n  plain: 5\n  typed: {type: boolean, default: true}\n  other: {type: string, default: a}\n",
      "config:\n  shop:config:other: b\n  openstack:region: R1\n  nested: {list: [one], deep: {sec: {secure: 'v1:x:y'}}}\n",
    );
    const resolved = resolveConfiguration(project, file, codec, { "openstack:region": "R2" });
    const { values, secretKeys } = resolved;
    expect(values).toEqual({
      "shop:plain": "5",
      "shop:typed": "true",
      "shop:other": "b",
      "shop:nested": '{"list":["one"],"deep":{"sec":"opened v1:x:y"}}',
      "openstack:region": "R2",
    });
    expect(secretKeys).toEqual(["shop:nested"]);
    expect(resolved.secrets).toEqual(["opened v1:x:y"]);
    expect(holdsSecrets(file.config)).toBe(true);
    expect(namespaceOf({ values, secretKeys }, "openstack")).toEqual({ values: { region: "R2" }, secretKeys: [] });
  });

  it("names every declared key that has no value", async () => {
    const { project, file } = await read("stackConfigDir: stacks\nconfig:\n  a: {type: string}\n  b: {type: array}\n");
    expect(() => resolveConfiguration(project, file, undefined)).toThrow(
      /lacks what Pulumi.yaml declares: shop:a, shop:b/,
    );
  });

  it.each([
    ["integer", "1.5", "2"],
    ["number", "much", "1.5"],
    ["boolean", "yes", "false"],
    ["array", "{}", "[1]"],
    ["object", "[]", "{}"],
  ])("of type %s is not %s but %s", async (type, wrong, right) => {
    const { project, file } = await read(`stackConfigDir: stacks\nconfig:\n  key: {type: ${type}}\n`);
    expect(() => resolveConfiguration(project, file, undefined, { "shop:key": wrong })).toThrow(
      `must be of type ${type}`,
    );
    expect(resolveConfiguration(project, file, undefined, { "shop:key": right }).values["shop:key"]).toBe(right);
  });

  it("refuses files that are not what they should be", async () => {
    await expect(read("stackConfigDir: stacks\nmain: nowhere/\n")).rejects.toMatchObject({ code: "E_CONFIG_INVALID" });
    await expect(read("stackConfigDir: stacks\n", "config: [")).rejects.toMatchObject({ code: "E_CONFIG_INVALID" });
    await expect(read("stackConfigDir: stacks\n", "config: 5")).rejects.toThrow("config: ");
    await expect(read("stackConfigDir: stacks\n", "secretsprovider: awskms://x")).rejects.toMatchObject({
      code: "E_UNSUPPORTED",
    });
    const { project } = await read("stackConfigDir: stacks\n");
    await expect(loadStackFile(project, "../../etc/passwd")).rejects.toMatchObject({ code: "E_STACK_UNKNOWN" });
  });
});

describe("the program's start", () => {
  const start = async (project: string): Promise<ProgramStart> => ({
    project: (await read(project)).project,
    stack: "dev",
    configuration: { values: { "shop:a": "1" }, secretKeys: ["shop:a"] },
    monitor: "127.0.0.1:5",
    preview: true,
    parallel: 8,
    nodePath: "node",
    env: { OS_CLOUD: "x" },
    onOutput: () => undefined,
  });

  it("is in the folder that main names, and asks for it by a dot", async () => {
    const given = await start("main: stacks/\nstackConfigDir: stacks\n");
    expect(argumentsOf(given, "run.js").join(" ")).toBe(
      `--max-semi-space-size=8 run.js --monitor 127.0.0.1:5 --engine 127.0.0.1:5 --organization organization --project shop --stack dev --root-directory ${root} --pwd ${root}/stacks --dry-run --parallel 8 .`,
    );
  });

  it("names a file that main names, and passes node's own arguments after ours, so that they win", async () => {
    await writeFile(join(root, "stacks", "app.ts"), "");
    const given = await start("main: stacks/app.ts\nstackConfigDir: stacks\n");
    given.project.options.nodeArguments = ["--enable-source-maps"];
    const built = argumentsOf({ ...given, preview: false }, "run.js");
    expect(built.slice(0, 2)).toEqual(["--max-semi-space-size=8", "--enable-source-maps"]);
    expect(built.at(-1)).toBe("app.ts");
    expect(built).not.toContain("--dry-run");
  });

  it("keeps the passphrase from the program", async () => {
    process.env.PULUMI_CONFIG_PASSPHRASE = "not for programs";
    try {
      const env = environmentOf(await start("stackConfigDir: stacks\n"));
      expect(env.PULUMI_CONFIG_PASSPHRASE).toBeUndefined();
      expect(env).toMatchObject({ OS_CLOUD: "x", PULUMI_CONFIG: '{"shop:a":"1"}', PULUMI_NODEJS_TYPESCRIPT: "true" });
    } finally {
      delete process.env.PULUMI_CONFIG_PASSPHRASE;
    }
  });
});
