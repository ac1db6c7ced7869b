import { fileURLToPath } from "node:url";
import { run } from "../../../src/common/process.ts";
import { ensureOpenstackClient } from "../openstack-client.ts";
import type { Client, Surroundings } from "../run-client.ts";

let python = "";

/** openstacksdk, as the `openstack` command brings it. */
export const openstacksdk: Client = {
  name: "openstacksdk",
  ensure,
  run: (surroundings) => runProgram("openstacksdk-tour.py", surroundings),
};

/** The same, for groups of volumes: the `openstack` command puts no volumes into them. */
export const openstacksdkGroups: Client = {
  name: "openstacksdk-groups",
  ensure,
  run: (surroundings) => runProgram("openstacksdk-groups-tour.py", surroundings),
};

async function ensure(): ReturnType<Client["ensure"]> {
  const client = await ensureOpenstackClient();
  if ("reason" in client) return client;
  python = client.python;
  const version = ["-c", "import importlib.metadata as m; print(m.version('openstacksdk'))"];
  return { version: `openstacksdk==${(await run(python, version)).stdout.trim()}` };
}

async function runProgram(name: string, { env, folder, announceTo, offersObjects }: Surroundings): Promise<void> {
  const program = fileURLToPath(new URL(name, import.meta.url));
  await run(python, [program, announceTo, folder, String(offersObjects)], {
    env: { ...env, PYTHONDONTWRITEBYTECODE: "1" },
    timeoutMs: 1_800_000,
  });
}
