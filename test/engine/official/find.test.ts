import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findInstallation } from "../../../src/engine/official/find.ts";

const openstack = [{ name: "openstack", version: "3.15.2" }];
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-find-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function executable(...path: string[]): Promise<string> {
  const file = join(folder, ...path);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, "#!/bin/sh\n", { mode: 0o755 });
  return file;
}

const look = (env: NodeJS.ProcessEnv) =>
  findInstallation(openstack, { PULUMI_HOME: join(folder, "home/.pulumi"), ...env });

test("without a CLI the advice is to install it", async () => {
  await writeFile(join(folder, "pulumi"), "not executable", { mode: 0o644 });
  expect(await look({ PATH: `/nowhere:${folder}` })).toMatchObject({
    cli: undefined,
    missing: [expect.stringContaining("`pulumi`")],
    advice: expect.stringContaining("Install the Pulumi CLI"),
  });
});

test("a CLI without the language host beside it cannot run a program", async () => {
  const cli = await executable("bin", "pulumi");
  expect(await look({ PATH: join(folder, "bin") })).toMatchObject({
    cli,
    missing: [expect.stringContaining("pulumi-language-nodejs")],
  });
});

test("a plugin that is nowhere is named with the command that gets it", async () => {
  await executable("bin", "pulumi");
  await executable("bin", "pulumi-language-nodejs");
  await executable("home", ".pulumi", "plugins", "resource-openstack-v3.15.2.lock"); // a download that did not end
  expect(await look({ PATH: join(folder, "bin") })).toMatchObject({
    missing: [expect.stringContaining("pulumi-resource-openstack")],
    advice: "Run `pulumi plugin install resource openstack 3.15.2`",
  });
});

test.each([
  ["on PATH", ["bin", "pulumi-resource-openstack"]],
  ["in the plugin cache", ["home", ".pulumi", "plugins", "resource-openstack-v3.15.2", "pulumi-resource-openstack"]],
])("nothing is missing with the plugin %s", async (_, path) => {
  const cli = await executable("bin", "pulumi");
  await executable("bin", "pulumi-language-nodejs");
  await executable(...path);
  expect(await look({ PATH: join(folder, "bin") })).toEqual({ cli, missing: [], advice: undefined });
});

test("PULUMI_HOME is where CLI and plugins are, when it is set", async () => {
  const cli = await executable("own", "bin", "pulumi");
  await executable("own", "bin", "pulumi-language-nodejs");
  await executable("own", "plugins", "resource-openstack-v4.0.0", "pulumi-resource-openstack");
  expect(await look({ PATH: "/nowhere", PULUMI_HOME: join(folder, "own") })).toEqual({
    cli,
    missing: [],
    advice: undefined,
  });
});
