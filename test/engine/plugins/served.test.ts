import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { installLauncher } from "../../../src/cli/provider-plugin.ts";
import { createEmbeddedEngine } from "../../../src/engine/embedded/embedded-engine.ts";
import { createOpenStackProvider } from "../../../src/provider/provider.ts";
import { startTestCloud, type TestCloud } from "../../provider/test-cloud.ts";
import { failureOf, Workbench } from "../support/workbench.ts";

// every run starts a program and its plugin
vi.setConfig({ testTimeout: 90_000 });

/** Our OpenStack provider as `slipway provider install` makes it known, asked over gRPC; each case goes on from the one before. */
describe("the OpenStack provider as a plugin", () => {
  let bench: Workbench;
  let cloud: TestCloud;
  let home: string;
  const plugged = createEmbeddedEngine({ providers: () => undefined });
  const inProcess = createEmbeddedEngine({ providers: () => createOpenStackProvider({ env: {} }) });

  beforeAll(async () => {
    cloud = await startTestCloud();
    home = await mkdtemp(join(tmpdir(), "slipway-plugins-"));
    await installLauncher(undefined, { PULUMI_HOME: home });
    bench = await Workbench.of("served");
    bench.stack.env = { PULUMI_HOME: home, PULUMI_IGNORE_AMBIENT_PLUGINS: "true" };
  });
  afterAll(async () => {
    await bench.dispose();
    await cloud.stop();
    await rm(home, { recursive: true });
  });

  const stack = (more: Record<string, string> = {}) => {
    const credentials = Object.entries(cloud.variables).map(([key, value]) => [`openstack:${key}`, value]);
    return bench.with({ ...Object.fromEntries(credentials), ...more });
  };

  it("makes a stack", async () => {
    const { changes } = await plugged.preview(stack(), bench.options());
    expect(changes).toEqual({ create: 6 });
    const { outputs } = await plugged.up(stack(), bench.options());
    expect(outputs).toEqual({ address: expect.stringMatching(/^10\.1\.0\./), allTags: ["a"] });
    const server = (await bench.latest()).resources.find(({ type }: { type: string }) => type.endsWith(":Instance"));
    const sealed = { note: { ciphertext: expect.any(String) } };
    expect(server).toMatchObject({ outputs: { metadata: sealed, allMetadata: sealed } });
    expect(JSON.stringify(await bench.latest())).not.toContain("hush-hush");
  });

  it("leaves what the provider of this process leaves: neither sees a change in the other's state", async () => {
    expect((await plugged.up(stack(), bench.options())).changes).toEqual({ same: 6 });
    expect((await inProcess.up(stack(), bench.options())).changes).toEqual({ same: 6 });
    await inProcess.up(stack({ "served:description": "second" }), bench.options());
    expect(bench.steps()).toEqual(["update net"]);
    expect((await plugged.up(stack({ "served:description": "second" }), bench.options())).changes).toEqual({ same: 6 });
    await plugged.destroy(stack(), bench.options());
    await inProcess.up(stack(), bench.options());
    expect(JSON.stringify(await bench.latest())).not.toContain("hush-hush");
    expect((await plugged.up(stack(), bench.options())).changes).toEqual({ same: 6 });
  });

  it("changes and replaces, and tells what the cloud refuses", async () => {
    await plugged.up(stack({ "served:description": "third" }), bench.options());
    expect(bench.steps()).toEqual(["update net"]);
    const failure = await failureOf(plugged.up(stack({ "served:cidr": "10.1.0.0/33" }), bench.options()));
    expect(failure).toMatchObject({
      code: "E_UPDATE_FAILED",
      message: expect.stringMatching(/::subnet: .*cidr/i),
    });
  });

  it("removes everything", async () => {
    await plugged.destroy(stack(), bench.options());
    expect((await bench.latest()).resources).toBeUndefined();
  });
});
