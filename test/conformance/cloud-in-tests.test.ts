import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findCommand } from "../../src/cloud/host-packages.ts";
import { run } from "../../src/common/process.ts";
import { ensureSdkEnvironment } from "./sdk-environment.ts";

// The page's examples, word for word, as somebody else's project would have them.

const root = join(import.meta.dirname, "../..");
const page = await readFile(join(root, "docs/how-to/cloud-in-tests.md"), "utf8");
const example = (language: string) => new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "s").exec(page)?.[1] ?? "";
const slipway = `${process.execPath} ${join(root, "src/cli/main.ts")}`;

const python = await ensureSdkEnvironment();
const go = await findCommand("go", { PATH: `${process.env.PATH}:/usr/local/go/bin` });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-in-tests-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the page of the cloud in tests", { timeout: 300_000 }, () => {
  it("TypeScript: the package is installed, and its types are understood", async () => {
    const project = join(folder, "typescript");
    const installed = join(project, "node_modules/slipway");
    await mkdir(join(installed, "src"), { recursive: true });
    for (const name of ["bin", "src", "package.json"])
      await cp(join(root, name), join(installed, name), { recursive: true });
    await symlink(join(root, "node_modules"), join(installed, "node_modules"));
    await writeFile(join(project, "package.json"), JSON.stringify({ type: "module" }));
    await writeFile(join(project, "cloud.test.ts"), example("ts"));
    const { stdout } = await run(process.execPath, ["--test", "cloud.test.ts"], { cwd: project });
    expect(stdout).toMatch(/^ℹ pass 2$/m);
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--types", "node"];
    const types = ["--typeRoots", join(root, "node_modules/@types")];
    await run(
      process.execPath,
      [join(root, "node_modules/typescript/bin/tsc"), ...options, ...types, "cloud.test.ts"],
      {
        cwd: project,
      },
    );
  });

  it.skipIf("reason" in python)(`Python${"reason" in python ? ` (skipped: ${python.reason})` : ""}`, async () => {
    if ("reason" in python) return;
    const project = join(folder, "python");
    await mkdir(project);
    await writeFile(join(project, "test_cloud.py"), example("python"));
    const env = { ...process.env, SLIPWAY: slipway };
    const { stdout } = await run(python.python, ["-m", "pytest", "-q", "-p", "no:cacheprovider"], {
      cwd: project,
      env,
    });
    expect(stdout).toContain("1 passed");
  });

  it.skipIf(go === undefined)(`Go${go === undefined ? " (skipped: there is no go)" : ""}`, async () => {
    const project = join(folder, "go");
    await mkdir(project);
    await writeFile(join(project, "cloud_test.go"), example("go"));
    await writeFile(
      join(project, "go.mod"),
      "module cloud\n\ngo 1.22\n\nrequire github.com/gophercloud/gophercloud/v2 v2.7.0\n",
    );
    const env = { ...process.env, SLIPWAY: slipway, GOFLAGS: "-mod=mod" };
    const { stdout } = await run(String(go), ["test", "./..."], { cwd: project, env, timeoutMs: 280_000 });
    expect(stdout).toMatch(/^ok\s+cloud/m);
  });
});
