import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { EngineEvent } from "../../../src/engine/engine.ts";
import { failureOf, Workbench } from "../support/workbench.ts";

// every run starts a program and its plugin, each a Node that loads Pulumi's SDK
vi.setConfig({ testTimeout: 90_000 });

const plugin = fileURLToPath(new URL("../fixtures/plugin/echo-plugin.cjs", import.meta.url));

/** A plugin made with Pulumi's own library for Node, from Pulumi's plugin cache; each case goes on from the one before. */
describe("a package that a plugin knows", () => {
  let bench: Workbench;
  let home: string;

  const install = async (version: string, script: string) => {
    const folder = join(home, "plugins", `resource-echo-v${version}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "pulumi-resource-echo"), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, "pulumi-resource-echo"), 0o755);
  };
  const works = `exec '${process.execPath}' '${plugin}' "$@"`;

  beforeAll(async () => {
    bench = await Workbench.of("plugin");
    home = await mkdtemp(join(tmpdir(), "slipway-plugins-"));
    bench.stack.env = { PULUMI_HOME: home };
    await install("1.2.3", works);
  });
  afterAll(async () => {
    await bench.dispose();
    await rm(home, { recursive: true });
  });

  const ofName = async (name: string) =>
    (await bench.latest()).resources.find(({ urn }: { urn: string }) => urn.endsWith(`::${name}`));

  it("is made by it", async () => {
    const { changes, outputs } = await bench.up();
    expect(changes).toEqual({ create: 2 });
    expect(outputs).toEqual({ shout: "HELLO", origin: "plain" });
    expect(await ofName("plain")).toMatchObject({
      id: "echo-plain",
      provider: expect.stringMatching(/^urn:pulumi:dev::plugin::pulumi:providers:echo::default_1_2_3::/),
    });
  });

  it("gets secrets as secrets, and what it derives from them is sealed", async () => {
    await bench.up({ "plugin:parts": "secret", "plugin:secret": "psst" });
    const sealed = { ciphertext: expect.stringMatching(/^v1:/) };
    expect(await ofName("sealed")).toMatchObject({
      inputs: { text: sealed },
      outputs: { text: sealed, shout: sealed, origin: "a secret" },
    });
    expect(await ofName("derived")).toMatchObject({ outputs: { shout: sealed, origin: "a secret" } });
    expect(JSON.stringify(await bench.latest())).not.toMatch(/psst/i);
    expect((await bench.up({ "plugin:parts": "secret", "plugin:secret": "psst" })).changes).toEqual({ same: 4 });
  });

  it("gets references as references", async () => {
    await bench.up({ "plugin:parts": "reference" });
    const { outputs } = await ofName("pointing");
    expect(outputs.origin).toBe("a reference");
    expect(outputs.text).toMatchObject({ urn: expect.stringMatching(/::plain$/), id: "echo-plain" });
  });

  it("has a provider of the program's own beside the default one", async () => {
    await bench.up({ "plugin:parts": "explicit" });
    expect(await ofName("own")).toMatchObject({ inputs: { volume: "11", version: "1.2.3" } });
    expect((await ofName("within")).provider).toMatch(/^urn:pulumi:dev::plugin::pulumi:providers:echo::own::/);
  });

  it("has a default provider for each place that plugins come from", async () => {
    await bench.up({ "plugin:parts": "elsewhere" });
    const { provider } = await ofName("away");
    const resources = (await bench.latest()).resources;
    const one = resources.find(({ urn, id }: { urn: string; id: string }) => `${urn}::${id}` === provider);
    expect(one.inputs).toMatchObject({ version: "1.2.3", pluginDownloadURL: "https://plugins.example/echo" });
    expect(one.urn).toMatch(/::default_1_2_3_/);
    await bench.up({ "plugin:parts": "elsewhere" });
    expect(bench.steps()).toEqual([]);
  });

  it("says what is wrong with a configuration, how it is kept, and whether its resources can live with it", async () => {
    const explicit = { "plugin:parts": "explicit" };
    await bench.up(explicit);
    const failure = await failureOf(bench.up({ ...explicit, "plugin:volume": "12" }));
    expect(failure).toMatchObject({
      code: "E_UPDATE_FAILED",
      message: expect.stringMatching(/::own: .*goes to eleven/),
    });
    const { id } = await ofName("own");
    // as the plugin writes it; what it made before stays
    await bench.up({ ...explicit, "plugin:volume": "7" });
    expect(bench.steps()).toEqual(["update own"]);
    expect(await ofName("own")).toMatchObject({ id, inputs: { volume: "07", version: "1.2.3" } });
    await bench.up({ ...explicit, "plugin:volume": "07" });
    expect(bench.steps()).toEqual([]);
    // another wall: the provider is replaced, and with it what it looks after
    await bench.up({ ...explicit, "plugin:volume": "7", "plugin:wall": "brick" });
    expect(bench.steps()).toEqual(expect.arrayContaining(["replace own", "replace within"]));
    expect((await ofName("own")).id).not.toBe(id);
    expect((await ofName("within")).provider).toBe(`${(await ofName("own")).urn}::${(await ofName("own")).id}`);
  });

  it("changes in place, or is replaced; a plugin that cannot tell leaves it to a comparison", async () => {
    await bench.up({ "plugin:text": "undecided" });
    expect(bench.steps()).toContain("update plain");
    await bench.up({ "plugin:text": "replaced" });
    expect(bench.steps()).toContain("replace plain");
  });

  it("refuses inputs, and keeps what is made but not well", async () => {
    expect((await failureOf(bench.up({ "plugin:text": "refused" }))).message).toMatch(/text: is refused/);
    await bench.destroy();
    expect((await failureOf(bench.up({ "plugin:text": "unwell" }))).message).toMatch(/has a cold/);
    expect(await ofName("plain")).toMatchObject({ id: "sick", initErrors: ["has a cold"] });
    await bench.destroy();
  });

  it("is told what its plugin logs, at the resource", async () => {
    await bench.up({ "plugin:text": "logs" });
    const urn = (await ofName("plain")).urn;
    expect(bench.events).toContainEqual(
      expect.objectContaining({
        diagnosticEvent: expect.objectContaining({
          severity: "warning",
          message: expect.stringContaining("mind the gap"),
          urn,
        }),
      }),
    );
    await bench.destroy();
  });

  it("is given up when the user interrupts, and nothing is kept of it", async () => {
    const interruption = new AbortController();
    const onEvent = (event: EngineEvent) => {
      if (event.diagnosticEvent?.message.includes("waiting")) interruption.abort();
    };
    const failure = await failureOf(bench.up({ "plugin:text": "slow" }, { signal: interruption.signal, onEvent }));
    expect(failure.message).toMatch(/given up/);
    expect(await ofName("plain")).toBeUndefined();
    expect((await bench.latest()).pending_operations).toBeUndefined();
    await bench.destroy();
  });

  it("whose plugin is missing fails by name, with the places that were looked in", async () => {
    const failure = await failureOf(bench.preview({ "plugin:parts": "missing" }));
    expect(failure).toMatchObject({
      code: "E_PLUGIN",
      message: "there is no provider plugin for nowhere 9.9.9",
      details: [expect.stringContaining(home)],
    });
  });

  it.each([
    ["ends at once", "echo 'cannot open the shelf' >&2; exit 3", /did not start: it exited with code 3/],
    ["is no plugin", "echo hello; sleep 60", /did not start: it said "hello" where its port belongs/],
    ["cannot be run", "exec /nowhere/node", /did not start: it exited with code 127/],
  ])("whose plugin %s is told so with its last words", async (_, script, message) => {
    await install("1.2.3", script);
    const failure = await failureOf(bench.preview());
    expect(failure).toMatchObject({ code: "E_PLUGIN", message: expect.stringMatching(message) });
    await install("1.2.3", works);
  });

  it("is not taken from another version", async () => {
    await rm(join(home, "plugins", "resource-echo-v1.2.3"), { recursive: true });
    await install("1.2.4", works);
    expect((await failureOf(bench.preview())).details).toContain("there are other versions: 1.2.4");
  });
});
