import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommandError, run } from "../../../src/common/process.ts";
import type { Client } from "../run-client.ts";
import { ensureSdkEnvironment } from "../sdk-environment.ts";

const folderOf = fileURLToPath(new URL("ansible/", import.meta.url));

let python = "";

/** Ansible's collection openstack.cloud: a server's life, made, made again, and taken away. */
export const ansible: Client = {
  name: "ansible",
  async ensure() {
    const environment = await ensureSdkEnvironment();
    if ("reason" in environment) return environment;
    python = environment.python;
    return { version: environment.version };
  },
  async run({ env, folder, announceTo, offersObjects }) {
    const ansiblePlaybook = join(dirname(python), "ansible-playbook");
    const variables = JSON.stringify({
      ...{ folder, offers_objects: offersObjects },
      ...{ ansible_connection: "local", ansible_python_interpreter: python },
    });
    const played = [ansiblePlaybook, "-i", "localhost,", "-e", variables, join(folderOf, "playbook.yml")];
    const { stdout } = await run(python, played, {
      env: {
        ...env,
        ANNOUNCE_TO: announceTo,
        ANSIBLE_CALLBACK_PLUGINS: join(folderOf, "plugins"),
        ANSIBLE_STDOUT_CALLBACK: "announce",
        ANSIBLE_HOME: join(folder, "ansible"),
        ANSIBLE_PIPELINING: "1",
        LC_ALL: "C.UTF-8",
        PYTHONDONTWRITEBYTECODE: "1",
      },
      timeoutMs: 1_800_000,
    }).catch(sayWhatFailed);
    const changed = toldIn(stdout).filter(({ play, outcome }) => play === "made again" && outcome === "changed");
    if (changed.length > 0) throw new Error(`changed again: ${changed.map(({ task }) => task).join(", ")}`);
  },
};

/** What the callback plugin tells of a task. */
interface Told {
  play: string;
  task: string;
  outcome: "ok" | "changed" | "failed" | "skipped";
  why?: string;
}

function toldIn(stdout: string): Told[] {
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line) as Told);
}

function sayWhatFailed(error: unknown): never {
  if (!(error instanceof CommandError)) throw error;
  const failed = toldIn(error.stdout).filter(({ outcome }) => outcome === "failed");
  if (failed.length === 0) throw error;
  throw new Error(failed.map(({ play, task, why }) => `${play}: ${task}: ${why}`).join("\n"), { cause: error });
}
