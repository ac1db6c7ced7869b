/**
 * The engine by operation: wall time of a process that does one operation and ends, how long of it the cloud was being asked, what is
 * left once the program has loaded, the engine's own share of it, and the peak memory of all processes together. The cloud is the embedded one with
 * guests on paper, on the same machine. Where a `pulumi` with its OpenStack plugin is on PATH, the official engine runs the same program
 * in the same rounds. Prints Markdown; run it with the pinned Node: `node_modules/.bin/node bench/engine.ts [rounds] [servers]`.
 */
import { spawn } from "node:child_process";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine, StackReference } from "../src/engine/engine.ts";
import { findInstallation } from "../src/engine/official/find.ts";
import { findCredentials } from "../src/openstack/clouds.ts";
import { openSession } from "../src/openstack/session.ts";
import { startTestCloud, type TestCloud } from "../test/provider/test-cloud.ts";
import { memoryOf } from "./process-tree.ts";
import { addSample, machineLine, type Samples, table } from "./report.ts";

type Operation = "preview" | "up" | "destroy";
type Kind = Engine["kind"];

/** What `bin/slipway.mjs` gives its Node (scripts/lib/setup.mjs). */
const asTheVerbsRun = "--max-semi-space-size=2";
const rounds = Number(process.argv[2] ?? 3);
const many = Number(process.argv[3] ?? 200);
const root = join(import.meta.dirname, "..");
const samplingMs = 100;

const life: [string, Operation][] = [
  ["preview", "preview"],
  ["first up", "up"],
  ["up, nothing changes", "up"],
  ["preview, nothing changes", "preview"],
  ["destroy", "destroy"],
];
const [times, shares, memory]: [Samples, Samples, Samples] = [new Map(), new Map(), new Map()];
const { missing } = await findInstallation([{ name: "openstack", version: "3.15.2" }]);

for (let round = 0; round < rounds; round++) {
  await liveThrough("embedded", 2);
  if (missing.length === 0) await liveThrough("official", 2);
  await liveThrough("embedded", many);
}
console.log(machineLine(rounds));
if (missing.length > 0) console.log(`\nWithout the official engine: ${missing.join("; ")}.`);
console.log(`
"The rest" is the engine's, the program's (its SDK registers resources at a few milliseconds of processor time each) and the disk's.
The engine's own is the processor time of its main thread while the cloud is not asked, the start of its process included.

${table(times, "ms")}

The engine's own, of the wall time:

${table(shares, "%")}

Peak memory of all processes together. The pages of files that they share, above all Node's binary, are in the machine once and count once;
that is the figure to judge by. The sum of what \`ps\` shows (RSS) counts them for each process.

${table(memory, "MiB")}`);

/** A stack from its first preview to its end, on a cloud and with a state of its own. */
async function liveThrough(kind: Kind, servers: number): Promise<void> {
  const cloud = await startTestCloud();
  const folder = await mkdtemp(join(tmpdir(), "slipway-bench-"));
  try {
    await cp(join(root, "bench/engine/program"), folder, { recursive: true });
    await cp(join(root, "package.json"), join(folder, "package.json"));
    await symlink(join(root, "node_modules"), join(folder, "node_modules"));
    await liftQuotas(cloud);
    const configured = Object.entries(cloud.variables).map(([key, value]) => [`openstack:${key}`, value]);
    const stack: StackReference = {
      projectRoot: folder,
      project: "bench",
      stack: "dev",
      backendUrl: `file://${folder}/state`,
      passphrase: "open sesame",
      configOverrides: { ...Object.fromEntries(configured), "bench:servers": String(servers) },
    };
    for (const [name, operation] of life)
      await measure(kind, `${kind}, ${servers + servers + 16} resources: ${name}`, operation, stack);
  } finally {
    await rm(folder, { recursive: true, force: true });
    await cloud.stop();
  }
}

/** Nova lets a project have ten servers unless its administrator says otherwise. */
async function liftQuotas({ cloud, variables, session }: TestCloud): Promise<void> {
  const { username: userName, password, projectName: tenantName } = cloud.credentials.admin;
  const query = { env: {}, variables: { ...variables, userName, password, tenantName } };
  const admin = openSession(await findCredentials(query));
  const body = { quota_set: { instances: -1, cores: -1, ram: -1 } };
  await admin.request("compute", "PUT", `/os-quota-sets/${await session.projectId()}`, { body });
  admin.close();
}

async function measure(kind: Kind, name: string, operation: Operation, stack: StackReference): Promise<void> {
  const startedAt = performance.now();
  const child = spawn(
    process.execPath,
    [asTheVerbsRun, join(root, "bench/engine/run.ts"), kind, JSON.stringify(stack), operation],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const peak = { distinct: 0, resident: 0 };
  const sampling = setInterval(async () => {
    if (child.pid === undefined) return;
    const { distinct, resident } = await memoryOf(child.pid);
    peak.distinct = Math.max(peak.distinct, distinct);
    peak.resident = Math.max(peak.resident, resident);
  }, samplingMs);
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk));
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  clearInterval(sampling);
  if (code !== 0) throw new Error(`${name}: exit ${String(code)}`);
  const wallMs = performance.now() - startedAt;
  const { loadedMs, cloudMs, ownCpuMs } = JSON.parse(said) as Record<"loadedMs" | "cloudMs" | "ownCpuMs", number>;
  addSample(times, `**${name}**`, wallMs);
  addSample(memory, `**${name}**`, peak.distinct / 2 ** 20);
  addSample(memory, `${name}: sum of RSS`, peak.resident / 2 ** 20);
  if (kind === "official") return;
  if (loadedMs > 0) addSample(times, `${name}: until the program's first resource`, loadedMs);
  addSample(times, `${name}: the cloud is asked`, cloudMs);
  addSample(times, `${name}: the rest`, wallMs - loadedMs - cloudMs);
  addSample(times, `${name}: the engine's own`, ownCpuMs);
  addSample(shares, name, (100 * ownCpuMs) / wallMs);
}
