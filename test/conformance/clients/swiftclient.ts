import { fileURLToPath } from "node:url";
import { run } from "../../../src/common/process.ts";
import { ensurePythonEnvironment } from "../python-environment.ts";
import type { Client } from "../run-client.ts";

const program = fileURLToPath(new URL("swiftclient-tour.py", import.meta.url));
const requirement = "python-swiftclient==4.11.0";
const login = "keystoneauth1==5.18.1";

let python = "";

/** Swift's own client, as a library. */
export const swiftclient: Client = {
  name: "swiftclient",
  async ensure() {
    const client = await ensurePythonEnvironment(`${requirement}-${login}`, [requirement, login]);
    if ("reason" in client) return client;
    python = client.python;
    return { version: requirement };
  },
  async run({ env, announceTo, login: { authUrl, username, password, projectName } }) {
    await run(python, [program, announceTo, authUrl, username, projectName], {
      env: { ...env, TOUR_PASSWORD: password, PYTHONDONTWRITEBYTECODE: "1" },
      timeoutMs: 600_000,
    });
  },
};
