import { spawn } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { digestOf, hexOf } from "../../src/common/digest.ts";
import { renderHostUserData } from "../../src/contextualization/render.ts";
import { type JournalEntry, parseJournal } from "../../src/guest/journal.ts";
import { type Manifest, sealManifest } from "../../src/guest/manifest.ts";
import { writeArchive } from "../../src/release/archive.ts";
import { payloadDigest } from "../../src/release/payload.ts";
import { publicKeyText } from "../../src/release/signing-key.ts";
import { hostContext } from "../contextualization/context.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { serveFiles } from "./file-server.ts";

const { privateKey } = generateKeyPairSync("ed25519");

/** A runtime layer whose "node" is a shell script that tells what it was asked to run, and an app layer. */
async function release(files: Map<string, Uint8Array | string>): Promise<Manifest> {
  const folder = temporaryFolder();
  const node = '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "stage 1: $1 since $SLIPWAY_BEGAN"\n';
  const layer = async (name: string, content: string, executable: boolean) => {
    const file = join(folder, "layer.tar.gz");
    await writeArchive(file, [{ name, content: { bytes: Buffer.from(content) }, executable }]);
    const bytes = readFileSync(file);
    const digest = digestOf(bytes);
    const path = `layers/${hexOf(digest)}.tar.gz`;
    files.set(path, bytes);
    return { path, digest, size: bytes.length };
  };
  const runtime = await layer("bin/node", node, true);
  const app = await layer("bootstrap.mjs", "// stage 1\n", false);
  const model = { name: "m", version: "1", path: "models/m.tar", digest: digestOf("m"), size: 1 };
  const payload = { digest: payloadDigest(runtime, app), runtime, app };
  return { schemaVersion: 1, stack: "production", sequence: 7, payload, models: [model], settings: {} };
}

interface Outcome {
  status: number | null;
  stdout: string;
  root: string;
  entries: JournalEntry[];
  console: string;
}

