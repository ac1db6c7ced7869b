import { describe, expect, it } from "vitest";
import { digestOf } from "../../src/common/digest.ts";
import { deploy, resume, servicesToRestart } from "../../src/guest/agent.ts";
import { converge } from "../../src/guest/converge.ts";
import type { Manifest } from "../../src/guest/manifest.ts";
import { ManifestWatch } from "../../src/guest/manifest-watch.ts";
import { readReleaseRecord } from "../../src/guest/release-record.ts";
import { payloadServices } from "../../src/guest/units.ts";
import { fakeHost } from "./fake-host.ts";

/** A host that serves its first release. */
async function servingHost() {
  const fake = await fakeHost();
  const manifest = await fake.release(1, { output: 0.25 });
  await converge(fake.host, manifest, payloadServices);
  fake.commands.length = 0;
  const first = { schemaVersion: 1, sequence: 1, manifest } as const;
  return { ...fake, first, deploy: (next: Manifest) => deploy(fake.host, first, next, fake.seal(next)) };
}

const restarts = (commands: string[]) => commands.filter((line) => line.startsWith("systemctl restart"));

describe("deploy", () => {
  it("brings a new model into service without restarting anything", async () => {
    const { release, deploy, serving, commands, entries, paths } = await servingHost();
    const next = await release(2, { output: 0.75 });
    expect(await deploy(next)).toEqual({ sequence: 2, manifest: next });
    expect(serving).toMatchObject({ model: next.models[0]?.digest, output: 0.75 });
    expect(restarts(commands)).toEqual([]);
    const { name, version, digest } = next.models[0] ?? {};
    const model = { name, version, digest };
    expect(entries().at(-1)).toMatchObject({ type: "verdict", sequence: 2, ok: true, model, outputs: [0.75, 0.75] });
    expect(await readReleaseRecord(paths)).toEqual({ schemaVersion: 1, sequence: 2, manifest: next });
  });

  it("goes back to the old model when the new one misses its golden rows, and says why", async () => {
    const { release, deploy, serving, first, entries, paths } = await servingHost();
    const next = await release(2, { output: 0.75, golden: 0.5 });
    expect(await deploy(next)).toEqual({ sequence: 2, manifest: first.manifest });
    expect(serving.output).toBe(0.25);
    expect(entries().at(-1)).toMatchObject({
      type: "verdict",
      sequence: 2,
      ok: false,
      model: { digest: first.manifest.models[0]?.digest },
      failure: { step: "gate", reason: "the golden question: 0.75 is served, 0.5 expected (element 1)" },
    });
    expect((await readReleaseRecord(paths))?.sequence).toBe(2);
  });

  it("keeps the old model when the runtime cannot load the new one, and says why", async () => {
    const { release, deploy, serving, first, entries, commands } = await servingHost();
    await deploy(await release(2, { output: 0.75, torn: true }));
    expect(serving).toMatchObject({ model: first.manifest.models[0]?.digest, output: 0.25 });
    expect(restarts(commands)).toEqual([]);
    expect(entries().at(-1)).toMatchObject({
      ok: false,
      model: { digest: first.manifest.models[0]?.digest },
      failure: { step: "gate", reason: "m 2 cannot be loaded: the model is torn" },
    });
  });

  it("refuses a model whose bytes are not the manifest's, without a restart", async () => {
    const { release, deploy, serving, files, entries, commands } = await servingHost();
    const next = await release(2, { output: 0.75 });
    files.set(next.models[0]?.path ?? "", "something else");
    await deploy(next);
    expect(serving.output).toBe(0.25);
    expect(entries().at(-1)).toMatchObject({ ok: false, failure: { step: "model" } });
    expect(restarts(commands)).toEqual([]);
  });

  it("lets a new payload's own bootstrap do the work", async () => {
    const { release, deploy, host, commands, entries, first } = await servingHost();
    const next = await release(2, { output: 0.25 }, 2);
    const run = host.run;
    host.run = async (command, args, options) => {
      if (!command.endsWith("/runtime/bin/node")) return run(command, args, options);
      commands.push(`bootstrap ${args.at(-1)}`);
      return { stdout: `${JSON.stringify({ outputs: [0.25] })}\n`, stderr: "" };
    };
    expect(await deploy(next)).toEqual({ sequence: 2, manifest: next });
    expect(next.payload.digest).not.toBe(first.manifest.payload.digest);
    expect(commands).toEqual(["bootstrap upgrade"]);
    expect(entries().at(-1)).toMatchObject({ ok: true, outputs: [0.25] });
  });

  it("goes back to the old payload when the new one's bootstrap fails", async () => {
    const { release, deploy, host, serving, entries, first } = await servingHost();
    const next = await release(2, { output: 0.25 }, 2);
    const run = host.run;
    const failure = { step: "units", reason: "no", lines: ["no"] };
    host.run = async (command, args, options) =>
      command.endsWith("/runtime/bin/node")
        ? { stdout: JSON.stringify({ failure }), stderr: "" }
        : run(command, args, options);
    await deploy(next);
    expect(serving.payload).toBe(first.manifest.payload.digest);
    expect(entries().at(-1)).toMatchObject({ sequence: 2, ok: false, failure });
  });

  it("says so when the way back fails as well, and names no model as serving", async () => {
    const { release, deploy, host, entries } = await servingHost();
    const next = await release(2, { output: 0.75, golden: 0.5 });
    const run = host.run;
    let started = 0;
    host.run = async (command, args, options) => {
      if (args[0] === "start" && ++started > 1) throw new Error("systemd is gone");
      return run(command, args, options);
    };
    await deploy(next);
    const verdict = entries().at(-1);
    expect(verdict).toMatchObject({ ok: false, failure: { step: "gate" } });
    expect(verdict).not.toHaveProperty("model");
    expect(verdict?.type === "verdict" && verdict.failure?.lines.at(-1)).toBe(
      "and the way back failed: systemd is gone",
    );
  });
});

