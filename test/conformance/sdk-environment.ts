import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../src/common/process.ts";
import { ensurePythonEnvironment, packagesOf } from "./python-environment.ts";

/** The collection asks for `openstack.version`, which newer libraries load only when they are asked for it. */
const sdk = "openstacksdk==4.5.0";
const ansible = "ansible-core==2.19.14";
const requirements = [sdk, ansible, "pytest==8.3.5"];

/** The distribution of all collections, 600 MB once unpacked, of which one is taken: the index has none of them alone. */
const collections = "ansible==12.3.0";

/** Puts the members of a wheel that begin so where pip would put them. */
const unpacking = `
import glob, sys, zipfile
_, folder, place, beginning = sys.argv
[wheel] = glob.glob(folder + "/*.whl")
with zipfile.ZipFile(wheel) as packed:
    packed.extractall(place, [name for name in packed.namelist() if name.startswith(beginning)])
`;

/** openstacksdk with what works on it: pytest, and Ansible with its collection openstack.cloud. One, for most of it is their dependencies. */
export async function ensureSdkEnvironment(): Promise<{ python: string; version: string } | { reason: string }> {
  const name = [...requirements, collections].join("-");
  const environment = await ensurePythonEnvironment(name, requirements, addCollection);
  return "reason" in environment ? environment : { ...environment, version: `${collections} ${ansible} ${sdk}` };
}

async function addCollection(python: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-wheel-"));
  try {
    const download = ["-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--dest", folder, collections];
    await run(python, download, { timeoutMs: 300_000 });
    await run(python, ["-c", unpacking, folder, await packagesOf(python), "ansible_collections/openstack/"]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
