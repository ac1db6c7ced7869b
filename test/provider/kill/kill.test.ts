import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { stateProblems } from "../../engine/random/state-problems.ts";
import { type CloudProxy, type PassingCall, startCloudProxy } from "../../support/cloud-proxy.ts";
import { startTestCloud, type TestCloud } from "../test-cloud.ts";
import { twentyResources } from "./stack.ts";

const script = fileURLToPath(new URL("run.ts", import.meta.url));
/** One salt, so that every run derives the same key. */
const stackFile = "encryptionsalt: v1:lYQ6OZXLdQg=:v1:psFVGCCsrKeFVnrF:n1UJawilLeB2odKwWEEoshJnMg2hOA==\n";
/** A run that neither ends nor reaches its step hangs, milliseconds. */
const patienceMs = 60_000;

/** Everything of a project that a run could leave behind, by the listing that shows it. */
const listings = [
  ["compute", "/servers", "servers"],
  ["compute", "/os-server-groups", "server_groups"],
  ["network", "/networks", "networks"],
  ["network", "/subnets", "subnets"],
  ["network", "/ports", "ports"],
  ["network", "/routers", "routers"],
  ["network", "/security-groups", "security_groups"],
  ["network", "/security-group-rules", "security_group_rules"],
  ["network", "/floatingips", "floatingips"],
  ["volumev3", "/volumes", "volumes"],
] as const;

let world: TestCloud;
let proxy: CloudProxy;
let stack: object;
/** What the proxy does about the next changing call. */
let trap: { at: "before" | "after"; spring: () => void } | undefined;

const changes = ({ method, url }: PassingCall) => method !== "GET" && !url.startsWith("/identity");

beforeAll(async () => {
  world = await startTestCloud();
  const cloudPort = Number(new URL(world.cloud.authUrl).port);
  /** The run is dead from the moment that the trap springs: nothing that it has under way counts any more. */
  const held = (call: PassingCall, at: "before" | "after") => {
    if (trap === undefined || trap.at !== at || !changes(call)) return true;
    trap.spring();
    return false;
  };
  proxy = await startCloudProxy(cloudPort, {
    before: (call) => held(call, "before"),
    // what is refused was done by an earlier run already
    after: (call, status) => status >= 400 || held(call, "after"),
  });
  const folder = join(world.folder, "stack");
  await mkdir(folder);
  await writeFile(join(folder, "Pulumi.yaml"), "name: kill\nruntime: nodejs\n");
  await writeFile(join(folder, "Pulumi.dev.yaml"), stackFile);
  const variables = { ...world.variables, authUrl: proxy.authUrl };
  const configOverrides = Object.fromEntries(
    Object.entries(variables).map(([key, value]) => [`openstack:${key}`, value]),
  );
  const backendUrl = `file://${join(folder, "state")}`;
  stack = {
    projectRoot: folder,
    project: "kill",
    stack: "dev",
    backendUrl,
    passphrase: "open sesame",
    configOverrides,
  };
});
afterAll(async () => {
  await proxy.close();
  await world.stop();
});

/** Runs an operation in a process of its own, which is killed at its first changing call. Returns whether it came to its end instead. */
async function runKilled(operation: "up" | "destroy", at: "before" | "after"): Promise<boolean> {
  const child: ChildProcess = spawn(process.execPath, [script, JSON.stringify(stack), operation], {
    stdio: ["ignore", "ignore", "inherit"],
    timeout: patienceMs,
    killSignal: "SIGTERM",
  });
  trap = { at, spring: () => child.kill("SIGKILL") };
  try {
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (...end) => resolve(end));
    });
    if (code === 0) return true;
    expect(signal, `an ${operation} that fails where it should be killed`).toBe("SIGKILL");
    return false;
  } finally {
    trap = undefined;
  }
}

async function inventory(): Promise<Record<string, number>> {
  const counted = listings.map(async ([service, path, key]) => {
    const { body } = await world.session.request<Record<string, unknown[]>>(service, "GET", path);
    return [key, body[key]?.length ?? -1] as const;
  });
  return Object.fromEntries(await Promise.all(counted));
}

async function expectLoadableState(): Promise<void> {
  const path = join(world.folder, "stack/state/.pulumi/stacks/kill/dev.json");
  expect(stateProblems(JSON.parse(await readFile(path, "utf8")))).toEqual([]);
}

/** Kills run after run, each at its first changing call, until one finds nothing more to change. Returns the number of kills. */
async function killAtEveryStep(operation: "up" | "destroy"): Promise<number> {
  for (let kills = 0; ; kills++) {
    // Where the call never reaches the cloud the next run is as far as this one: every fourth time is enough.
    if (await runKilled(operation, kills % 4 === 3 ? "before" : "after")) return kills;
    await expectLoadableState();
  }
}

it("a stack of twenty resources, killed at every step of up and of destroy, comes to its end with nothing made twice and nothing left", {
  timeout: 600_000,
}, async () => {
  expect(twentyResources).toHaveLength(20);
  const before = await inventory();
  expect(await killAtEveryStep("up")).toBeGreaterThanOrEqual(20);
  const made = await inventory();
  const more = Object.fromEntries(Object.entries(made).map(([key, count]) => [key, count - (before[key] ?? 0)]));
  expect(more).toEqual({
    servers: 2,
    server_groups: 1,
    networks: 2,
    subnets: 2,
    ports: 3, // two of the servers, one of the router
    routers: 1,
    security_groups: 2,
    security_group_rules: 3 + 2 * 2, // each group comes with two
    floatingips: 1,
    volumes: 2,
  });
  expect(await killAtEveryStep("destroy")).toBeGreaterThanOrEqual(20);
  expect(await inventory()).toEqual(before);
});
