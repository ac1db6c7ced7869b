import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { installLauncher } from "../../../src/cli/provider-plugin.ts";
import { createEmbeddedEngine } from "../../../src/engine/embedded/embedded-engine.ts";
import { createOpenStackProvider } from "../../../src/provider/provider.ts";
import { startTestCloud, type TestCloud } from "../../provider/test-cloud.ts";
import { Workbench } from "../support/workbench.ts";

// the official OpenStack plugin waits 5 to 10 seconds for each object
vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

const execute = promisify(execFile);

function isOnPath(file: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, file), constants.X_OK);
      return true;
    } catch {
      return false; // not in this folder
    }
  });
}

/** Plugins that others wrote, where they are on PATH. */
describe.skipIf(!isOnPath("pulumi-resource-random"))("pulumi-resource-random", () => {
  let bench: Workbench;
  beforeAll(async () => {
    bench = await Workbench.of("luck");
  });
  afterAll(() => bench.dispose());

  it("makes what it makes, and keeps its secrets sealed", async () => {
    expect((await bench.preview()).changes).toEqual({ create: 4 });
    const { outputs } = await bench.up();
    expect(outputs.secret).toMatch(/^[A-Za-z0-9]{12}$/);
    expect(outputs.petName).toMatch(/^.{8}-[a-z]+-[a-z]+$/);
    const password = (await bench.latest()).resources.find(({ urn }: { urn: string }) => urn.endsWith("::password"));
    expect(password.outputs.result).toMatchObject({ ciphertext: expect.stringMatching(/^v1:/) });
    expect(JSON.stringify(await bench.latest())).not.toContain(outputs.secret);
  });

  it("makes nothing twice, and replaces what cannot be changed", async () => {
    const before = (await bench.up()).outputs;
    expect((await bench.up()).changes).toEqual({ same: 4 });
    const { changes, outputs } = await bench.up({ "luck:length": "14" });
    expect(changes).toMatchObject({ replace: 3 });
    expect(outputs.secret).toMatch(/^[A-Za-z0-9]{14}$/);
    expect(outputs.petName).not.toBe(before.petName);
    expect((await bench.destroy()).changes).toEqual({ delete: 4 });
  });
});

describe.skipIf(!isOnPath("pulumi-resource-openstack"))("pulumi-resource-openstack", () => {
  let bench: Workbench;
  let cloud: TestCloud;
  const official = createEmbeddedEngine({ providers: () => undefined });
  const ours = createEmbeddedEngine({ providers: () => createOpenStackProvider({ env: {} }) });

  beforeAll(async () => {
    cloud = await startTestCloud();
    bench = await Workbench.of("served");
  });
  afterAll(async () => {
    await bench.dispose();
    await cloud.stop();
  });

  const stack = (more: Record<string, string> = {}) => {
    const credentials = Object.entries(cloud.variables).map(([key, value]) => [`openstack:${key}`, value]);
    return bench.with({ ...Object.fromEntries(credentials), ...more });
  };

  it("and our provider see no change in each other's states", async () => {
    expect((await official.preview(stack(), bench.options())).changes).toEqual({ create: 6 });
    expect((await official.up(stack(), bench.options())).changes).toEqual({ create: 6 });
    expect((await ours.up(stack(), bench.options())).changes).toEqual({ same: 6 });
    await ours.up(stack({ "served:description": "second" }), bench.options());
    expect(bench.steps()).toEqual(["update net"]);
    expect((await official.up(stack({ "served:description": "second" }), bench.options())).changes).toEqual({
      same: 6,
    });
  });

  it("removes what both have made", async () => {
    await official.destroy(stack(), bench.options());
    expect((await bench.latest()).resources).toBeUndefined();
  });
});

/** Pulumi's own CLI and engine, where they are on PATH, with our provider as their plugin. */
describe.skipIf(!isOnPath("pulumi") || !isOnPath("pulumi-language-nodejs"))("pulumi with our provider", () => {
  let cloud: TestCloud;
  let folder: string;
  let launcher: string;
  let pulumi: (...args: string[]) => Promise<string>;

  beforeAll(async () => {
    cloud = await startTestCloud();
    folder = await mkdtemp(join(tmpdir(), "slipway-official-"));
    const program = join(folder, "program");
    await cp(fileURLToPath(new URL("../fixtures/served", import.meta.url)), program, { recursive: true });
    await writeFile(join(program, "package.json"), '{ "name": "served", "type": "module" }');
    await symlink(fileURLToPath(new URL("../../../node_modules", import.meta.url)), join(program, "node_modules"));
    await mkdir(join(folder, "state"));
    // A folder of its own on PATH: the official plugin may be on it too.
    launcher = await installLauncher(join(folder, "bin"), process.env);
    const env = {
      ...process.env,
      PATH: [join(folder, "bin"), dirname(process.execPath), process.env.PATH].join(delimiter),
      PULUMI_HOME: join(folder, "home"),
      PULUMI_BACKEND_URL: pathToFileURL(join(folder, "state")).href,
      PULUMI_CONFIG_PASSPHRASE: "test",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    };
    pulumi = async (...args) =>
      (await execute("pulumi", [...args, "--non-interactive"], { cwd: program, env, timeout: 240_000 })).stdout;
    await rm(join(program, "Pulumi.dev.yaml"));
    await pulumi("stack", "init", "dev");
    for (const [key, value] of Object.entries(cloud.variables)) {
      const secrecy = key === "password" ? "--secret" : "--plaintext";
      await pulumi("config", "set", secrecy, `openstack:${key}`, value);
    }
  });
  afterAll(async () => {
    await cloud.stop();
    await rm(folder, { recursive: true });
  });

  const apply = (verb: string, ...more: string[]) => pulumi(verb, "--yes", "--skip-preview", ...more);

  it("makes, keeps, refreshes, changes and removes a stack, and shows no secret", async () => {
    expect(await apply("up")).toMatch(/\+ 6 created/);
    expect(await apply("up")).toMatch(/6 unchanged/);
    expect(await apply("refresh")).toMatch(/6 unchanged/);
    expect(await pulumi("stack", "export")).not.toContain("hush-hush");
    expect(await apply("up", "-c", "served:description=second")).toMatch(/~ 1 updated\s+5 unchanged/);
    expect(await pulumi("package", "get-schema", launcher)).toContain('"openstack:compute/instance:Instance"');
    expect(await apply("destroy")).toMatch(/- 6 deleted/);
  });
});
