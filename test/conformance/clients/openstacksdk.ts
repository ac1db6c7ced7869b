import { fileURLToPath } from "node:url";
import { run } from "../../../src/common/process.ts";
import { ensureOpenstackClient } from "../openstack-client.ts";
import type { Client } from "../run-client.ts";

const program = fileURLToPath(new URL("openstacksdk-tour.py", import.meta.url));

let python = "";

/** openstacksdk, as the `openstack` command brings it. */
export const openstacksdk: Client = {
  name: "openstacksdk",
  async ensure() {
    const client = await ensureOpenstackClient();
    if ("reason" in client) return client;
    python = client.python;
    const version = ["-c", "import importlib.metadata as m; print(m.version('openstacksdk'))"];
    return { version: `openstacksdk==${(await run(python, version)).stdout.trim()}` };
  },
  async run({ env, folder, announceTo, offersObjects }) {
    await run(python, [program, announceTo, folder, String(offersObjects)], { env, timeoutMs: 1_800_000 });
  },
};
