import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createEmbeddedEngine } from "../../src/engine/embedded/embedded-engine.ts";
import type { Engine, EngineEvent, StackReference } from "../../src/engine/engine.ts";
import { findInstallation } from "../../src/engine/official/find.ts";
import { createOfficialEngine } from "../../src/engine/official/official-engine.ts";
import { createOpenStackProvider } from "../../src/provider/provider.ts";
import { endedSteps } from "../support/engine-events.ts";
import { startTestCloud, type TestCloud } from "./test-cloud.ts";

const plugins = [{ name: "openstack", version: "3.15.2" }];
const { missing } = await findInstallation(plugins);
const root = join(import.meta.dirname, "../..");
const type = "openstack:networking/network:Network";

vi.setConfig({ testTimeout: 120_000 });

describe.skipIf(missing.length > 0)("an import by either engine", () => {
  let cloud: TestCloud;
  let id: string;
  let project: string;
  const engines: Record<Engine["kind"], Engine> = {
    embedded: createEmbeddedEngine({
      providers: (name) => (name === "openstack" ? createOpenStackProvider({ env: {} }) : undefined),
    }),
    official: createOfficialEngine({ plugins }),
  };
  let events: EngineEvent[] = [];

  beforeAll(async () => {
    cloud = await startTestCloud();
    const { body } = await cloud.session.request<{ network: { id: string } }>("network", "POST", "/networks", {
      body: { network: { name: "made-elsewhere", description: "by hand" } },
    });
    id = body.network.id;
    project = join(cloud.folder, "importing");
    await mkdir(project);
    await writeFile(join(project, "Pulumi.yaml"), "name: importing\nruntime: nodejs\n");
    await writeFile(join(project, "package.json"), '{"name":"importing","dependencies":{"@pulumi/openstack":"*"}}');
    await writeFile(join(project, "Pulumi.dev.yaml"), "config: {}\n");
    await symlink(join(root, "node_modules"), join(project, "node_modules"));
  });
  afterAll(() => cloud?.stop());

  const stackOf = (kind: string): StackReference => ({
    projectRoot: project,
    project: "importing",
    stack: "dev",
    backendUrl: pathToFileURL(join(cloud.folder, `state-${kind}`)).href,
    passphrase: "x",
    configOverrides: Object.fromEntries(
      Object.entries(cloud.variables).map(([key, value]) => [`openstack:${key}`, value]),
    ),
  });
  const importBy = (kind: Engine["kind"], resource: { name: string; id: string; parent?: string }, more = {}) => {
    events = [];
    const onEvent = (event: EngineEvent) => events.push(event);
    return engines[kind].importResources(stackOf(kind), [{ type, ...resource }], { onEvent, ...more });
  };
  const stateOf = async (kind: string) => {
    const path = join(cloud.folder, `state-${kind}/.pulumi/stacks/importing/dev.json`);
    const { resources = [] } = JSON.parse(await readFile(path, "utf8")).checkpoint.latest;
    return resources.map(({ created, modified, provider, ...state }: Record<string, unknown>) => ({
      ...state,
      provider: typeof provider,
      ...(state.type === "pulumi:providers:openstack" ? { id: "", inputs: {}, outputs: {} } : {}),
    }));
  };

  test("leaves the same state and prints the same declaration", async () => {
    const runs = [];
    for (const kind of ["official", "embedded"] as const) {
      const preview = await importBy(kind, { name: "1st-net", id }, { previewOnly: true });
      const { changes, program } = await importBy(kind, { name: "1st-net", id });
      expect(preview.changes).toEqual(changes);
      const steps = endedSteps(events).map(({ op, urn }) => `${op} ${urn}`);
      const again = await importBy(kind, { name: "1st-net", id });
      const child = { name: "class", id, parent: `urn:pulumi:dev::importing::${type}::1st-net` };
      const below = await importBy(kind, child, { protect: false });
      runs.push({ changes, program, steps, again: again.changes, below: below.program, state: await stateOf(kind) });
    }
    expect(runs[1]).toEqual(runs[0]);
  });

  test("fails of what is not there, and of a name that another object has", async () => {
    for (const kind of ["official", "embedded"] as const) {
      const gone = importBy(kind, { name: "gone", id: "6605328a-8715-4065-8a01-fd5f463b0000" });
      await expect(gone).rejects.toMatchObject({
        code: "E_UPDATE_FAILED",
        message: expect.stringContaining("resource '6605328a-8715-4065-8a01-fd5f463b0000' does not exist"),
      });
      const taken = importBy(kind, { name: "1st-net", id: "6605328a-8715-4065-8a01-fd5f463b0000" });
      await expect(taken).rejects.toThrow("already");
    }
  });
});
