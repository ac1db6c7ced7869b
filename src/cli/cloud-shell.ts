import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { findCommand } from "../cloud/host-packages.ts";
import { leaderOf } from "../cloud/hypervisors/nspawn/guest-folder.ts";
import { readDatabase, stateFiles } from "../cloud/store/state.ts";
import { SlipwayError } from "../common/errors.ts";
import type { Reporter } from "./ui/reporter.ts";

/** Without what an outer shell says of other clouds, which clients would mix with this one's. */
function environmentFor(variables: Record<string, string>): NodeJS.ProcessEnv {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith("OS_"));
  return { ...Object.fromEntries(others), ...variables };
}

/**
 * A shell in which OpenStack clients work with the cloud; with words, that command in place of a shell.
 * @returns its exit status
 */
export async function clientShell(
  variables: Record<string, string>,
  command: readonly string[],
  reporter: Reporter,
): Promise<number> {
  const shell = process.env.SHELL ?? "/bin/sh";
  if (command.length === 0) {
    const client = await findCommand("openstack");
    const how =
      client === undefined ? "install one with `pip install python-openstackclient`" : "`openstack server list`";
    reporter.note(`${variables.OS_CLOUD}: clients work with this cloud here (${how}); \`exit\` leads back`);
  }
  return inForeground(command.length === 0 ? [shell] : wordsOf(command), environmentFor(variables));
}

/**
 * A shell of root inside a guest, or a command there: for those that let nobody log in. What runs in it is not held to the guest's limits.
 * @param server its id or name
 * @throws SlipwayError E_LOOKUP where there is no such server, or several, or its guest does not run
 */
export async function guestShell(stateDir: string, server: string, command: readonly string[]): Promise<number> {
  const { guests } = stateFiles(stateDir);
  const leader = await leaderOf(join(guests, encodeURIComponent(idOf(stateDir, server))));
  if (leader === undefined) {
    throw new SlipwayError("E_LOOKUP", `no guest of server ${server} runs`, {
      hint: "Start the server; fake guests cannot be entered.",
    });
  }
  const words = command.length === 0 ? ["/bin/bash", "-l"] : wordsOf(command);
  const env = {
    TERM: process.env.TERM,
    LANG: "C.UTF-8",
    HOME: "/root",
    USER: "root",
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  };
  return inForeground(["nsenter", "--target", String(leader), "--all", "--wd=/", "--", ...words], env);
}

/** One word is a command line, as with ssh; several are an argument list. */
const wordsOf = (command: readonly string[]) => (command.length === 1 ? ["/bin/sh", "-c", ...command] : command);

function idOf(stateDir: string, server: string): string {
  const sql = "SELECT id FROM records WHERE kind = 'server' AND (id = ? OR body ->> 'name' = ?)";
  const found = readDatabase(stateFiles(stateDir).database, (db) => db.prepare(sql).all(server, server));
  const [first, ...others] = found.map(({ id }) => String(id));
  if (first !== undefined && others.length === 0) return first;
  const count = first === undefined ? "no server" : `${found.length} servers`;
  throw new SlipwayError("E_LOOKUP", `the cloud has ${count} ${server}`, { hint: "Name it by its id." });
}

/** Runs a command on this terminal. Ctrl-C is the command's: it is sent to both. */
function inForeground(command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: "inherit", env });
  return new Promise((resolve, reject) => {
    child.once("error", (error) =>
      reject(
        new SlipwayError("E_USAGE", `${program} cannot be run: ${error.message}`, {
          hint: "Install it, or name another.",
        }),
      ),
    );
    child.once("exit", (status, signal) => resolve(status ?? 128 + constants.signals[signal ?? "SIGKILL"]));
  });
}
