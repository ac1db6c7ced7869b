// Plain JavaScript that Node 20 runs: installs the npm packages when the lockfile changed, then hands over to the pinned Node.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { compileCache } from "../../src/common/compile-cache.mjs";
import { prunePackages } from "./prune.mjs";

/** The project's folder. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const MINIMUM = [22, 18]; // strips types without a flag
const modules = join(root, "node_modules");
const marker = join(modules, ".slipway-lockfile-digest");
const INSTALL_MINUTES = 10;

function lockfileDigest() {
  return createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
}

function packagesAreCurrent() {
  return existsSync(marker) && readFileSync(marker, "utf8") === lockfileDigest();
}

/** Installs the npm packages unless they are those of the lockfile; two at once take turns. */
export async function ensurePackages() {
  if (packagesAreCurrent()) return;
  const busy = join(root, "node_modules.installing");
  const deadline = Date.now() + INSTALL_MINUTES * 60_000;
  while (!tryLock(busy)) {
    if (packagesAreCurrent()) return;
    if (Date.now() > deadline) fail(`another installation holds ${busy}; remove the folder if none is running`);
    await sleep(500);
  }
  try {
    if (packagesAreCurrent()) return;
    console.error("slipway: installing npm packages (the lockfile is new or has changed)");
    // Not `npm ci`: it refuses where the registry lacks an optional package of some other platform. `--no-save` leaves the lockfile alone.
    const npm = spawnSync("npm", ["install", "--no-save", "--loglevel=error"], {
      cwd: root,
      stdio: ["ignore", 2, 2],
      timeout: INSTALL_MINUTES * 60_000,
    });
    if (npm.status !== 0) fail(`npm install ended with ${npm.error?.message ?? `status ${npm.status}`}`);
    prunePackages(modules);
    writeFileSync(marker, lockfileDigest());
  } finally {
    rmdirSync(busy);
  }
}

// A folder is made by one process only; one older than the longest installation belonged to a killed process.
function tryLock(folder) {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    if (existsSync(folder) && Date.now() - statSync(folder).mtimeMs > INSTALL_MINUTES * 60_000) rmdirSync(folder);
    return false;
  }
}

/** The Node that runs everything: the pinned one from npm, else this one if it is new enough. */
export function pinnedNode() {
  const pinned = join(modules, ".bin", "node");
  if (existsSync(pinned)) return pinned;
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])) return process.execPath;
  return fail(
    `no pinned Node for ${process.platform}/${process.arch} on npm, and this one (${process.version}) is older than ${MINIMUM.join(".")}`,
  );
}

/** Mebibytes of V8's young generation: a process of a verb has little that dies young, and is measured no slower with less. */
const youngGeneration = "--max-semi-space-size=2";

/** Runs a script with the pinned Node in place of this process: its exit status and signals are ours. */
export function handOver(script, args, env = process.env) {
  const child = spawn(pinnedNode(), [youngGeneration, join(root, script), ...args], {
    stdio: "inherit",
    env: { ...env, NODE_COMPILE_CACHE: compileCache(env) },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.on("error", (error) => fail(error.message));
    child.on("exit", (status, signal) => resolve(status ?? 128 + constants.signals[signal]));
  });
}

function fail(message) {
  console.error(`slipway: ${message}`);
  process.exit(3);
}
