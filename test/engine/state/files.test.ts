import { chmod, cp, mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Vault } from "../../../src/engine/embedded/secrets/vault.ts";
import {
  dropCheckpoint,
  hasState,
  readCheckpoint,
  stackPaths,
  stacksWithState,
  writeCheckpoint,
} from "../../../src/engine/embedded/state/backend.ts";
import { formatCheckpoint, openDeployment, parseCheckpoint } from "../../../src/engine/embedded/state/checkpoint.ts";
import { recordHistory } from "../../../src/engine/embedded/state/history.ts";
import { Snapshot } from "../../../src/engine/embedded/state/snapshot.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

// What `pulumi` 3.248.0 left in a backend of its own: the last checkpoint of a destroyed stack, and the one before, in mid-delete.
const official = fileURLToPath(new URL("../fixtures/official", import.meta.url));
const officialStack = join(official, ".pulumi/stacks/wide");
const passphrase = "x";

afterEach(() => {
  vi.unstubAllEnvs();
});

const paths = (root: string) => stackPaths(`file://${root}`, "wide", "dev");
const namesBelow = async (folder: string) => (await readdir(folder)).sort();

describe("files of the backend", () => {
  it("have the sidecar that the official engine gives the same bytes", async () => {
    const root = temporaryFolder();
    const text = await readFile(join(officialStack, "dev.json"), "utf8");
    await writeCheckpoint(paths(root), text);
    const stacks = join(root, ".pulumi/stacks/wide");
    expect(await readFile(join(stacks, "dev.json"), "utf8")).toBe(text);
    expect(await readFile(join(stacks, "dev.json.attrs"), "utf8")).toBe(
      await readFile(join(officialStack, "dev.json.attrs"), "utf8"),
    );
    expect(await readFile(join(root, ".pulumi/meta.yaml"), "utf8")).toBe(
      await readFile(join(official, ".pulumi/meta.yaml"), "utf8"),
    );
  });

  it("keep the one before as .bak, sidecar and all", async () => {
    const root = temporaryFolder();
    const stacks = join(root, ".pulumi/stacks/wide");
    await writeCheckpoint(paths(root), "one");
    const facts = await readFile(join(stacks, "dev.json.attrs"), "utf8");
    await writeCheckpoint(paths(root), "two");
    expect(await namesBelow(stacks)).toEqual(await namesBelow(officialStack));
    expect(await readFile(join(stacks, "dev.json.bak"), "utf8")).toBe("one");
    expect(await readFile(join(stacks, "dev.json.bak.attrs"), "utf8")).toBe(facts);
    expect(await readFile(join(stacks, "dev.json.attrs"), "utf8")).not.toBe(facts);
    await dropCheckpoint(paths(root));
    expect(await namesBelow(stacks)).toEqual(["dev.json.bak", "dev.json.bak.attrs"]);
    expect(await readFile(join(stacks, "dev.json.bak"), "utf8")).toBe("two");
    expect(await hasState(paths(root))).toBe(false);
  });

  it.each([
    [".gz", gzipSync, gunzipSync],
    [".zst", zstdCompressSync, zstdDecompressSync],
  ] as const)("that are packed as %s are read, and stay packed", async (ending, pack, unpack) => {
    const root = temporaryFolder();
    const file = join(root, `.pulumi/stacks/wide/dev.json${ending}`);
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, pack("packed"));
    expect(await hasState(paths(root))).toBe(true);
    expect(await readCheckpoint(paths(root))).toEqual({ file, text: "packed" });
    await writeCheckpoint(paths(root), "again");
    expect(unpack(await readFile(file)).toString()).toBe("again");
    expect(unpack(await readFile(`${file}.bak`)).toString()).toBe("packed");
    expect(await namesBelow(join(file, ".."))).not.toContain("dev.json");
    const moment = new Date(1_700_000_000_123);
    await recordHistory(
      paths(root),
      "dev",
      { kind: "refresh", startedAt: moment, endedAt: moment, config: {}, succeeded: true, resourceChanges: {} },
      "again",
    );
    const entry = join(root, `.pulumi/history/wide/dev/dev-1700000000123000000.history.json${ending}`);
    expect(JSON.parse(unpack(await readFile(entry)).toString())).toMatchObject({ kind: "refresh" });
    expect(await namesBelow(join(root, ".pulumi/backups/wide/dev"))).toContain(`dev.1700000000123000000.json${ending}`);
  });

  it("that are there in two forms count by their age", async () => {
    const root = temporaryFolder();
    const stacks = join(root, ".pulumi/stacks/wide");
    await writeCheckpoint(paths(root), "plain");
    await writeFile(join(stacks, "dev.json.gz"), gzipSync("packed"));
    const age = (name: string, seconds: number) => utimes(join(stacks, name), seconds, seconds);
    await Promise.all([age("dev.json", 2000), age("dev.json.gz", 1000)]);
    expect((await readCheckpoint(paths(root)))?.text).toBe("plain");
    await age("dev.json.gz", 3000);
    expect((await readCheckpoint(paths(root)))?.text).toBe("packed");
    expect(await stacksWithState(`file://${root}`, "wide")).toEqual(["dev"]);
  });

  it("take the form that the environment names, and the old one is put aside", async () => {
    const root = temporaryFolder();
    const stacks = join(root, ".pulumi/stacks/wide");
    await writeCheckpoint(paths(root), "plain");
    vi.stubEnv("PULUMI_DIY_BACKEND_GZIP", "true");
    await writeCheckpoint(paths(root), "packed");
    expect(await namesBelow(stacks)).toEqual([
      "dev.json.bak",
      "dev.json.bak.attrs",
      "dev.json.gz",
      "dev.json.gz.attrs",
    ]);
    expect(gunzipSync(await readFile(join(stacks, "dev.json.gz"))).toString()).toBe("packed");
    expect(await readFile(join(stacks, "dev.json.gz.attrs"), "utf8")).toContain('"application/x-gzip"');
    vi.stubEnv("PULUMI_DIY_BACKEND_GZIP", "false");
    await writeCheckpoint(paths(root), "plain again");
    expect((await readCheckpoint(paths(root)))?.text).toBe("plain again");
  });

  it("follow the switches for copies, in the older spelling too", async () => {
    const root = temporaryFolder();
    vi.stubEnv("PULUMI_SELF_MANAGED_STATE_RETAIN_CHECKPOINTS", "1");
    vi.stubEnv("PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS", "true");
    await writeCheckpoint(paths(root), "one");
    const moment = new Date();
    await recordHistory(
      paths(root),
      "dev",
      { kind: "update", startedAt: moment, endedAt: moment, config: {}, succeeded: true, resourceChanges: {} },
      "one",
    );
    const names = await namesBelow(join(root, ".pulumi/stacks/wide"));
    expect(names.map((name) => name.replace(/\d{19}/, "N"))).toEqual([
      "dev.json",
      "dev.json.N",
      "dev.json.N.attrs",
      "dev.json.attrs",
    ]);
    expect(await namesBelow(join(root, ".pulumi"))).toEqual(["history", "meta.yaml", "stacks"]);
    expect(await stacksWithState(`file://${root}`, "wide")).toEqual(["dev"]);
  });

  it("of a layout without projects are left alone", async () => {
    const root = temporaryFolder();
    await mkdir(join(root, ".pulumi/stacks"), { recursive: true });
    await writeFile(join(root, ".pulumi/stacks/dev.json"), "{}");
    await expect(readCheckpoint(paths(root))).rejects.toMatchObject({
      code: "E_UNSUPPORTED",
      hint: expect.stringContaining("pulumi state upgrade"),
    });
    await writeFile(join(root, ".pulumi/meta.yaml"), "version: 1\n");
    expect(await readCheckpoint(paths(root))).toBeUndefined();
  });

  it("that are torn are told from those that are packed", async () => {
    const root = temporaryFolder();
    const file = join(root, ".pulumi/stacks/wide/dev.json.gz");
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, gzipSync("x".repeat(1000)).subarray(0, 20));
    await expect(readCheckpoint(paths(root))).rejects.toMatchObject({
      code: "E_STATE_DAMAGED",
      message: expect.stringContaining(`${file} cannot be used: unexpected end of file`),
    });
  });

  it("that cannot be written leave the last save whole", async () => {
    const root = temporaryFolder();
    await writeCheckpoint(paths(root), "one");
    // a file in a folder's place refuses root too, whom no permission stops
    await writeFile(join(root, "flat"), "");
    const nowhere = stackPaths(`file://${root}/flat`, "wide", "dev");
    await expect(writeCheckpoint(nowhere, "two")).rejects.toMatchObject({ code: "E_STATE_UNWRITABLE", exitCode: 4 });
    if (process.getuid?.() !== 0) {
      await chmod(join(root, ".pulumi/stacks/wide"), 0o500);
      await expect(writeCheckpoint(paths(root), "two")).rejects.toMatchObject({ code: "E_STATE_UNWRITABLE" });
      await chmod(join(root, ".pulumi/stacks/wide"), 0o700);
    }
    expect((await readCheckpoint(paths(root)))?.text).toBe("one");
  });
});

