import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { findPlugin } from "../../../src/engine/plugins/find-plugin.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

describe("a plugin is looked for", () => {
  let folder: string;
  beforeEach(() => {
    folder = temporaryFolder();
  });

  const put = (path: string) => {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, "#!/bin/sh\n");
    chmodSync(file, 0o755);
    return file;
  };
  const inCache = (version: string) => put(`home/plugins/resource-shelf-v${version}/pulumi-resource-shelf`);
  const find = (version: string, more: { plugins?: { name: string; path: string }[]; env?: object } = {}) =>
    findPlugin(
      {
        project: { programDirectory: folder, plugins: more.plugins ?? [] },
        nodePath: process.execPath,
        env: { PATH: join(folder, "bin"), PULUMI_HOME: join(folder, "home"), ...more.env },
      },
      "shelf",
      version,
    ).then(({ program }) => program);

  it("where Pulumi.yaml says, then on PATH, then in the cache", async () => {
    const cached = inCache("1.0.0");
    expect(await find("1.0.0")).toBe(cached);
    const onPath = put("bin/pulumi-resource-shelf");
    expect(await find("1.0.0")).toBe(onPath);
    const own = put("own/pulumi-resource-shelf");
    expect(await find("1.0.0", { plugins: [{ name: "shelf", path: join(folder, "own") }] })).toBe(own);
    expect(await find("1.0.0", { plugins: [{ name: "other", path: join(folder, "own") }] })).toBe(onPath);
  });

  it("not on PATH where the environment says so", async () => {
    put("bin/pulumi-resource-shelf");
    const cached = inCache("1.0.0");
    expect(await find("1.0.0", { env: { PULUMI_IGNORE_AMBIENT_PLUGINS: "true" } })).toBe(cached);
  });

  it("in the version asked for, or the newest", async () => {
    inCache("1.9.0");
    const newest = inCache("1.10.0");
    expect(await find("")).toBe(newest);
    await expect(find("1.8.0")).rejects.toMatchObject({
      code: "E_PLUGIN",
      details: expect.arrayContaining(["there are other versions: 1.9.0, 1.10.0"]),
    });
  });

  it("in Pulumi.yaml's folder and nowhere else, where that names one", async () => {
    inCache("1.0.0");
    await expect(find("1.0.0", { plugins: [{ name: "shelf", path: join(folder, "gone") }] })).rejects.toMatchObject({
      code: "E_PLUGIN",
      message: expect.stringContaining("Pulumi.yaml names a plugin that is not there"),
    });
  });
});
