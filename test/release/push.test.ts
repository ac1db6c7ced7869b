import { createPublicKey, type KeyObject } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf } from "../../src/common/digest.ts";
import { waitFor } from "../../src/common/wait.ts";
import { type Manifest, openManifest } from "../../src/guest/manifest.ts";
import { folderStore } from "../../src/release/folder-store.ts";
import { payloadDigest } from "../../src/release/payload.ts";
import { stageRelease, unpublish } from "../../src/release/publication.ts";
import { inboxUrl, pushRelease } from "../../src/release/push.ts";
import { ensureSigningKey } from "../../src/release/signing-key.ts";
import { connectSsh, type SshConnection } from "../../src/remote/connection.ts";
import { makeKeyPair } from "../../src/remote/key-pair.ts";
import { SshHost } from "../remote/ssh-host.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const login = makeKeyPair();

let home: string;
let key: KeyObject;
/** A host whose root file system is this folder, and whose users may do everything. */
let root: string;
let host: SshHost;
let connection: SshConnection;
let log: string[];

beforeEach(async () => {
  home = temporaryFolder();
  key = await ensureSigningKey(home);
  root = temporaryFolder();
  log = [];
  const bin = temporaryFolder();
  writeFileSync(join(bin, "sudo"), '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n', { mode: 0o755 });
  host = await SshHost.start({
    rewrite: (command) => command.replaceAll("/var/lib/slipway", `${root}/var/lib/slipway`),
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  });
  connection = await logIn();
});
afterEach(async () => {
  connection.close();
  await host.stop();
});

function logIn(): Promise<SshConnection> {
  return connectSsh({
    host: "127.0.0.1",
    port: host.port,
    user: "debian",
    name: "server-g1",
    hostKeys: host.keys,
    identities: [{ key: login.private }],
  });
}

const folder = () => join(home, "publication");
const inbox = (path = "") => join(root, "var/lib/slipway/inbox", path);
const inInbox = () =>
  readdirSync(inbox(), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(inbox("/").length))
    .sort();

/** Publishes into the folder: a runtime layer of 0.3 MB, a small app layer, a model. */
async function publish(model: string, runtime = "r"): Promise<Manifest> {
  const layer = (content: string) => {
    const file = join(home, "layer.tar.gz");
    writeFileSync(file, content);
    const copy = `${file}.${digestOf(content).slice(7, 19)}`;
    writeFileSync(copy, content);
    return { file: copy, digest: digestOf(content), size: content.length };
  };
  const [big, app] = [layer(runtime.repeat(300_000)), layer("app")];
  const staged = await stageRelease({
    store: folderStore(folder(), inboxUrl),
    stack: "production",
    home,
    payload: { digest: payloadDigest(big, app), runtime: big, app },
    model: { name: "m", content: Buffer.from(model) },
    settings: {},
  });
  await staged.publish();
  expect(staged.sourceUrl).toBe("file:///var/lib/slipway/inbox");
  return staged.manifest;
}

const push = (manifest: Manifest, through = connection) =>
  pushRelease(through, {
    folder: folder(),
    manifest,
    log: (line) => log.push(line),
    signal: new AbortController().signal,
  });

describe("a push", () => {
  it("brings everything that the manifest names, byte by byte, and the signed manifest", async () => {
    const manifest = await publish("weights");
    await push(manifest);
    const files = [manifest.payload.runtime, manifest.payload.app, ...manifest.models];
    expect(inInbox()).toEqual([...files.map(({ path }) => path), "manifest"].sort());
    for (const { path, digest } of files) expect(digestOf(readFileSync(inbox(path)))).toBe(digest);
    expect(openManifest(readFileSync(inbox("manifest"), "utf8"), createPublicKey(key))).toEqual(manifest);
    expect(statSync(inbox()).mode & 0o777).toBe(0o700);
    expect(log).toHaveLength(3);
  });

  it("puts the manifest last: who finds it finds everything", async () => {
    await push(await publish("weights"));
    const puts = host.commands.filter((command) => command.includes("cat >"));
    expect(puts.at(-1)).toContain("manifest.part");
    expect(puts.filter((command) => command.includes("manifest"))).toHaveLength(1);
  });

  it("sends nothing again, and removes what no manifest names any more", async () => {
    const first = await publish("weights");
    await push(first);
    log = [];
    await push(first);
    expect(log).toEqual([]);
    const second = await publish("other weights");
    await push(second);
    expect(log).toEqual([expect.stringMatching(/^pushing models\/[0-9a-f]{12}….tar/)]);
    expect(inInbox()).toContain(second.models[0]?.path);
    expect(inInbox()).not.toContain(first.models[0]?.path);
  });

  it("goes on where a torn one broke off", async () => {
    const manifest = await publish("weights");
    const { path } = manifest.payload.runtime;
    mkdirSync(inbox("layers"), { recursive: true });
    writeFileSync(inbox(`${path}.part`), "r".repeat(100_000));
    await push(manifest);
    expect(log[0]).toContain("from 0.1 on");
    expect(digestOf(readFileSync(inbox(path)))).toBe(manifest.payload.runtime.digest);
    expect(inInbox().filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  it("whose remainder does not fit starts over at the next run", async () => {
    const manifest = await publish("weights");
    const { path, digest } = manifest.payload.runtime;
    mkdirSync(inbox("layers"), { recursive: true });
    writeFileSync(inbox(`${path}.part`), "?".repeat(100_000));
    await expect(push(manifest)).rejects.toMatchObject({
      code: "E_BOOTSTRAP_FAILED",
      message: "pushing into the host failed: it arrived torn",
    });
    expect(inInbox()).toEqual([]);
    await push(manifest);
    expect(digestOf(readFileSync(inbox(path)))).toBe(digest);
  });

  it("that a broken connection ended is gone on with by the next, not sent again", async () => {
    const manifest = await publish("weights");
    const { path, size, digest } = manifest.payload.runtime;
    const torn = async () => {
      const arrived = statSync(inbox(`${path}.part`), { throwIfNoEntry: false })?.size ?? 0;
      return arrived > 0 || undefined;
    };
    host.slow = true; // a part of the layer arrives, and no more
    const pushed = push(manifest).catch((error: unknown) => error);
    await waitFor("a part of the layer", torn, { timeoutMs: 10_000, intervalMs: 5 });
    host.cut();
    expect(await pushed).toMatchObject({ code: "E_SSH" });
    host.slow = false;
    const { size: arrived } = statSync(inbox(`${path}.part`));
    expect(arrived).toBeLessThan(size);
    connection = await logIn();
    log = [];
    await push(manifest);
    expect(log[0]).toMatch(/from \d+\.\d on$/);
    expect(digestOf(readFileSync(inbox(path)))).toBe(digest);
  });

  it("tells in the host's words why it cannot write", async () => {
    const manifest = await publish("weights");
    mkdirSync(inbox(), { recursive: true });
    writeFileSync(inbox("layers"), "in the way");
    await expect(push(manifest)).rejects.toMatchObject({
      code: "E_BOOTSTRAP_FAILED",
      exitCode: 5,
      message: expect.stringMatching(/layers/),
    });
  });
});

it("a withdrawn publication leaves no folder", async () => {
  await publish("weights");
  await unpublish({ store: folderStore(folder(), inboxUrl), stack: "production", home });
  expect(() => readdirSync(folder())).toThrow("ENOENT");
});
