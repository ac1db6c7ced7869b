import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { keypairName, stackTag } from "../../src/components/tags.ts";
import { nameOf } from "../../src/engine/embedded/urn.ts";
import type { Engine, EngineEvent, OperationOptions, StackReference } from "../../src/engine/engine.ts";
import { findInstallation } from "../../src/engine/official/find.ts";
import { createOfficialEngine } from "../../src/engine/official/official-engine.ts";
import { findStackLeftovers, leftoverText } from "../../src/release/leftovers.ts";
import { endedSteps } from "../support/engine-events.ts";
import { startTestCloud, type TestCloud } from "./test-cloud.ts";
import { TestProject } from "./test-project.ts";

const plugins = [{ name: "openstack", version: "3.15.2" }];
const { missing } = await findInstallation(plugins);

// the official provider waits five to ten seconds for each of many resources
vi.setConfig({ testTimeout: 400_000 });

/** The shipped program on a cloud of paper, worked on by both engines in turn, each with its own OpenStack provider. The tests follow one another. */
describe.skipIf(missing.length > 0)("one stack, two engines and their providers", () => {
  let cloud: TestCloud;
  let project: TestProject;
  let reference: StackReference;
  let engines: Record<Engine["kind"], Engine>;
  let events: EngineEvent[] = [];

  beforeAll(async () => {
    cloud = await startTestCloud();
    project = await TestProject.create(cloud);
    reference = {
      ...project.reference,
      env: { ...project.reference.env, OS_CLIENT_CONFIG_FILE: join(cloud.folder, "clouds.yaml") },
    };
    engines = { embedded: project.engine, official: createOfficialEngine({ plugins }) };
  });
  afterAll(() => cloud.stop());

  /** What the cloud holds of the stack. */
  async function inCloud(): Promise<string[]> {
    const tag = stackTag(reference.project, reference.stack);
    return (await findStackLeftovers(cloud.session, { tag, keypair: keypairName(tag) })).map(leftoverText);
  }

  const steps = () => endedSteps(events).map(({ op, urn }) => `${op} ${nameOf(urn)}`);

  async function run(kind: Engine["kind"], verb: "preview" | "up" | "destroy", options: OperationOptions = {}) {
    events = [];
    const onEvent = (event: EngineEvent) => {
      events.push(event);
      options.onEvent?.(event);
    };
    return engines[kind][verb](reference, { ...options, onEvent });
  }

  test("what the official one has made the embedded one finds unchanged", async () => {
    const made = await run("official", "up");
    expect(made.changes).toEqual({ create: 19 });
    expect((await run("embedded", "preview")).changes).toEqual({ same: 19 });
    expect((await run("embedded", "up")).changes).toEqual({ same: 19 });
    expect(await engines.embedded.outputs(reference)).toEqual(made.outputs);
    expect((await run("official", "preview")).changes).toEqual({ same: 19 });
  });

  test("what the embedded one has changed and replaced the official one finds unchanged", async () => {
    await project.configure({ "slipway:sshCidr": "10.0.0.0/8", "slipway:generation": 2 });
    const { outputs } = await run("embedded", "up");
    expect(steps()).toEqual(
      expect.arrayContaining(["create server-g2", "replace model-server-ssh", "delete server-g1"]),
    );
    expect(outputs.generation).toBe("g2");
    expect((await run("official", "preview")).changes).toEqual({ same: 19 });
    expect((await run("official", "up")).changes).toEqual({ same: 19 });
  });

  test("what the official one has replaced the embedded one finds unchanged, and removes", async () => {
    await project.configure({ "slipway:frontendPort": 5200 });
    await run("official", "up");
    expect(steps().length).toBeGreaterThan(0);
    expect((await run("embedded", "preview")).changes).toEqual({ same: 19 });
    await run("embedded", "destroy");
    expect(await inCloud()).toEqual([]);
  });

  test("what the embedded one has made the official one finds unchanged, and removes", async () => {
    expect((await run("embedded", "up")).changes).toEqual({ create: 19 });
    expect((await run("official", "preview")).changes).toEqual({ same: 19 });
    await run("official", "destroy");
    expect(await inCloud()).toEqual([]);
  });

  test("what the official one was interrupted in the embedded one finishes, with nothing made twice", async () => {
    const controller = new AbortController();
    const running = run("official", "up", {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.resourcePreEvent?.metadata.type.endsWith(":Network")) controller.abort();
      },
    });
    await expect(running).rejects.toMatchObject({ code: "E_INTERRUPTED" });
    await run("embedded", "up");
    expect((await run("official", "preview")).changes).toEqual({ same: 19 });
    expect((await inCloud()).filter((line) => line.startsWith("network"))).toHaveLength(1);
    await run("embedded", "destroy");
    expect(await inCloud()).toEqual([]);
  });
});
