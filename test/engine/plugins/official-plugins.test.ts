import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createEmbeddedEngine } from "../../../src/engine/embedded/embedded-engine.ts";
import { createOpenStackProvider } from "../../../src/provider/provider.ts";
import { startTestCloud, type TestCloud } from "../../provider/test-cloud.ts";
import { Workbench } from "../support/workbench.ts";

// the official OpenStack plugin waits 5 to 10 seconds for each object
vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

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