async function stage0(
  sourceUrl: string,
  options: { root?: string; key?: KeyObject; path?: string; patience?: string } = {},
): Promise<Outcome> {
  const root = options.root ?? temporaryFolder();
  const userData = renderHostUserData({
    ...hostContext,
    sourceUrl,
    publicKey: publicKeyText(options.key ?? privateKey),
  });
  const { write_files } = parse(userData) as { write_files: { path: string; content: string }[] };
  const script = join(root, "stage0");
  writeFileSync(script, write_files.find(({ path }) => path.endsWith("/stage0"))?.content ?? "");
  const consolePath = join(root, "console");
  writeFileSync(consolePath, "");
  const child = spawn("sh", [script], {
    env: {
      PATH: options.path ?? process.env.PATH,
      SLIPWAY_ROOT: root,
      SLIPWAY_CONSOLE: consolePath,
      SLIPWAY_PATIENCE: options.patience ?? "30",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [stdout, status] = await Promise.all([
    text(child.stdout),
    new Promise<number | null>((resolve) => child.on("close", resolve)),
  ]);
  const journal = readFileSync(join(root, "var/log/slipway/journal.log"), "utf8");
  const entries = parseJournal(journal).map(({ entry }) => entry);
  return { status, stdout, root, entries, console: readFileSync(consolePath, "utf8") };
}

/** The verdict that ended a run, and its failed step. */
function failureOf({ status, entries }: Outcome) {
  expect(status).toBe(1);
  const [end, verdict] = entries.slice(-2);
  expect(end).toMatchObject({ type: "step", state: "end" });
  expect(verdict).toMatchObject({ type: "verdict", ok: false });
  return verdict?.type === "verdict" ? verdict : undefined;
}

describe("stage 0", () => {
  it("brings manifest and layers, journals each step to file and console, and hands over", async () => {
    const files = new Map<string, Uint8Array | string>();
    const manifest = await release(files);
    files.set("manifest", sealManifest(manifest, privateKey));
    const outcome = await stage0(await serveFiles(files));
    expect(outcome.status).toBe(0);
    const app = join(outcome.root, "opt/slipway/layers", hexOf(manifest.payload.app.digest), "bootstrap.mjs");
    expect(outcome.stdout).toMatch(new RegExp(`^stage 1: ${app} since \\d{13}\n$`));
    expect(
      outcome.entries.map((entry) => (entry.type === "step" ? `${entry.step} ${entry.state}` : entry.type)),
    ).toEqual([
      "manifest start",
      "manifest end",
      "runtime-layer start",
      "runtime-layer end",
      "app-layer start",
      "app-layer end",
    ]);
    expect(parseJournal(outcome.console).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(readFileSync(join(outcome.root, "var/lib/slipway/manifest"), "utf8")).toBe(files.get("manifest"));
    expect(readdirSync(join(outcome.root, "var/lib/slipway"))).toEqual(["manifest"]);
  });

  it("numbers a second run on from the first and fetches no layer again", async () => {
    const files = new Map<string, Uint8Array | string>();
    files.set("manifest", sealManifest(await release(files), privateKey));
    const asked: string[] = [];
    const url = await serveFiles(files, ({ url }) => {
      asked.push(url ?? "");
      return false;
    });
    const { root } = await stage0(url);
    const again = await stage0(url, { root });
    expect(parseJournal(again.console).map(({ seq }) => seq)).toEqual([7, 8, 9, 10, 11, 12]);
    expect(asked.filter((path) => path.startsWith("/layers/"))).toHaveLength(2);
  });

  it("refuses a manifest of another key", async () => {
    const files = new Map<string, Uint8Array | string>();
    files.set("manifest", sealManifest(await release(files), generateKeyPairSync("ed25519").privateKey));
    const verdict = failureOf(await stage0(await serveFiles(files)));
    expect(verdict).toMatchObject({ sequence: 0, failure: { step: "manifest" } });
    expect(verdict?.failure?.reason).toBe("the manifest's signature does not fit the stack's key");
  });

  it("refuses a manifest that was changed after it was signed", async () => {
    const files = new Map<string, Uint8Array | string>();
    const sealed = sealManifest(await release(files), privateKey);
    files.set("manifest", sealed.replace('"sequence":7', '"sequence":8'));
    expect(failureOf(await stage0(await serveFiles(files)))?.failure?.step).toBe("manifest");
  });

  it("refuses what is no manifest at all, and keeps its journal readable", async () => {
    const files = new Map<string, Uint8Array | string>([["manifest", '<h1>"a\\b"\u0007</h1>\n']]);
    const verdict = failureOf(await stage0(await serveFiles(files)));
    expect(verdict?.failure?.lines).toEqual(["not a slipway manifest"]);
  });

  it("refuses a layer that is not what the manifest names", async () => {
    const files = new Map<string, Uint8Array | string>();
    const manifest = await release(files);
    files.set("manifest", sealManifest(manifest, privateKey));
    files.set(manifest.payload.app.path, files.get(manifest.payload.runtime.path) ?? "");
    const outcome = await stage0(await serveFiles(files));
    const verdict = failureOf(outcome);
    expect(verdict).toMatchObject({ sequence: 7, failure: { step: "app-layer" } });
    expect(verdict?.failure?.lines.at(-1)).toBe(`${manifest.payload.app.path} is not what the manifest names`);
    expect(readdirSync(join(outcome.root, "opt/slipway/layers"))).toEqual([hexOf(manifest.payload.runtime.digest)]);
  });

  it("waits for a source that is late", async () => {
    const files = new Map<string, Uint8Array | string>();
    files.set("manifest", sealManifest(await release(files), privateKey));
    let refusals = 1;
    const url = await serveFiles(files, (_request, response) => {
      if (refusals-- <= 0) return false;
      response.writeHead(503).end();
      return true;
    });
    expect((await stage0(url)).status).toBe(0);
  });

  it("gives up on a source that never answers, saying what curl said", async () => {
    const verdict = failureOf(await stage0("http://127.0.0.1:9", { patience: "1" }));
    expect(verdict?.failure?.lines.at(-1)).toBe("gave up fetching manifest after 1 s");
    expect(verdict?.failure?.lines[0]).toContain("curl");
  });

  it("does without curl", async () => {
    const files = new Map<string, Uint8Array | string>();
    files.set("manifest", sealManifest(await release(files), privateKey));
    expect((await stage0(await serveFiles(files), { path: pathWithout("curl") })).status).toBe(0);
  });
});

/** A PATH with every command of the machine's except one. */
function pathWithout(command: string): string {
  const folder = join(temporaryFolder(), "bin");
  mkdirSync(folder);
  for (const from of ["/usr/bin", "/bin"]) {
    for (const name of readdirSync(from)) {
      if (name === command || readdirSync(folder).includes(name)) continue;
      symlinkSync(join(from, name), join(folder, name));
    }
  }
  return folder;
}
