import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { failureOf, Workbench } from "../support/workbench.ts";

// every run starts a program and its provider, each a Node that loads Pulumi's SDK
vi.setConfig({ testTimeout: 90_000 });

/** A program with a provider of its own; each case goes on from the one before. */
describe("dynamic providers", () => {
  let bench: Workbench;
  let folder: string;
  beforeAll(async () => {
    bench = await Workbench.of("dynamic");
    folder = await mkdtemp(join(tmpdir(), "slipway-dynamic-"));
  });
  afterAll(async () => {
    await bench.dispose();
    await rm(folder, { recursive: true });
  });

  const settings = (more: Record<string, string> = {}) => ({
    "dynamic:folder": folder,
    "dynamic:password": "hush-hush",
    ...more,
  });
  const up = (more: Record<string, string> = {}) => bench.up(settings(more));
  const content = (name: string) => readFile(join(folder, name), "utf8");

  it("are not asked to make anything in a preview", async () => {
    const { changes, outputs } = await bench.preview(settings());
    expect(changes).toEqual({ create: 2 });
    expect(outputs.size).toBeUndefined();
    expect(await readdir(folder)).toEqual([]);
  });

  it("make a resource, with the configuration and what the program has captured", async () => {
    const { changes, outputs } = await up({ "dynamic:parts": "dependent" });
    expect(changes).toEqual({ create: 3 });
    expect(outputs).toEqual({ size: 5 });
    expect(await content("one")).toBe("first!hush-hush");
    expect(await content("two")).toBe("5!hush-hush");
    expect(bench.messages()).toContain("info: writing one");
  });

  it("stand in the state as in the official engine's, and what they captured is sealed", async () => {
    const { resources } = await bench.latest();
    const provider = resources.find(({ type }: { type: string }) => type === "pulumi:providers:pulumi-nodejs");
    expect(provider).toMatchObject({
      urn: "urn:pulumi:dev::dynamic::pulumi:providers:pulumi-nodejs::default",
      inputs: { "dynamic:folder": folder, "dynamic:text": "first" },
    });
    const one = resources.find(({ urn }: { urn: string }) => urn.endsWith("::one"));
    expect(one).toMatchObject({
      type: "pulumi-nodejs:dynamic:Resource",
      id: "one",
      inputs: { name: "one", text: "first", suffix: "!", __provider: { ciphertext: expect.any(String) } },
      outputs: { size: 5, __provider: { ciphertext: expect.any(String) } },
    });
  });

  it("leave alone what has not changed", async () => {
    expect((await up({ "dynamic:parts": "dependent" })).changes).toEqual({ same: 3 });
  });

  it("change a resource in place, or replace it", async () => {
    await up({ "dynamic:text": "another" });
    expect(bench.steps()).toContain("update one");
    expect(bench.steps()).toContain("delete two");
    expect(await content("one")).toBe("another!hush-hush");
    const { changes } = await up({ "dynamic:text": "another", "dynamic:name": "uno" });
    expect(changes).toMatchObject({ replace: 1 });
    expect(bench.steps()).toEqual(["delete-replaced one", "replace one", "create-replacement one"]);
    expect(await readdir(folder)).toEqual(["uno"]);
  });

  it("refuse inputs", async () => {
    const failure = await failureOf(up({ "dynamic:text": "refused", "dynamic:name": "uno" }));
    expect(failure.message).toMatch(/text: is refused/);
  });

  it("are ended by a destroy, which runs no program", async () => {
    await bench.destroy();
    expect(await readdir(folder)).toEqual([]);
  });

  it("that fail are cited, and nothing is kept of what they did not make", async () => {
    const failure = await failureOf(up({ "dynamic:text": "fails" }));
    expect(failure).toMatchObject({
      code: "E_UPDATE_FAILED",
      message: expect.stringMatching(/::one: no room in the folder$/),
    });
    const { resources, pending_operations } = await bench.latest();
    expect(resources.some(({ urn }: { urn: string }) => urn.endsWith("::one"))).toBe(false);
    expect(pending_operations).toBeUndefined();
  });

  it("keep what was made and is not well", async () => {
    const failure = await failureOf(up({ "dynamic:text": "unwell" }));
    expect(failure.message).toMatch(/it is unwell/);
    const { resources } = await bench.latest();
    expect(resources.find(({ urn }: { urn: string }) => urn.endsWith("::one"))).toMatchObject({
      id: "one",
      initErrors: ["it is unwell"],
      outputs: { size: 0 },
    });
    await up({ "dynamic:text": "well" });
    expect(bench.steps()).toContain("update one");
    await bench.destroy();
    expect(await readdir(folder)).toEqual([]);
  });

  it("that end at work are named with their last words; what they were making stays pending", async () => {
    const failure = await failureOf(up({ "dynamic:text": "dies" }));
    expect(failure).toMatchObject({
      code: "E_PLUGIN",
      message: expect.stringMatching(/pulumi-nodejs exited with code 7 while it was at work/),
      details: expect.arrayContaining(["the last words"]),
    });
    const { pending_operations } = await bench.latest();
    expect(pending_operations).toMatchObject([
      { type: "creating", resource: { urn: expect.stringMatching(/::one$/) } },
    ]);
    await up();
    expect(bench.messages().join()).toContain("interrupted while creating");
    await bench.destroy();
  });
});
