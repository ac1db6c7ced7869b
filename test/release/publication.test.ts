import { createPublicKey } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Digest, digestOf } from "../../src/common/digest.ts";
import { type Manifest, openManifest } from "../../src/guest/manifest.ts";
import { type Payload, payloadDigest } from "../../src/release/payload.ts";
import { republish, stageRelease, unpublish } from "../../src/release/publication.ts";
import { MemoryStore } from "./memory-store.ts";

let home: string;
let store: MemoryStore;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "slipway-publication-"));
  store = new MemoryStore();
});
afterEach(() => rmSync(home, { recursive: true }));

function layer(content: string): { file: string; digest: Digest; size: number } {
  const file = join(home, `${content}.tar.gz`);
  writeFileSync(file, content);
  return { file, digest: digestOf(content), size: content.length };
}

function payload(version = "1"): Payload {
  const [runtime, app] = [layer("runtime"), layer(`app${version}`)];
  return { digest: payloadDigest(runtime, app), runtime, app };
}

const stage = (model: string, name = "diabetes", of = payload(), settings: Manifest["settings"] = {}) =>
  stageRelease({
    store,
    stack: "production",
    home,
    payload: of,
    model: { name, content: Buffer.from(model) },
    settings,
  });

async function release(...args: Parameters<typeof stage>) {
  const staged = await stage(...args);
  await staged.publish();
  return staged;
}

const container = () => [...store.containers.keys()][0] ?? "";

describe("publish", () => {
  it("changes nothing for hosts before it is called", async () => {
    const { manifest } = await release("weights");
    const staged = await stage("other weights");
    expect(staged).toMatchObject({ changed: true, replaced: manifest });
    const followed = async () => Buffer.from((await store.get(container(), "manifest")) ?? []).toString();
    expect(await followed()).toContain(manifest.models[0]?.digest);
    await staged.publish();
    expect(await followed()).toContain(staged.manifest.models[0]?.digest);
  });

  it("is another release where the stack's settings are others", async () => {
    const durable = { serving: { models: { diabetes: { durable: true } } } };
    const { manifest } = await release("weights", "diabetes", payload(), durable);
    expect(manifest.settings).toEqual(durable);
    expect(await release("weights", "diabetes", payload(), structuredClone(durable))).toMatchObject({ changed: false });
    const plain = await release("weights", "diabetes", payload(), {});
    expect(plain).toMatchObject({ changed: true, manifest: { sequence: 2, models: manifest.models } });
  });

  it("can be taken back under a sequence of its own", async () => {
    const { manifest } = await release("weights");
    const bad = await release("bad weights");
    const back = await republish({ store, stack: "production", home }, manifest);
    expect(back).toEqual({ ...manifest, sequence: bad.manifest.sequence + 1 });
    expect((await release("weights")).changed).toBe(false);
  });

  it("puts layers and model by digest, the manifest last, and notes where", async () => {
    const { manifest, sourceUrl, publicKey, changed } = await release("weights");
    expect(changed).toBe(true);
    expect(store.writes).toHaveLength(4);
    expect(store.writes.at(-1)).toBe("manifest");
    const key = createPublicKey({ key: Buffer.from(publicKey, "base64"), format: "der", type: "spki" });
    const document = Buffer.from((await store.get(container(), "manifest")) ?? []).toString();
    expect(openManifest(document, key)).toEqual(manifest);
    expect(manifest).toMatchObject({ sequence: 1, models: [{ name: "diabetes", version: "1", size: 7 }] });
    const [model] = manifest.models;
    expect(await store.get(container(), model?.path ?? "")).toEqual(Buffer.from("weights"));
    const note = JSON.parse(readFileSync(join(home, "publication.json"), "utf8"));
    expect(note).toEqual({ schemaVersion: 1, sourceUrl, publicKey });
  });

  it("changes nothing when it is the same release", async () => {
    const first = await release("weights");
    store.writes.length = 0;
    const again = await release("weights");
    expect(again).toMatchObject({
      manifest: first.manifest,
      sourceUrl: first.sourceUrl,
      changed: false,
      replaced: undefined,
    });
    expect(store.writes).toEqual([]);
  });

  it("counts publications, and versions by model name", async () => {
    const numbers: string[] = [];
    for (const [model, name] of [["a"], ["b"], ["b", "other"], ["b"], ["a"]] as const) {
      const { manifest } = await release(model, name);
      numbers.push(`${manifest.sequence} ${manifest.models[0]?.name} ${manifest.models[0]?.version}`);
    }
    expect(numbers).toEqual(["1 diabetes 1", "2 diabetes 2", "3 other 1", "4 diabetes 2", "5 diabetes 3"]);
  });

  it("leaves what serves its version, whatever was tried since; what comes back after another gets one of its own", async () => {
    const version = async (...args: Parameters<typeof stage>) => (await release(...args)).manifest.models[0]?.version;
    const { manifest } = await release("weights");
    expect(await version("bad weights")).toBe("2");
    // taken back by the host
    await republish({ store, stack: "production", home }, manifest);
    expect(await version("weights", "diabetes", payload("2"))).toBe("1");
    expect(await version("other weights")).toBe("3");
    expect(await version("weights")).toBe("4");
  });

  it("publishes a new payload with the old model, uploading the new layer alone", async () => {
    await release("weights");
    store.writes.length = 0;
    const { manifest } = await release("weights", "diabetes", payload("2"));
    expect(manifest).toMatchObject({ sequence: 2, models: [{ version: "1" }] });
    expect(store.writes).toHaveLength(2);
  });

  it("puts an object again that an interrupted upload left short", async () => {
    const { manifest } = await release("weights");
    await store.put(container(), manifest.payload.app.path, "ap");
    store.writes.length = 0;
    await release("weights");
    expect(store.writes).toEqual([manifest.payload.app.path]);
  });

  it("never gives a sequence twice, even when the store lost the manifest", async () => {
    await release("a");
    await store.removeContainer(container());
    expect((await release("a")).manifest.sequence).toBe(2);
  });

  it("goes on from a manifest that another machine published with the same key", async () => {
    await release("a");
    await release("b");
    rmSync(join(home, "counters.json"));
    expect((await release("c")).manifest).toMatchObject({ sequence: 3, models: [{ version: "3" }] });
  });

  it("takes a container that nobody can guess and that stays the same", async () => {
    await release("a");
    await release("b");
    expect([...store.containers.keys()]).toEqual([expect.stringMatching(/^slipway-production-[0-9a-f]{32}$/)]);
  });

  it("keeps the signing key to its owner", async () => {
    await release("a");
    const key = join(home, "signing-key.pem");
    expect(statSync(key).mode & 0o777).toBe(0o600);
    expect(readFileSync(key, "utf8")).toContain("PRIVATE");
    for (const objects of store.containers.values()) {
      for (const content of objects.values()) expect(Buffer.from(content).toString()).not.toContain("PRIVATE");
    }
  });
});

describe("unpublish", () => {
  it("removes the container and the note, and may be repeated", async () => {
    await release("a");
    for (let times = 0; times < 2; times++) await unpublish({ store, stack: "production", home });
    expect(store.containers.size).toBe(0);
    expect(existsSync(join(home, "publication.json"))).toBe(false);
  });
});
