import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { failureOf, Workbench } from "./support/workbench.ts";

// each run starts a Node that loads Pulumi's SDK: seconds where the machine is busy
vi.setConfig({ testTimeout: 90_000 });

/** Functions of the program that change registrations and look-ups; each case goes on from the one before. */
describe("transforms", () => {
  let bench: Workbench;
  beforeAll(async () => {
    bench = await Workbench.of("transforms");
  });
  afterAll(() => bench.dispose());

  const ofName = async (name: string) =>
    (await bench.latest()).resources.find(({ urn }: { urn: string }) => urn.endsWith(`::${name}`));

  it("run in order: a resource's own, its ancestors' from the nearest, the stack's", async () => {
    await bench.up();
    expect((await ofName("outer-net")).inputs.description).toBe("own parent stack ");
    expect((await ofName("inner-net")).inputs.description).toBe("own child parent stack ");
  });

  it("leave nothing to do in a second run", async () => {
    const { changes } = await bench.up();
    expect(changes).toEqual({ same: 5 });
  });

  it("change inputs and options; secrets stay secret", async () => {
    await bench.up({ "transforms:parts": "options" });
    const base = await ofName("base");
    const changed = await ofName("changed");
    expect(changed).toMatchObject({
      inputs: { tags: ["given", "added"], name: { ciphertext: expect.any(String) }, description: "stack " },
      retainOnDelete: true,
      customTimeouts: { create: 420 },
      dependencies: [base.urn],
      additionalSecretOutputs: ["id"],
    });
    expect(changed.protect).toBeUndefined();
    expect(JSON.stringify(await bench.latest())).not.toContain("hush-hush");
  });

  it("leave dependencies as they were; which property they come from is lost, as with the official engine", async () => {
    const base = await ofName("base");
    expect(await ofName("untouched")).toMatchObject({
      dependencies: [base.urn],
      propertyDependencies: { cidr: [], description: [], networkId: [] },
    });
  });

  it("in a preview see what is not known yet", async () => {
    await bench.destroy();
    const { changes } = await bench.preview({ "transforms:parts": "options" });
    expect(changes).toEqual({ create: 8 });
  });

  it("change look-ups", async () => {
    const { outputs } = await bench.up({ "transforms:parts": "invoke" });
    expect(outputs.image).toBe("id-of-debian-13");
  });

  it("that fail end the program with their own words", async () => {
    const failure = await failureOf(bench.up({ "transforms:parts": "fails" }));
    expect(failure.code).toBe("E_PROGRAM_FAILED");
    expect([failure.message, ...failure.details].join("\n")).toContain("transform failed: Error: no such luck");
  });
});