describe("a model package", () => {
  it("that is no tar fails its step in words", async () => {
    const { release, deploy, files, entries } = await servingHost();
    const next = await release(2, { output: 0.75 });
    const content = "not a tar";
    const model = { ...next.models[0], path: "files/x", digest: digestOf(content), size: content.length };
    files.set("files/x", content);
    await deploy({ ...next, models: [{ name: "m", version: "2", ...model }] });
    expect(entries().at(-1)).toMatchObject({
      ok: false,
      failure: { step: "model", reason: "files/x cannot be unpacked" },
    });
  });
});

describe("servicesToRestart", () => {
  it("follows what changed", async () => {
    const { release } = await fakeHost();
    const manifest = await release(1, { output: 0.25 });
    expect(servicesToRestart(manifest, { ...manifest, sequence: 2 })).toEqual([]);
    expect(servicesToRestart(manifest, await release(2, { output: 0.75 }))).toEqual([]);
    expect(servicesToRestart(manifest, await release(2, { output: 0.75 }, 2))).toEqual(payloadServices);
  });
});

describe("ManifestWatch", () => {
  it("answers a higher manifest, and none for the same or a lower one", async () => {
    const { host, release, publish } = await fakeHost();
    const watch = new ManifestWatch(host.config);
    const manifest = await release(5, { output: 1 });
    publish(manifest);
    expect(await watch.next(5, 0)).toBeUndefined();
    expect(await new ManifestWatch(host.config).next(4, 0)).toMatchObject({ manifest });
  });

  it("waits out a missing, a forged and a foreign manifest, complaining once of each", async () => {
    const { host, release, publish, files, seal } = await fakeHost();
    const said: string[] = [];
    const watch = new ManifestWatch(host.config, (message) => said.push(message));
    const manifest = await release(5, { output: 1 });
    await watch.next(0, 0);
    await watch.next(0, 0);
    files.set("manifest", seal(manifest).replace('"sequence":5', '"sequence":6'));
    await watch.next(0, 0);
    publish({ ...manifest, stack: "other" });
    await watch.next(0, 0);
    expect(said).toEqual([
      "no manifest: the manifest's source answers 404",
      "no manifest: the manifest's signature does not fit the stack's key",
      "no manifest: the manifest is that of the stack other",
    ]);
    publish(manifest);
    expect(await watch.next(0, 0)).toMatchObject({ manifest });
  });
});

describe("resume", () => {
  it("gives the verdict of a boot on what serves, without a restart", async () => {
    const { host, first, entries, commands } = await servingHost();
    expect(host.journal.hasVerdict()).toBe(false);
    await resume(host, first.manifest);
    expect(host.journal.hasVerdict()).toBe(true);
    expect(entries().at(-1)).toMatchObject({ type: "verdict", sequence: 1, ok: true, outputs: [0.25, 0.25] });
    expect(restarts(commands)).toEqual([]);
  });

  it("tells what does not serve any more", async () => {
    const { host, first, entries, serving } = await servingHost();
    serving.output = 0.5;
    await resume(host, first.manifest);
    expect(entries().at(-1)).toMatchObject({
      type: "verdict",
      ok: false,
      failure: { step: "gate", reason: "the golden question: 0.5 is served, 0.25 expected (element 1)" },
    });
  });
});
