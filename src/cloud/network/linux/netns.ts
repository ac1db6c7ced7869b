import { namesIn } from "../../../common/files.ts";
import { CommandError, run } from "../../../common/process.ts";
import type { ObservedAddresses, ObservedLink, ObservedProxy, ObservedRoute } from "./link-diff.ts";

/** Where `ip netns` keeps the handles of named network namespaces. */
export const netnsFolder = "/run/netns";

/** Names of the machine's network namespaces that begin with `prefix`. */
export async function listNamespaces(prefix: string): Promise<string[]> {
  return (await namesIn(netnsFolder)).filter((name) => name.startsWith(prefix));
}

export async function ensureNamespace(name: string): Promise<void> {
  try {
    await run("ip", ["netns", "add", name]);
  } catch (error) {
    if (!(error instanceof CommandError && error.stderr.includes("File exists"))) throw error;
  }
}

/** Makes namespaces that are not there. */
export async function makeNamespaces(names: string[]): Promise<void> {
  if (names.length > 0)
    await run("ip", ["-batch", "-"], { input: names.map((name) => `netns add ${name}\n`).join("") });
}

/** Removes a namespace's name, and with it, once no process is inside, the namespace and its links. */
export async function deleteNamespace(name: string): Promise<void> {
  try {
    await run("ip", ["netns", "delete", name]);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Ids of the processes inside a namespace; none of one that is not there, or just went. */
export async function processesInNamespace(name: string): Promise<number[]> {
  try {
    const { stdout } = await run("ip", ["netns", "pids", name]);
    return stdout.split("\n").filter(Boolean).map(Number);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return [];
  }
}

const isMissing = (error: unknown) => error instanceof CommandError && error.stderr.includes("No such file");

export async function observeLinks(namespace: string): Promise<ObservedLink[]> {
  const { stdout } = await run("ip", ["-n", namespace, "-j", "link"]);
  return JSON.parse(stdout.trim() || "[]") as ObservedLink[];
}

export async function observeAddresses(namespace: string): Promise<ObservedAddresses[]> {
  const { stdout } = await run("ip", ["-n", namespace, "-j", "address"]);
  return JSON.parse(stdout.trim() || "[]") as ObservedAddresses[];
}

export async function observeRoutes(namespace: string): Promise<ObservedRoute[]> {
  const [four, six] = await Promise.all(
    ["-4", "-6"].map(async (family) => {
      const { stdout } = await run("ip", ["-n", namespace, "-j", family, "route"]);
      return JSON.parse(stdout.trim() || "[]") as ObservedRoute[];
    }),
  );
  // both call it `default`
  return [
    ...(four ?? []),
    ...(six ?? []).map((route) => (route.dst === "default" ? { ...route, dst: "::/0" } : route)),
  ];
}

/** What a namespace answers for in place of others. */
export async function observeProxies(namespace: string): Promise<ObservedProxy[]> {
  const { stdout } = await run("ip", ["-n", namespace, "-j", "-6", "neighbour", "show", "proxy"]);
  return JSON.parse(stdout.trim() || "[]") as ObservedProxy[];
}

/** Runs `ip` commands in a namespace, one a line; stops at the first that fails. */
export async function ipBatch(namespace: string, commands: string[]): Promise<void> {
  if (commands.length > 0) await run("ip", ["-n", namespace, "-batch", "-"], { input: `${commands.join("\n")}\n` });
}

/** Runs a command with the namespace's network, and nothing else of it. */
function runInNamespace(namespace: string, command: string, args: string[], input?: string) {
  return run("nsenter", [`--net=${netnsFolder}/${namespace}`, command, ...args], input === undefined ? {} : { input });
}

/** What `sysctl` is told to write; `--ignore`: a kernel without IPv6 has no switch to turn it off. */
function settingsOf(values: Record<string, string>): string[] {
  const settings = Object.entries(values).map(([name, value]) => `${name}=${value}`);
  return settings.length === 0 ? [] : ["--quiet", "--ignore", "--write", ...settings];
}

export async function setSysctls(namespace: string, values: Record<string, string>): Promise<void> {
  const settings = settingsOf(values);
  if (settings.length > 0) await runInNamespace(namespace, "sysctl", settings);
}

/** Sets the same in each of some namespaces, by one process: starting one for each holds up the guests that wait for them. */
export async function setSysctlsInEach(namespaces: string[], values: Record<string, string>): Promise<void> {
  if (namespaces.length === 0) return;
  const script = `for name; do nsenter --net=${netnsFolder}/"$name" sysctl ${settingsOf(values).join(" ")}; done`;
  await run("sh", ["-ec", script, "settings", ...namespaces]);
}

/** Loads a ruleset in one transaction: all of it or nothing. */
export async function loadRuleset(namespace: string, ruleset: string): Promise<void> {
  if (ruleset !== "") await runInNamespace(namespace, "nft", ["-f", "-"], ruleset);
}

/** Forgets connections; that none matched is no failure. */
export async function cutConnections(namespace: string, selection: string[]): Promise<void> {
  try {
    await runInNamespace(namespace, "conntrack", ["--delete", ...selection]);
  } catch (error) {
    if (!(error instanceof CommandError && /\b0 flow entries/.test(error.stderr))) throw error;
  }
}