describe("a checkpoint", () => {
  const opened = async (name: string) => {
    const text = await readFile(join(officialStack, name), "utf8");
    const file = parseCheckpoint(name, text);
    const vault = await Vault.open(passphrase, file.checkpoint.latest?.secrets_providers?.state?.salt);
    return { text, file, vault };
  };

  it("keeps whatever this engine does not know, at every depth", async () => {
    const { text, vault } = await opened("dev.json.bak");
    const file = JSON.parse(text);
    file.later = 1;
    file.checkpoint.config = { a: "b" };
    file.checkpoint.latest.snippets = [{ a: 1 }];
    file.checkpoint.latest.resources[0].somethingNew = { deep: [1, null] };
    const parsed = parseCheckpoint("dev.json", JSON.stringify(file));
    const saved = JSON.parse(formatCheckpoint("organization/wide/dev", openDeployment(parsed, vault), vault));
    const { manifest: _, ...latest } = file.checkpoint.latest;
    expect(saved).toEqual({
      ...file,
      checkpoint: { ...file.checkpoint, latest: { ...latest, manifest: expect.anything() } },
    });
  });

  it("tells every kind of operation that was interrupted, and carries only creations on", async () => {
    const { file, vault } = await opened("dev.json.bak");
    const loaded = openDeployment(file, vault);
    const creating = { type: "creating" as const, resource: loaded.resources[0] as (typeof loaded.resources)[number] };
    let saved = loaded;
    const snapshot = new Snapshot({ ...loaded, pending: [...loaded.pending, creating] }, async (deployment) => {
      saved = deployment;
    });
    expect(snapshot.interrupted().map(({ type }) => type)).toEqual(["deleting", "creating"]);
    await snapshot.save();
    expect(saved.pending).toEqual([creating]);
  });

  it.each([
    ["of a newer form", { version: 4 }, /is of version 4/],
    ["that needs features", { version: 4, features: ["taint", "views"] }, /version 4 with taint, views/],
    ["of an older form", { version: 2 }, /is of version 2/],
  ])("%s is refused", async (_what, change, message) => {
    const { text } = await opened("dev.json");
    const other = JSON.stringify({ ...JSON.parse(text), ...change });
    expect(() => parseCheckpoint("dev.json", other)).toThrow(
      expect.objectContaining({ code: "E_UNSUPPORTED", message: expect.stringMatching(message) }),
    );
  });

  it("whose secrets somebody else keeps is refused", async () => {
    const { text } = await opened("dev.json");
    const other = text.replace('"type":"passphrase"', '"type":"cloud"');
    expect(() => parseCheckpoint("dev.json", other)).toThrow(
      expect.objectContaining({ code: "E_UNSUPPORTED", message: expect.stringContaining("cloud") }),
    );
  });
});

it("a backend of the official engine is opened as it stands", async () => {
  const root = temporaryFolder();
  await cp(official, root, { recursive: true });
  const found = await readCheckpoint(paths(root));
  expect(found?.text).toBe(await readFile(join(officialStack, "dev.json"), "utf8"));
});
